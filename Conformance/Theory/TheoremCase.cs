using KvIL.Conformance.Generators;

namespace KvIL.Conformance.Theory;

/// <summary>One query's attention over a few tokens of one layer: small enough to try every set of rows to keep.</summary>
/// <param name="KvHeads">kv; kv · n is at most 16.</param>
/// <param name="Group">G query heads for each KV head.</param>
/// <param name="Tokens">n.</param>
/// <param name="Width">D.</param>
/// <param name="Rows">Rows that each KV head keeps on average, fewer than n.</param>
/// <param name="FloorPercent">Uniform share of a blend.</param>
/// <param name="Seed">Seed of attention, values and projection.</param>
public sealed record TheoremCase(int KvHeads, int Group, int Tokens, int Width, int Rows, int FloorPercent, int Seed) : ICase<TheoremCase>
{
    private const int MostRows = 16;
    private const int HeadDim = 2;
    private const int Unit = 1 << 20;

    /// <summary>h = kv · G.</summary>
    public int Heads => KvHeads * Group;

    /// <summary>B: rows to keep over all heads; heads divide it.</summary>
    public int Total => KvHeads * Rows;

    /// <summary>Largest possible rounding of the sums of a check, for sums of at most 2·h terms no larger than <paramref name="norm"/>: 1e-9 of them.</summary>
    public double Slack(double norm) => 1e-9 * 2 * Heads * norm;

    /// <inheritdoc/>
    public static TheoremCase Generate(Random random)
    {
        int kv = random.Of(1, 2, 2, 3, 3, 4), tokens = random.Next(2, (MostRows / kv) + 1);
        return new(kv, random.Of(1, 1, 2), tokens, random.Next(1, 7), random.Next(0, tokens), random.Of(0, 5, 20, 50, 100), random.Next(1 << 20));
    }

    /// <inheritdoc/>
    public IEnumerable<TheoremCase> Shrink()
    {
        if (KvHeads > 1) yield return this with { KvHeads = KvHeads - 1 };
        if (Group > 1) yield return this with { Group = 1 };
        if (Tokens > 2) yield return this with { Tokens = Tokens - 1, Rows = Math.Min(Rows, Tokens - 2) };
        if (Width > 1) yield return this with { Width = Width - 1 };
        if (Rows > 0) yield return this with { Rows = Rows - 1 };
        if (FloorPercent > 0) yield return this with { FloorPercent = 0 };
        if (Seed > 0) yield return this with { Seed = Seed / 2 };
    }

    /// <summary>A <c>[h, n]</c>: softmax of normals, from flat to concentrated, in positive multiples of 2⁻²⁰ that sum to 1, so that sums of it are exact.</summary>
    public double[,] Attention()
    {
        double[] normals = Draw.Values(Seed, 1, Heads * Tokens, ValueKind.Normal);
        Random random = new(Seed);
        double[,] a = new double[Heads, Tokens];
        for (int i = 0; i < Heads; i++)
        {
            double scale = 4 * random.NextDouble();
            double[] row = WindowScores.Softmax([.. normals.AsSpan(i * Tokens, Tokens).ToArray().Select(x => scale * x)]);
            int[] units = [.. row.Select(x => Math.Max(1, (int)(x * Unit)))];
            units[Array.IndexOf(units, units.Max())] += Unit - units.Sum();
            for (int j = 0; j < Tokens; j++) a[i, j] = units[j] / (double)Unit;
        }

        return a;
    }

    /// <summary>U <c>[h, n, D]</c>: normal values of each KV head through a normal projection.</summary>
    public double[,,] Contributions()
    {
        double[] values = Draw.Values(Seed, 2, KvHeads * Tokens * HeadDim, ValueKind.Normal);
        double[] projection = Draw.Values(Seed, 3, Width * Heads * HeadDim, ValueKind.Normal);
        double[,,] v = new double[KvHeads, Tokens, HeadDim];
        double[,] wo = new double[Width, Heads * HeadDim];
        Buffer.BlockCopy(values, 0, v, 0, values.Length * sizeof(double));
        Buffer.BlockCopy(projection, 0, wo, 0, projection.Length * sizeof(double));
        return EvictionLoss.Contributions(v, wo);
    }

    /// <summary><c>S_gj</c>, the mean of A over the query heads of KV head g, exactly: it ranks rows as their sum does.</summary>
    public float[][] Scores()
    {
        double[,] mean = Arrays.GroupMean(Attention(), KvHeads);
        return [.. Enumerable.Range(0, KvHeads).Select(g => Arrays.Row(mean, g).Select(x => (float)x).ToArray())];
    }

    /// <summary>Any rows: each KV head keeps at least one, the others by chance.</summary>
    public int[][] AnyRows()
    {
        Random random = new(Seed + 1);
        return [.. Enumerable.Range(0, KvHeads).Select(_ =>
        {
            int certain = random.Next(Tokens);
            double chance = random.Next(5) / 4.0;
            return Enumerable.Range(0, Tokens).Where(j => random.NextDouble() < chance || j == certain).ToArray();
        })];
    }

    /// <summary>The best rows of each KV head, as many as it may keep.</summary>
    public int[][] BestRows(int[] counts)
    {
        float[][] scores = Scores();
        return [.. counts.Select((count, g) => Allocation.Rows(scores[g], 0, Tokens, count))];
    }

    /// <summary>The loss of keeping these rows of each KV head.</summary>
    public EvictionLoss Loss(int[][] kept)
    {
        bool[,] keeps = new bool[Heads, Tokens];
        for (int i = 0; i < Heads; i++)
        {
            foreach (int j in kept[i / Group]) keeps[i, j] = true;
        }

        return new(Attention(), Contributions(), keeps);
    }
}
