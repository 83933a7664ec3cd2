namespace KvIL.Conformance.Generators;

/// <summary>Queries and keys of one layer.</summary>
/// <param name="KvHeads">KV heads.</param>
/// <param name="Group">Query heads for each: a power of two, so that means of equal terms are exact.</param>
/// <param name="Before">n, rows before the window.</param>
/// <param name="Window">w.</param>
/// <param name="Kernel">Odd width of the pooling.</param>
/// <param name="Seed">Seed of the data.</param>
public sealed record WindowCase(int KvHeads, int Group, int Before, int Window, int Kernel, int Seed) : ICase<WindowCase>
{
    private const int HeadDim = 3;

    internal int Heads => KvHeads * Group;

    internal int Length => Before + Window;

    /// <inheritdoc/>
    public static WindowCase Generate(Random random) => new(
        random.Next(1, 4), random.Of(1, 2, 4), random.Next(1, 10), random.Next(1, 5), random.Of(1, 3, 5, 7), random.Next());

    /// <inheritdoc/>
    public IEnumerable<WindowCase> Shrink()
    {
        if (KvHeads > 1) yield return this with { KvHeads = 1 };
        if (Group > 1) yield return this with { Group = Group / 2 };
        if (Window > 1) yield return this with { Window = Window - 1 };
        if (Before > 1) yield return this with { Before = Before - 1 };
        if (Kernel > 1) yield return this with { Kernel = Kernel - 2 };
    }

    /// <summary>q, <c>[h, T, d]</c>; head i is drawn as number <c>source(i)</c>.</summary>
    internal double[,,] Queries(Func<int, int>? source = null) => Cube(Heads, 1, source ?? (i => i));

    /// <summary>k, <c>[kv, T, d]</c>; head g is drawn as number <c>source(g)</c>.</summary>
    internal double[,,] Keys(int? heads = null, Func<int, int>? source = null) => Cube(heads ?? KvHeads, 2, source ?? (g => g));

    /// <summary>Normal rows <c>[rows, n]</c>, for pooling.</summary>
    internal double[,] Table(int rows)
    {
        double[] drawn = Draw.Values(Seed, 3, rows * Before, ValueKind.Normal);
        double[,] x = new double[rows, Before];
        Buffer.BlockCopy(drawn, 0, x, 0, drawn.Length * sizeof(double));
        return x;
    }

    private double[,,] Cube(int heads, int stream, Func<int, int> source)
    {
        double[,,] x = new double[heads, Length, HeadDim];
        for (int i = 0; i < heads; i++)
        {
            double[] drawn = Draw.Values(Seed, (stream * 100) + source(i), Length * HeadDim, ValueKind.Normal);
            Buffer.BlockCopy(drawn, 0, x, i * drawn.Length * sizeof(double), drawn.Length * sizeof(double));
        }

        return x;
    }
}
