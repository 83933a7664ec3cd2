namespace KvIL.Inference.Tokenization.Patterns;

/// <summary>Finds the matches of a pattern in one text, from left to right.</summary>
/// <remarks>
/// Backtracking, first alternative first, as Perl and Oniguruma do. What follows from a step at a place does not depend
/// on the way there, so once a text costs more steps than patterns of tokenizers ever do, every (fork, place) is
/// remembered and tried once: no pattern takes more than steps × characters. (The method is BitState's in RE2.)
/// </remarks>
internal ref struct PatternMatcher
{
    private const long MaxBytes = 1 << 28;
    private const long MaxLookForks = 200_000_000;

    private readonly PatternProgram _program;
    private readonly Step[] _steps;
    private readonly ReadOnlySpan<char> _text;
    private readonly Stack<(int Step, int Place)> _open = new();
    private readonly long _freeForks;
    private long _forks;
    private long _lookForks;
    private ulong[]? _tried;
    private int _at;
    private int _lastEnd = -1;

    public PatternMatcher(PatternProgram program, ReadOnlySpan<char> text, int freeForks)
    {
        _freeForks = freeForks * (16L + text.Length);
        _program = program;
        _steps = program.Steps;
        _text = text;
    }

    /// <summary>Finds the next match; an empty one never touches the one before it.</summary>
    /// <exception cref="RequestException">The pattern's look-ahead takes too long on this text.</exception>
    public bool Next(out int start, out int end)
    {
        for (; _at <= _text.Length; _at += _at < _text.Length ? RuneAt(_at, out _) : 1)
        {
            if (!_program.CanBeEmpty && (_at == _text.Length || !CanStart(_at)))
            {
                continue;
            }

            end = Run(0, _at, inLook: false);
            if (end < 0 || (end == _at && end == _lastEnd))
            {
                continue;
            }

            start = _at;
            _lastEnd = end;
            if (end > start)
            {
                _at = end;
                Forget(end);
            }
            else
            {
                Forget(end);
                _at += _at < _text.Length ? RuneAt(_at, out _) : 1;
            }

            return true;
        }

        start = end = -1;
        return false;
    }

    private readonly bool CanStart(int at)
    {
        RuneAt(at, out int rune);
        return _program.CanStart(rune);
    }

    // The character there and its length in UTF-16, which is valid.
    private readonly int RuneAt(int at, out int rune)
    {
        char first = _text[at];
        if (!char.IsHighSurrogate(first))
        {
            rune = first;
            return 1;
        }

        rune = char.ConvertToUtf32(first, _text[at + 1]);
        return 2;
    }

    // The end of the match that starts at that step and place; -1 where there is none.
    private int Run(int step, int at, bool inLook)
    {
        int bottom = _open.Count;
        while (true)
        {
            if (Advance(ref step, ref at, inLook))
            {
                if (_steps[step].Kind != StepKind.Match)
                {
                    continue;
                }

                while (_open.Count > bottom)
                {
                    _open.Pop();
                }

                return at;
            }

            if (_open.Count == bottom)
            {
                return -1;
            }

            (step, at) = _open.Pop();
        }
    }

    // One step; false where it fails. At a match it stays.
    private bool Advance(ref int step, ref int at, bool inLook)
    {
        ref readonly Step now = ref _steps[step];
        switch (now.Kind)
        {
            case StepKind.One:
                if (at == _text.Length)
                {
                    return false;
                }

                int length = RuneAt(at, out int rune);
                at += length;
                step++;
                return now.Set!.Contains(rune);
            case StepKind.Run:
                step++;
                return TakeRun(now, ref at);
            case StepKind.Fork:
                if (!inLook && WasTried(step, at))
                {
                    return false;
                }

                CountFork(inLook);
                _open.Push((now.B, at));
                step = now.A;
                return true;
            case StepKind.Jump:
                step = now.A;
                return true;
            case StepKind.Look:
                bool matches = Run(step + 1, at, inLook: true) >= 0;
                step = now.A;
                return matches == (now.B == 1);
            case StepKind.At:
                step++;
                return Holds((Anchor)now.A, at);
            default:
                return true;
        }
    }

    private readonly bool TakeRun(in Step run, ref int at)
    {
        int count = 0;
        while (count < run.B && at < _text.Length)
        {
            int length = RuneAt(at, out int rune);
            if (!run.Set!.Contains(rune))
            {
                break;
            }

            at += length;
            count++;
        }

        return count >= run.A;
    }

    private readonly bool Holds(Anchor anchor, int at) => anchor switch
    {
        Anchor.LineStart => at == 0 || _text[at - 1] == '\n',
        Anchor.LineEnd => at == _text.Length || _text[at] == '\n',
        Anchor.TextStart => at == 0,
        Anchor.TextEnd => at == _text.Length,
        Anchor.WordBoundary => IsWordBefore(at) != IsWordAfter(at),
        _ => IsWordBefore(at) == IsWordAfter(at),
    };

    private readonly bool IsWordAfter(int at)
    {
        if (at == _text.Length)
        {
            return false;
        }

        RuneAt(at, out int rune);
        return RuneSet.WordCharacters.Contains(rune);
    }

    private readonly bool IsWordBefore(int at) => at > 0 && IsWordAfter(char.IsLowSurrogate(_text[at - 1]) ? at - 2 : at - 1);

    private void CountFork(bool inLook)
    {
        _forks++;
        if (inLook && ++_lookForks > MaxLookForks)
        {
            throw new RequestException(
                "The text takes the tokenizer's pattern too long; the pattern looks ahead too far, so choose another checkpoint or a shorter text.");
        }
    }

    // Whether that fork failed at that place before; notes that it is tried now.
    private bool WasTried(int step, int at)
    {
        if (_tried is null)
        {
            if (_forks < _freeForks)
            {
                return false;
            }

            long words = (((long)_steps.Length * (_text.Length + 1L)) + 63) / 64;
            _tried = words * sizeof(ulong) <= MaxBytes
                ? new ulong[words]
                : throw new RequestException(
                    "The text is too long for the tokenizer's pattern, which goes over it again and again; give a shorter text.");
        }

        long bit = ((long)at * _steps.Length) + step;
        ulong mask = 1UL << (int)(bit & 63);
        bool tried = (_tried[bit >> 6] & mask) != 0;
        _tried[bit >> 6] |= mask;
        return tried;
    }

    // After a match only its end is a place that later tries can come to and whose forks need not have failed.
    private readonly void Forget(int at)
    {
        for (int step = 0; _tried is not null && step < _steps.Length; step++)
        {
            long bit = ((long)at * _steps.Length) + step;
            _tried[bit >> 6] &= ~(1UL << (int)(bit & 63));
        }
    }
}
