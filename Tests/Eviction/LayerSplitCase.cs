using FsCheck;
using FsCheck.Fluent;

namespace KvIL.Tests.Eviction;

/// <summary>Layers or heads with weights: rows of each in the order given, a capacity and a total.</summary>
public sealed record LayerSplitCase(int[] Capacities, int Least, int Seed)
{
    public int Layers => Capacities.Length;

    public int Rows => Capacities.Sum();

    /// <summary>Up to five layers of up to nine rows.</summary>
    public static Arbitrary<LayerSplitCase> Cases { get; } = Of(5, 9);

    /// <summary>At most 4 layers of 4 rows: small enough to try every split.</summary>
    public static Arbitrary<LayerSplitCase> Tiny { get; } = Of(4, 4);

    /// <summary>Importance of every row of every layer, largest first; some layers nearly flat, some nearly one-hot.</summary>
    public long[][] RowWeights()
    {
        var random = new Random(Seed);
        return [.. Capacities.Select(n =>
        {
            double power = 1 + (6 * random.NextDouble());
            return Enumerable.Range(0, n).Select(_ => 1 + (long)(1000 * Math.Pow(random.NextDouble(), power))).OrderDescending().ToArray();
        })];
    }

    /// <summary>One weight for every layer, with ties.</summary>
    public long[] Weights()
    {
        var random = new Random(Seed);
        return [.. Capacities.Select(_ => (long)random.GetItems([1, 1, 2, 3, 7, 50, 1 << 20], 1)[0])];
    }

    public override string ToString() => $"[{string.Join(' ', Capacities)}] least {Least} seed {Seed}";

    private static Arbitrary<LayerSplitCase> Of(int layers, int rows) => Arb.From(
        from l in Gen.Choose(1, layers)
        from n in Gen.Choose(1, rows).ArrayOf(l)
        from least in Gen.Choose(0, 2)
        from seed in Gen.Choose(0, 1 << 20)
        select new LayerSplitCase(n, least, seed), Shrink);

    private static IEnumerable<LayerSplitCase> Shrink(LayerSplitCase c)
    {
        if (c.Layers > 1) yield return c with { Capacities = c.Capacities[1..] };
        for (int l = 0; l < c.Layers; l++)
        {
            int[] fewer = [.. c.Capacities];
            if (--fewer[l] > 0) yield return c with { Capacities = fewer };
        }

        if (c.Least > 0) yield return c with { Least = c.Least - 1 };
        if (c.Seed > 0) yield return c with { Seed = c.Seed / 2 };
    }
}
