namespace KvIL.Inference.Tokenization.Bpe;

/// <summary>Merges as a list gives them: pairs of ids, the first pair first.</summary>
internal sealed class MergeTable(int capacity) : MergeRule
{
    private readonly Dictionary<ulong, Merge> _merges = new(capacity);

    /// <summary>Adds the next pair; of a pair that comes twice, <paramref name="replace"/> says which place counts.</summary>
    public void Add(int left, int right, int result, int rank, bool replace)
    {
        if (replace)
        {
            _merges[Key(left, right)] = new Merge((uint)rank, result);
        }
        else
        {
            _merges.TryAdd(Key(left, right), new Merge((uint)rank, result));
        }
    }

    /// <inheritdoc/>
    public override bool TryMerge(int left, int right, int start, int length, out Merge merge) =>
        _merges.TryGetValue(Key(left, right), out merge);

    private static ulong Key(int left, int right) => ((ulong)(uint)left << 32) | (uint)right;
}
