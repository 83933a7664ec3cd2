using KvIL.Eviction;

namespace KvIL.Conformance.Generators;

/// <summary>A stack of layers and what each may keep on average.</summary>
/// <param name="Layers">L.</param>
/// <param name="Rows">Rows per KV head that a layer keeps on average.</param>
/// <param name="Candidates">n.</param>
/// <param name="Beta">β.</param>
public sealed record LayersCase(int Layers, int Rows, int Candidates, int Beta) : ICase<LayersCase>
{
    /// <inheritdoc/>
    public static LayersCase Generate(Random random)
    {
        int n = random.Next(0, 300);
        return new(random.Of(1, 2, random.Next(1, 41)), random.Next(0, n + 6), n, random.Of(1, 2, 3, 7, 20, 100));
    }

    /// <inheritdoc/>
    public IEnumerable<LayersCase> Shrink()
    {
        if (Layers > 1) yield return this with { Layers = Layers - 1 };
        if (Rows > 0) yield return this with { Rows = Rows - 1 };
        if (Candidates > 0) yield return this with { Candidates = Candidates - 1 };
        if (Beta > 1) yield return this with { Beta = Beta - 1 };
    }
}

/// <summary>A number of rows and a share of it; half of the shares land on or beside a half.</summary>
/// <param name="Rows">n.</param>
/// <param name="Part">Numerator.</param>
/// <param name="Parts">Denominator.</param>
public sealed record ShareCase(int Rows, int Part, int Parts) : ICase<ShareCase>
{
    internal Ratio Share => new(Part, Parts);

    /// <inheritdoc/>
    public static ShareCase Generate(Random random)
    {
        int parts = random.Of(2, 10, 100, 1000, random.Next(1, 50));
        return random.Next(2) == 0 && parts % 2 == 0
            ? new((random.Next(0, 400) * 2) + 1, parts / 2, parts)
            : new(random.Next(0, 5000), random.Next(0, parts + 1), parts);
    }

    /// <inheritdoc/>
    public IEnumerable<ShareCase> Shrink()
    {
        if (Rows > 0) yield return this with { Rows = Rows / 2 };
        if (Part > 0) yield return this with { Part = Part - 1 };
    }
}

/// <summary>Layers or heads with weights, capacities and a least number of rows.</summary>
/// <param name="Capacities">Rows of each.</param>
/// <param name="Least">Rows that each keeps.</param>
/// <param name="Seed">Seed of the weights.</param>
public sealed record SplitCase(int[] Capacities, int Least, int Seed) : ICase<SplitCase>
{
    internal int Rows => Capacities.Sum();

    /// <inheritdoc/>
    public static SplitCase Generate(Random random) =>
        new([.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => random.Next(1, 5))], random.Next(0, 3), random.Next());

    /// <inheritdoc/>
    public IEnumerable<SplitCase> Shrink()
    {
        if (Capacities.Length > 1) yield return this with { Capacities = Capacities[1..] };
        for (int l = 0; l < Capacities.Length; l++)
        {
            int[] fewer = [.. Capacities];
            if (--fewer[l] > 0) yield return this with { Capacities = fewer };
        }

        if (Least > 0) yield return this with { Least = Least - 1 };
    }

    /// <inheritdoc/>
    public override string ToString() => $"[{string.Join(' ', Capacities)}], least {Least}, seed {Seed}";

    /// <summary>Importance of every row, largest first; some layers nearly flat, some nearly one-hot.</summary>
    internal long[][] RowWeights()
    {
        Random random = new(Seed);
        return [.. Capacities.Select(n =>
        {
            double power = 1 + (6 * random.NextDouble());
            return Enumerable.Range(0, n).Select(_ => 1 + (long)(1000 * Math.Pow(random.NextDouble(), power))).OrderDescending().ToArray();
        })];
    }

    /// <summary>One positive weight for each, with ties.</summary>
    internal long[] Weights()
    {
        Random random = new(Seed);
        return [.. Capacities.Select(_ => random.Of(1L, 1, 2, 3, 7, 50, 1 << 20))];
    }
}
