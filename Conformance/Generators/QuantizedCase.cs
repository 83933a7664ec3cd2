using System.Buffers.Binary;
using System.Collections.Immutable;
using KvIL.Tensors;

namespace KvIL.Conformance.Generators;

/// <summary>Inputs of an op with a quantised weight.</summary>
/// <param name="N">Rows.</param>
/// <param name="Blocks">Blocks of a row of the weight.</param>
/// <param name="Outputs">Rows of the weight: output channels, or the vocabulary.</param>
/// <param name="Type">Stored type of the weight.</param>
/// <param name="Bias">Whether there is a bias.</param>
/// <param name="Seed">Seed of the data.</param>
public sealed record QuantizedCase(int N, int Blocks, int Outputs, DType Type, bool Bias, int Seed) : ICase<QuantizedCase>
{
    /// <summary>The quantised types.</summary>
    internal static readonly ImmutableArray<DType> QuantizedTypes = [.. Enum.GetValues<DType>().Where(type => type.IsQuantized())];

    /// <summary>Columns.</summary>
    public int Width => Blocks * Type.BlockElements();

    /// <inheritdoc/>
    public static QuantizedCase Generate(Random random)
    {
        DType type = random.Of(QuantizedTypes.AsSpan());
        int blocks = type.BlockElements() == 32 ? random.Of(1, 2, 3, 5, 18) : random.Of(1, 2, 3);
        return new(random.Tokens(), blocks, random.Of(1, 2, 7, 8, 9, 33), type, random.Of(false, true), random.Next());
    }

    /// <inheritdoc/>
    public IEnumerable<QuantizedCase> Shrink()
    {
        if (N > 1) yield return this with { N = N / 2 };
        if (Blocks > 1) yield return this with { Blocks = Blocks / 2 };
        if (Outputs > 1) yield return this with { Outputs = Outputs / 2 };
        if (Bias) yield return this with { Bias = false };
    }

    /// <summary>F32 <c>[n, width]</c>.</summary>
    public HostTensor Rows(int stream) => HostTensor.F32(Draw.Values(Seed, stream, N * Width, ValueKind.Normal), N, Width);

    /// <summary>Type <c>[outputs, width]</c>.</summary>
    public HostTensor Weight(int stream) => Weight(Type, Seed, stream, Outputs, Width);

    /// <summary>A quantised weight: any bytes, with scales and minima up to ±2⁻⁴ and a subnormal one now and then.</summary>
    internal static HostTensor Weight(DType type, int seed, int stream, int rows, int width)
    {
        Random random = new(unchecked((seed * 31) + stream));
        byte[] blocks = new byte[rows * type.SizeBytes(width)];
        random.NextBytes(blocks);
        for (int block = 0; block < blocks.Length; block += type.BlockBytes())
        {
            foreach (int offset in HalfOffsets(type))
            {
                double value = (random.NextDouble() - 0.5) * (random.Next(8) == 0 ? 1e-5 : 0.125);
                BinaryPrimitives.WriteHalfLittleEndian(blocks.AsSpan(block + offset), (Half)value);
            }
        }

        return HostTensor.Quantized(type, blocks, rows, width);
    }

    /// <summary>A bias, F32 <c>[outputs]</c>.</summary>
    public HostTensor BiasValues(int stream) =>
        HostTensor.Weight(DType.F32, Draw.Values(Seed, stream, Outputs, ValueKind.Normal), Outputs);

    /// <summary>I32 <c>[n]</c> in [0, outputs).</summary>
    public HostTensor Indices(int stream) => HostTensor.I32(Draw.Integers(Seed, stream, N, Outputs));

    /// <summary>Where a block of a type holds binary16 numbers: its scale, and its minimum if it has one.</summary>
    internal static ImmutableArray<int> HalfOffsets(DType type) => type switch
    {
        DType.Q8_0 or DType.Q4_0 or DType.Q5_0 => [0],
        DType.Q2_K => [80, 82],
        DType.Q3_K => [108],
        DType.Q6_K => [208],
        _ => [0, 2],
    };
}
