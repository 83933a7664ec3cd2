using FsCheck;
using FsCheck.Fluent;
using KvIL.Reference.Simd;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Quantization;

/// <summary>Weights that a kernel dequantises in registers have the bits of the scalar definition, for any bytes at any address.</summary>
public sealed unsafe class WideningLaws
{
    public static TheoryData<DType> Types => QuantizedBytes.Types;

    // A seed, a number of blocks and how far from an aligned address they lie.
    private static Arbitrary<(int Seed, int Blocks, int Offset)> Cases { get; } = Arb.From(
        from seed in Gen.Choose(0, int.MaxValue)
        from blocks in Gen.Choose(1, 4)
        from offset in Gen.Choose(0, 33)
        select (Seed: seed, Blocks: blocks, Offset: offset),
        c => c.Blocks > 1 ? [(c.Seed, 1, c.Offset), (c.Seed, c.Blocks, 0)] : []);

    [Theory]
    [MemberData(nameof(Types))]
    public void Any_bytes_widen_to_the_bits_of_the_definition(DType type) => Prop.ForAll(Cases, c =>
    {
        byte[] bytes = new byte[c.Offset + (c.Blocks * type.BlockBytes())];
        new Random(c.Seed).NextBytes(bytes);
        Same(type, bytes, c.Offset, Definition);
    }).Check(Properties.Config(300));

    [Theory]
    [MemberData(nameof(Types))]
    public void Scales_at_the_edges_too(DType type) => Same(type, QuantizedBytes.WithEdgeScales(type, 64), 0, Definition);

    /// <summary>The law tells right from wrong definitions.</summary>
    [Theory]
    [MemberData(nameof(Mutants))]
    public void Mutant_is_caught(string name)
    {
        DequantizationMutant mutant = DequantizationMutants.All.Single(m => m.Name == name);
        Assert.ThrowsAny<Exception>(() => Same(mutant.Type, QuantizedBytes.WithEdgeScales(mutant.Type, 80), 0, mutant.ToFloat32));
    }

    public static TheoryData<string> Mutants => [.. DequantizationMutants.All.Select(m => m.Name)];

    private static float[] Definition(DType type, byte[] blocks)
    {
        float[] weights = new float[blocks.Length / type.BlockBytes() * type.BlockElements()];
        Dequantization.ToFloat32(type, blocks, weights);
        return weights;
    }

    private static void Same(DType type, byte[] bytes, int offset, Func<DType, byte[], float[]> definition)
    {
        float[] expected = definition(type, bytes[offset..]), actual = new float[expected.Length];
        fixed (byte* source = bytes)
        fixed (float* destination = actual)
        {
            WeightRows.Widen(type, source + offset, destination, actual.Length);
        }

        Assert.Equal(expected.Select(QuantizedBytes.Bits), actual.Select(QuantizedBytes.Bits));
    }
}
