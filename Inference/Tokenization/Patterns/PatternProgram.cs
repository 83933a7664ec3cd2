namespace KvIL.Inference.Tokenization.Patterns;

/// <summary>What one step of a compiled pattern does.</summary>
internal enum StepKind
{
    /// <summary>Takes one character of the set.</summary>
    One,

    /// <summary>Takes as many characters of the set as there are, from A to B, and never gives one back.</summary>
    Run,

    /// <summary>Goes on at A; if that fails, at B.</summary>
    Fork,

    /// <summary>Goes on at A.</summary>
    Jump,

    /// <summary>Goes on at A if the steps after this one match here (B = 1) or do not (B = 0).</summary>
    Look,

    /// <summary>Goes on if the anchor A holds here.</summary>
    At,

    /// <summary>The pattern, or the look-ahead, matches.</summary>
    Match,
}

/// <summary>One step; what A and B mean depends on the kind.</summary>
internal readonly record struct Step(StepKind Kind, int A = 0, int B = 0, RuneSet? Set = null);

/// <summary>A pattern as steps for <see cref="PatternMatcher"/>.</summary>
internal sealed class PatternProgram
{
    private const int MaxSteps = 1 << 13;

    private readonly List<Step> _steps = [];
    private readonly List<RuneSet> _first = [];

    private PatternProgram(PatternNode pattern)
    {
        Emit(pattern, last: true);
        Add(new Step(StepKind.Match));
        Steps = [.. _steps];
        CanBeEmpty = CollectFirst();
    }

    /// <summary>The steps; the first is where matching starts.</summary>
    public Step[] Steps { get; }

    /// <summary>Whether the pattern may match no character, or match one that <see cref="CanStart"/> does not know.</summary>
    public bool CanBeEmpty { get; }

    /// <summary>Compiles a pattern.</summary>
    /// <exception cref="PatternException">Its repetitions, written out, are too many.</exception>
    public static PatternProgram Compile(PatternNode pattern) => new(pattern);

    /// <summary>Whether a match may start with that character.</summary>
    public bool CanStart(int rune)
    {
        foreach (RuneSet set in _first)
        {
            if (set.Contains(rune))
            {
                return true;
            }
        }

        return false;
    }

    private int Add(Step step)
    {
        if (_steps.Count >= MaxSteps)
        {
            throw new PatternException("its repetitions, written out, are too many");
        }

        _steps.Add(step);
        return _steps.Count - 1;
    }

    /// <param name="node">What to match.</param>
    /// <param name="last">Whether nothing follows it, so that its longest match is the match.</param>
    private void Emit(PatternNode node, bool last)
    {
        switch (node)
        {
            case PatternNode.OneOf one:
                Add(new Step(StepKind.One, Set: one.Set));
                break;
            case PatternNode.Sequence sequence:
                for (int i = 0; i < sequence.Parts.Count; i++)
                {
                    Emit(sequence.Parts[i], last && i == sequence.Parts.Count - 1);
                }

                break;
            case PatternNode.Choice choice:
                EmitChoice(choice, last);
                break;
            case PatternNode.Repeat repeat:
                EmitRepeat(repeat, last);
                break;
            case PatternNode.Look look:
                int start = Add(default);
                Emit(look.Part, last: true);
                int end = Add(new Step(StepKind.Match));
                _steps[start] = new Step(StepKind.Look, end + 1, look.Wanted ? 1 : 0);
                break;
            case PatternNode.At at:
                Add(new Step(StepKind.At, (int)at.Anchor));
                break;
        }
    }

    private void EmitChoice(PatternNode.Choice choice, bool last)
    {
        var jumps = new List<int>();
        for (int i = 0; i < choice.Parts.Count - 1; i++)
        {
            int fork = Add(default);
            Emit(choice.Parts[i], last);
            jumps.Add(Add(default));
            _steps[fork] = new Step(StepKind.Fork, fork + 1, _steps.Count);
        }

        Emit(choice.Parts[^1], last);
        foreach (int jump in jumps)
        {
            _steps[jump] = new Step(StepKind.Jump, _steps.Count);
        }
    }

    private void EmitRepeat(PatternNode.Repeat repeat, bool last)
    {
        // Where nothing follows, or nothing may be given back, the longest run is the only one to try.
        if (repeat.Part is PatternNode.OneOf one && (repeat.Greed == Greed.Possessive || (last && repeat.Greed == Greed.Greedy)))
        {
            Add(new Step(StepKind.Run, repeat.Least, repeat.Most ?? int.MaxValue, one.Set));
            return;
        }

        for (int i = 0; i < repeat.Least; i++)
        {
            Emit(repeat.Part, last: false);
        }

        if (repeat.Most is not { } most)
        {
            int loop = Add(default);
            Emit(repeat.Part, last: false);
            Add(new Step(StepKind.Jump, loop));
            _steps[loop] = Fork(repeat.Greed, loop + 1, _steps.Count);
            return;
        }

        var forks = new List<int>();
        for (int i = repeat.Least; i < most; i++)
        {
            forks.Add(Add(default));
            Emit(repeat.Part, last: false);
        }

        foreach (int fork in forks)
        {
            _steps[fork] = Fork(repeat.Greed, fork + 1, _steps.Count);
        }
    }

    private static Step Fork(Greed greed, int inside, int after) =>
        greed == Greed.Lazy ? new(StepKind.Fork, after, inside) : new(StepKind.Fork, inside, after);

    // All sets that a match can begin with; true where it can begin without one.
    private bool CollectFirst()
    {
        bool empty = false;
        var seen = new HashSet<int>();
        var open = new Stack<int>([0]);
        while (open.TryPop(out int at))
        {
            if (!seen.Add(at))
            {
                continue;
            }

            Step step = Steps[at];
            switch (step.Kind)
            {
                case StepKind.One:
                    _first.Add(step.Set!);
                    break;
                case StepKind.Run:
                    _first.Add(step.Set!);
                    if (step.A == 0)
                    {
                        open.Push(at + 1);
                    }

                    break;
                case StepKind.Match:
                    empty = true;
                    break;
                case StepKind.Fork:
                    open.Push(step.A);
                    open.Push(step.B);
                    break;
                default:
                    open.Push(step.Kind == StepKind.At ? at + 1 : step.A);
                    break;
            }
        }

        return empty;
    }
}
