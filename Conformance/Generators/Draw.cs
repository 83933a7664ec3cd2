using System.Collections.Immutable;

namespace KvIL.Conformance.Generators;

/// <summary>What numbers a case is made of.</summary>
public enum ValueKind
{
    /// <summary>Standard normal.</summary>
    Normal,

    /// <summary>Normal times 1000.</summary>
    Large,

    /// <summary>Integers from −2 to 2, so that many are equal.</summary>
    Ties,

    /// <summary>Normal, with a NaN, an infinity or a signed zero in one place of four. For scores only.</summary>
    Specials,
}

/// <summary>Random sizes around the edges that matter, and random data.</summary>
internal static class Draw
{
    private static readonly ImmutableArray<double> _specials =
        [double.NaN, double.PositiveInfinity, double.NegativeInfinity, -0.0, 0.0];

    /// <summary>One of the given values.</summary>
    public static T Of<T>(this Random random, params ReadOnlySpan<T> values) => values[random.Next(values.Length)];

    /// <summary>Extents around vector widths.</summary>
    public static int Extent(this Random random) => random.Of(1, 2, 3, 7, 8, 9, 16, 31, 32, 33, 64, 65, 80, 128, 129);

    /// <summary>Numbers of tokens.</summary>
    public static int Tokens(this Random random) => random.Of(1, 2, 3, 7, 8, 9);

    /// <summary>Lengths of a run, none included.</summary>
    public static int Length(this Random random) => random.Of(0, 1, 2, 7, 8, 9, 31, 32, 33, 64, 65, 100, 130);

    /// <summary>Channels of a head.</summary>
    public static int HeadDim(this Random random) => random.Of(2, 8, 32, 64, 80, 128);

    /// <summary>Data of one tensor; <paramref name="stream"/> numbers the tensors of a case.</summary>
    public static double[] Values(int seed, int stream, int count, ValueKind kind)
    {
        Random random = new(HashCode(seed, stream));
        double[] values = new double[count];
        for (int i = 0; i < count; i++)
        {
            values[i] = kind switch
            {
                ValueKind.Normal => Normal(random),
                ValueKind.Large => 1000 * Normal(random),
                ValueKind.Ties => random.Next(-2, 3),
                ValueKind.Specials => random.Next(4) == 0 ? _specials[random.Next(_specials.Length)] : Normal(random),
                _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "Unknown kind of values."),
            };
        }

        return values;
    }

    /// <summary>Integers from 0 to <paramref name="limit"/> − 1.</summary>
    public static int[] Integers(int seed, int stream, int count, int limit)
    {
        Random random = new(HashCode(seed, stream));
        return [.. Enumerable.Range(0, count).Select(_ => random.Next(limit))];
    }

    /// <summary><paramref name="count"/> distinct integers below <paramref name="limit"/>, ascending.</summary>
    public static int[] Ascending(int seed, int stream, int count, int limit)
    {
        int[] all = [.. Enumerable.Range(0, limit)];
        new Random(HashCode(seed, stream)).Shuffle(all);
        return [.. all.Take(count).Order()];
    }

    // Box and Muller; 1 − u is never 0.
    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    // The same on every machine and in every process, unlike System.HashCode.
    private static int HashCode(int seed, int stream) => unchecked((seed * 31) + (stream * 1_000_003));
}
