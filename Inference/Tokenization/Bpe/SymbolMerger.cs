namespace KvIL.Inference.Tokenization.Bpe;

/// <summary>What two neighbours become; the lowest rank goes first.</summary>
internal readonly record struct Merge(uint Rank, int Id);

/// <summary>Says which neighbours may become one symbol.</summary>
internal abstract class MergeRule
{
    /// <summary>What the neighbours become.</summary>
    /// <param name="left">The left symbol's id.</param>
    /// <param name="right">The right symbol's id.</param>
    /// <param name="start">Where the left symbol starts, in the lengths that were added.</param>
    /// <param name="length">How long both are together.</param>
    /// <param name="merge">The merge.</param>
    /// <returns>False where they stay two.</returns>
    public abstract bool TryMerge(int left, int right, int start, int length, out Merge merge);
}

/// <summary>Merges a row of symbols: always the pair of lowest rank, the leftmost of equals.</summary>
/// <remarks>
/// The symbols are a linked list in arrays and the candidate pairs a priority queue, so n symbols take O(n log n).
/// Symbols only grow, and only to the right, so a candidate whose place still has the length it had is
/// still the same pair; others are passed over when their turn comes. Not safe for concurrent use.
/// </remarks>
internal sealed class SymbolMerger
{
    private readonly PriorityQueue<Candidate, ulong> _candidates = new();
    private Symbol[] _symbols = new Symbol[16];
    private int _count;

    /// <summary>The symbols that are left, in order.</summary>
    public IEnumerable<Symbol> Symbols
    {
        get
        {
            for (int i = 0; i < _count; i = _symbols[i].Next)
            {
                yield return _symbols[i];
            }
        }
    }

    /// <summary>Forgets all symbols.</summary>
    public void Clear() => _count = 0;

    /// <summary>Appends a symbol; its length is above 0, such as the characters that it spells.</summary>
    public void Add(int id, int length)
    {
        if (_count == _symbols.Length)
        {
            Array.Resize(ref _symbols, 2 * _count);
        }

        int start = _count == 0 ? 0 : _symbols[_count - 1].Start + _symbols[_count - 1].Length;
        _symbols[_count] = new Symbol(id, start, length, _count - 1, _count + 1);
        _count++;
    }

    /// <summary>Merges as long as the rule finds a pair.</summary>
    public void Merge(MergeRule rule)
    {
        // All at once: making a heap of n takes O(n).
        _candidates.EnqueueRange(FirstCandidates(rule));

        while (_candidates.TryDequeue(out Candidate candidate, out _))
        {
            ref Symbol left = ref _symbols[candidate.Place];
            if (left.Length == 0 || left.Next >= _count || left.Length + _symbols[left.Next].Length != candidate.Length)
            {
                continue;
            }

            ref Symbol right = ref _symbols[left.Next];
            left = left with { Id = candidate.Id, Length = candidate.Length, Next = right.Next };
            right = right with { Length = 0 };
            if (left.Next < _count)
            {
                _symbols[left.Next] = _symbols[left.Next] with { Previous = candidate.Place };
                Enqueue(candidate.Place, rule);
            }

            if (left.Previous >= 0)
            {
                Enqueue(left.Previous, rule);
            }
        }
    }

    private IEnumerable<(Candidate, ulong)> FirstCandidates(MergeRule rule)
    {
        for (int i = 0; i < _count - 1; i++)
        {
            if (Find(i, rule, out Candidate candidate, out ulong priority))
            {
                yield return (candidate, priority);
            }
        }
    }

    private void Enqueue(int place, MergeRule rule)
    {
        if (Find(place, rule, out Candidate candidate, out ulong priority))
        {
            _candidates.Enqueue(candidate, priority);
        }
    }

    // The merge of the symbol at a place with the next one.
    private bool Find(int place, MergeRule rule, out Candidate candidate, out ulong priority)
    {
        Symbol left = _symbols[place];
        int length = left.Length + _symbols[left.Next].Length;
        bool found = rule.TryMerge(left.Id, _symbols[left.Next].Id, left.Start, length, out Merge merge);
        candidate = new Candidate(place, length, merge.Id);
        priority = ((ulong)merge.Rank << 32) | (uint)place;
        return found;
    }

    /// <summary>A symbol of the row; <c>Length</c> 0 once it was merged into the one before it.</summary>
    internal readonly record struct Symbol(int Id, int Start, int Length, int Previous, int Next);

    private readonly record struct Candidate(int Place, int Length, int Id);
}
