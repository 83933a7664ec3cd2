using FsCheck;
using FsCheck.Fluent;
using KvIL.Conformance.Theory.Scores;

namespace KvIL.Tests.Eviction;

/// <summary>One layer with everything that any score reads, from a seed.</summary>
public sealed record ScoreCase(int KvHeads, int Group, int Length, int Seed)
{
    /// <summary>Rows of the window, and of a block.</summary>
    public const int Window = 3, Block = 4;

    private const int Dim = 4, Width = 5;

    public int Heads => KvHeads * Group;

    public static Arbitrary<ScoreCase> Cases { get; } = Arb.From(
        from kv in Gen.Choose(1, 3)
        from g in Gen.Elements(1, 2, 4)
        from length in Gen.Choose(8, 19)
        from seed in Gen.Choose(0, 1 << 20)
        select new ScoreCase(kv, g, length, seed), Shrink);

    public static IReadOnlyList<(string Name, IScore Score)> Scores { get; } = ScoreCatalogue.All(Window, Block);

    /// <summary>What the layer shows. Query head i is copy <c>source(i)</c> of those drawn, KV head g that of <c>kvSource(g)</c>.</summary>
    public ScoreInputs Inputs(Func<int, int>? source = null, Func<int, int>? kvSource = null, double keyScale = 1)
    {
        source ??= i => i;
        kvSource ??= g => g;
        double[,,] keys = Cube(KvHeads, 1, kvSource, keyScale);
        double[,] wo = Table(Heads, Width * Dim, 6);
        double[,] copied = new double[Width, Heads * Dim];
        for (int x = 0; x < copied.Length; x++)
        {
            (int row, int i, int e) = (x / (Heads * Dim), x / Dim % Heads, x % Dim);
            copied[row, (i * Dim) + e] = wo[source(i), (row * Dim) + e];
        }

        double[,] filters = Table(KvHeads, Dim, 7);
        double[,] moved = new double[KvHeads, Dim];
        for (int x = 0; x < moved.Length; x++) moved[x / Dim, x % Dim] = filters[kvSource(x / Dim), x % Dim];
        return new(keys)
        {
            Queries = Cube(Heads, 2, source),
            Values = Cube(KvHeads, 3, kvSource),
            PreRopeKeys = Cube(KvHeads, 4, kvSource),
            PreRopeQueries = Cube(Heads, 5, source),
            OutputProjection = copied,
            Calibration = moved,
        };
    }

    private double[,,] Cube(int heads, int stream, Func<int, int> source, double scale = 1)
    {
        double[,] all = Table(heads, Length * Dim, stream);
        double[,,] x = new double[heads, Length, Dim];
        for (int e = 0; e < x.Length; e++)
        {
            (int h, int j, int c) = (e / (Length * Dim), e / Dim % Length, e % Dim);
            x[h, j, c] = scale * all[source(h), (j * Dim) + c];
        }

        return x;
    }

    private double[,] Table(int rows, int columns, int stream)
    {
        var random = new Random((Seed * 8) + stream);
        double[,] x = new double[rows, columns];
        for (int e = 0; e < x.Length; e++) x[e / columns, e % columns] = (4 * random.NextDouble()) - 2;
        return x;
    }

    private static IEnumerable<ScoreCase> Shrink(ScoreCase c)
    {
        if (c.KvHeads > 1) yield return c with { KvHeads = c.KvHeads - 1 };
        if (c.Group > 1) yield return c with { Group = c.Group / 2 };
        if (c.Length > 8) yield return c with { Length = c.Length - 1 };
        if (c.Seed > 0) yield return c with { Seed = c.Seed / 2 };
    }
}
