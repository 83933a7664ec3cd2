namespace KvIL.Inference.Tokenization;

/// <summary>One pair of neighbours that becomes one token; the lowest rank goes first.</summary>
internal readonly record struct Merge(int Rank, int Id);

/// <summary>Merges the symbols of one word at a time: always the pair of lowest rank, the leftmost of equals.</summary>
/// <remarks>
/// The symbols are a linked list in arrays and the candidate pairs a priority queue, so a word of n symbols takes
/// O(n log n). A candidate whose symbols were merged away stays in the queue and is passed over when its turn comes.
/// </remarks>
internal sealed class BytePairMerger(Dictionary<(int Left, int Right), Merge> merges)
{
    private const int Absorbed = -1;

    private readonly PriorityQueue<int, long> _candidates = new();
    private int[] _ids = [];
    private int[] _previous = [];
    private int[] _next = [];
    private int _count;

    /// <summary>Appends to <paramref name="output"/> what <paramref name="symbols"/> merge to.</summary>
    public void Merge(ReadOnlySpan<int> symbols, List<int> output)
    {
        Fill(symbols);
        while (_candidates.TryDequeue(out int position, out long priority))
        {
            if (CandidateAt(position) is { } merge && Priority(merge, position) == priority)
            {
                Apply(merge, position);
            }
        }

        for (int i = 0; i < _count; i = _next[i])
        {
            output.Add(_ids[i]);
        }
    }

    private static long Priority(Merge merge, int position) => ((long)merge.Rank << 32) | (uint)position;

    private void Fill(ReadOnlySpan<int> symbols)
    {
        _count = symbols.Length;
        if (_ids.Length < _count)
        {
            int capacity = Math.Max(_count, 2 * _ids.Length);
            _ids = new int[capacity];
            _previous = new int[capacity];
            _next = new int[capacity];
        }

        symbols.CopyTo(_ids);
        for (int i = 0; i < _count; i++)
        {
            _previous[i] = i - 1;
            _next[i] = i + 1;
        }

        for (int i = 0; i < _count; i++)
        {
            Enqueue(i);
        }
    }

    private Merge? CandidateAt(int position)
    {
        int next = _next[position];
        return _ids[position] != Absorbed && next < _count
            && merges.TryGetValue((_ids[position], _ids[next]), out Merge merge)
            ? merge
            : null;
    }

    private void Enqueue(int position)
    {
        if (CandidateAt(position) is { } merge)
        {
            _candidates.Enqueue(position, Priority(merge, position));
        }
    }

    private void Apply(Merge merge, int position)
    {
        int right = _next[position];
        int after = _next[right];
        _ids[position] = merge.Id;
        _ids[right] = Absorbed;
        _next[position] = after;
        if (after < _count)
        {
            _previous[after] = position;
        }

        Enqueue(position);
        if (_previous[position] >= 0)
        {
            Enqueue(_previous[position]);
        }
    }
}
