using System.Collections.Immutable;

namespace KvIL.Conformance.Generators;

/// <summary>Inputs of the rotary embedding.</summary>
/// <param name="N">Tokens.</param>
/// <param name="Heads">Heads.</param>
/// <param name="HeadDim">Channels of a head.</param>
/// <param name="Frequencies">F: 2F channels of each head turn.</param>
/// <param name="LastPosition">Positions lie from 0 up to this.</param>
/// <param name="Seed">Seed of the data.</param>
public sealed record RopeCase(int N, int Heads, int HeadDim, int Frequencies, int LastPosition, int Seed) : ICase<RopeCase>
{
    /// <summary>Whether pairs stand side by side in x.</summary>
    public bool Interleaved { get; init; }

    /// <summary>m: the rotations' factor.</summary>
    public double Factor { get; init; } = 1;

    /// <summary>ω_f = 10000^(−f/F).</summary>
    internal ImmutableArray<double> Omega => [.. Enumerable.Range(0, Frequencies).Select(f => Math.Pow(10000, -f / (double)Frequencies))];

    /// <inheritdoc/>
    public static RopeCase Generate(Random random)
    {
        int headDim = random.HeadDim();
        int frequencies = random.Of(headDim / 2, Math.Max(1, headDim / 4));
        return new(random.Tokens(), random.Of(1, 2, 3, 4), headDim, frequencies, random.Of(1, 100, 131_072, 10_000_000), random.Next())
        {
            Interleaved = random.Of(false, true),
            Factor = random.Of(1, 1, 1.1386294361119891, 0.25),
        };
    }

    /// <inheritdoc/>
    public IEnumerable<RopeCase> Shrink()
    {
        if (N > 1) yield return this with { N = N / 2 };
        if (Interleaved) yield return this with { Interleaved = false };
        if (Factor != 1) yield return this with { Factor = 1 };
        if (Heads > 1) yield return this with { Heads = 1 };
        if (Frequencies > 1) yield return this with { Frequencies = Frequencies / 2 };
        if (HeadDim > 2 * Frequencies) yield return this with { HeadDim = 2 * Frequencies };
        if (LastPosition > 1) yield return this with { LastPosition = LastPosition / 2 };
    }

    /// <summary>I32 <c>[n]</c>.</summary>
    public HostTensor Positions() => HostTensor.I32(Draw.Integers(Seed, 0, N, LastPosition + 1));

    /// <summary>F32 <c>[n, heads · head_dim]</c>.</summary>
    public HostTensor X() => HostTensor.F32(Draw.Values(Seed, 1, N * Heads * HeadDim, ValueKind.Normal), N, Heads * HeadDim);

    /// <summary>F32 <c>[n, 2F]</c>: any numbers; the op asks for no rotation.</summary>
    public HostTensor Rotation() => HostTensor.F32(Draw.Values(Seed, 2, N * 2 * Frequencies, ValueKind.Normal), N, 2 * Frequencies);
}
