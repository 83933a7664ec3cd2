using KvIL.Sharing;

namespace KvIL.Conformance.Theory.Sharing;

/// <content>Whole prompts at once.</content>
public sealed partial class SharedLlama
{
    /// <summary>Runs tokens together: every cyclic slice of the map <paramref name="passes"/> times from the same input, every other layer once; their logits.</summary>
    /// <remarks>
    /// Wu and Tu 2024 (arXiv:2405.10637), §3.2; the plan is <see cref="SharingMap.Slices"/>. Keys and values of a slice's owners are zero
    /// before the first pass. An owner's new ones replace those of the pass before as soon as it has run; layers below it saw the old ones.
    /// Layers that read above keep the strict mask in every pass. The last pass leaves its keys and values in the cache.
    /// </remarks>
    public double[][] Iterate(SharedCache cache, IReadOnlyList<int> tokens, int passes) => Iterate(cache, tokens, passes, out _);

    /// <summary>The same; says also whether the last pass changed no key or value that the one before had left.</summary>
    public double[][] Iterate(SharedCache cache, IReadOnlyList<int> tokens, int passes, out bool isFixedPoint)
    {
        ArgumentNullException.ThrowIfNull(cache);
        ArgumentNullException.ThrowIfNull(tokens);
        double[][] x = [.. tokens.Select(Embed)];
        isFixedPoint = true;
        foreach (LayerSlice slice in map.Slices)
        {
            int[] owners = [.. Enumerable.Range(slice.First, slice.Length).Where(map.IsOwner)];
            foreach (int owner in owners)
            {
                cache.Guess(owner, tokens.Count, _sizes.KvHeads * _sizes.HeadDim);
            }

            double[][] input = x;
            for (int pass = 0; pass < (slice.IsCyclic ? passes : 1); pass++)
            {
                double[] before = Current(cache, owners, tokens.Count);
                x = input;
                for (int layer = slice.First; layer < slice.End; layer++)
                {
                    x = Layer(layer, x, cache, defect: false);
                }

                bool isLast = slice.IsCyclic && pass == passes - 1;
                isFixedPoint &= !isLast || before.AsSpan().SequenceEqual(Current(cache, owners, tokens.Count));
            }
        }

        cache.Tokens += tokens.Count;
        return [.. x.Select(Logits)];
    }

    /// <summary>Chunks of tokens one after another, each with as many passes as it has tokens: exact.</summary>
    public double[][] Chunked(IReadOnlyList<int> tokens, int chunk)
    {
        SharedCache cache = new(map);
        return [.. tokens.Chunk(chunk).SelectMany(part => Iterate(cache, part, part.Length))];
    }

    private static double[] Current(SharedCache cache, int[] owners, int count) => [.. owners.SelectMany(owner =>
    {
        (double[][] keys, double[][] values) = cache.Rows(owner, cache.Tokens, cache.Tokens + count);
        return keys.Concat(values).SelectMany(row => row);
    })];
}
