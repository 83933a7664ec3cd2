using KvIL.Conformance.Theory;

namespace KvIL.Conformance.Generators;

/// <summary>One query's attention over a few tokens, what each token contributes, and which are kept.</summary>
/// <param name="KvHeads">KV heads.</param>
/// <param name="Group">Query heads for each.</param>
/// <param name="Tokens">n.</param>
/// <param name="Width">D.</param>
/// <param name="Seed">Seed of the data.</param>
public sealed record LossCase(int KvHeads, int Group, int Tokens, int Width, int Seed) : ICase<LossCase>
{
    private const int HeadDim = 2, Grain = 1 << 20;

    internal int Heads => KvHeads * Group;

    internal IEnumerable<(int I, int J)> Pairs => from i in Enumerable.Range(0, Heads) from j in Enumerable.Range(0, Tokens) select (i, j);

    /// <inheritdoc/>
    public static LossCase Generate(Random random) =>
        new(random.Next(1, 4), random.Of(1, 1, 2), random.Next(1, 9), random.Next(1, 7), random.Next());

    /// <inheritdoc/>
    public IEnumerable<LossCase> Shrink()
    {
        if (KvHeads > 1) yield return this with { KvHeads = 1 };
        if (Group > 1) yield return this with { Group = 1 };
        if (Tokens > 1) yield return this with { Tokens = Tokens - 1 };
        if (Width > 1) yield return this with { Width = Width - 1 };
    }

    /// <summary>A.</summary>
    internal double[,] Attention() => Attention(Seed, Heads, Tokens);

    /// <summary>Softmax of normals, from flat to concentrated, in multiples of 2⁻²⁰ that sum to 1: sums of it are exact.</summary>
    internal static double[,] Attention(int seed, int heads, int tokens)
    {
        double[,] a = new double[heads, tokens];
        double[] scales = Draw.Values(seed, 1, heads, ValueKind.Normal);
        for (int i = 0; i < heads; i++)
        {
            double[] logits = Draw.Values(seed, 100 + i, tokens, ValueKind.Normal);
            double[] row = WindowScores.Softmax([.. logits.Select(x => 2 * scales[i] * x)]);
            for (int j = 0; j < tokens; j++) a[i, j] = Math.Floor(row[j] * Grain) / Grain;
            a[i, 0] += 1 - Enumerable.Range(0, tokens).Sum(j => a[i, j]);
        }

        return a;
    }

    /// <summary>v, <c>[kv, n, d]</c>.</summary>
    internal double[,,] Values()
    {
        double[] drawn = Draw.Values(Seed, 2, KvHeads * Tokens * HeadDim, ValueKind.Normal);
        double[,,] v = new double[KvHeads, Tokens, HeadDim];
        Buffer.BlockCopy(drawn, 0, v, 0, drawn.Length * sizeof(double));
        return v;
    }

    /// <summary>The output projection, <c>[D, h·d]</c>.</summary>
    internal double[,] Projection()
    {
        double[] drawn = Draw.Values(Seed, 3, Width * Heads * HeadDim, ValueKind.Normal);
        return Arrays.Table(Width, Heads * HeadDim, (x, c) => drawn[(x * Heads * HeadDim) + c]);
    }

    /// <summary>U times <paramref name="scale"/>, by definition.</summary>
    internal double[,,] Contributions(double scale = 1)
    {
        double[,,] u = EvictionLoss.Contributions(Values(), Projection());
        for (int x = 0; x < u.Length; x++) u[x / Width / Tokens, x / Width % Tokens, x % Width] *= scale;
        return u;
    }

    /// <summary>I: each token with a chance of its head's own, so that a head may keep all or nothing.</summary>
    internal bool[,] Kept()
    {
        Random random = new(Seed);
        int[] chances = [.. Enumerable.Range(0, Heads).Select(_ => random.Next(5))];
        bool[,] kept = new bool[Heads, Tokens];
        foreach ((int i, int j) in Pairs) kept[i, j] = random.Next(4) < chances[i];
        return kept;
    }
}
