using System.Collections.Immutable;
using KvIL.Gpu.Kernels;
using KvIL.Plans;
using KvIL.Tensors;
using KvIL.Tests.Gpu.Support;
using Xunit;

namespace KvIL.Tests.Gpu;

/// <summary>The ops of the transformer against Reference, and the arithmetic that kernels share against .NET's.</summary>
public sealed class TransformerTests(Devices devices) : IClassFixture<Devices>
{
    [Theory]
    [InlineData(DType.F32)]
    [InlineData(DType.F16)]
    [InlineData(DType.BF16)]
    public void Embed_widens_exactly(DType type)
    {
        PlanBuilder b = new();
        Slot table = b.Input("table", new TensorSpec(type, 11, 37)), tokens = b.Input("tokens", new TensorSpec(DType.I32, 4));
        Slot y = b.Output(b.Embed(table, tokens));
        Given given = new() { Inputs = { [table] = Draw.Coarse(new(1), 11 * 37), [tokens] = new[] { 10, 0, 3, 3 } } };
        (Results expected, Results actual) = devices.Run(b.Build("embed"), given);
        Same.Values("embedding", expected.Floats(y), actual.Floats(y));
        Assert.Equal(((float[])given.Inputs[table])[10 * 37], actual.Floats(y)[0]);
    }

    [Fact]
    public void A_token_outside_the_vocabulary_is_a_fault()
    {
        PlanBuilder b = new();
        Slot table = b.Input("table", new TensorSpec(DType.F32, 3, 2)), tokens = b.Input("tokens", new TensorSpec(DType.I32, 1));
        b.Output(b.Embed(table, tokens));
        Given given = new() { Inputs = { [table] = new float[6], [tokens] = new[] { 3 } } };
        Assert.Throws<KvIL.Backends.DeviceFaultException>(() => PlanRun.On(devices.Gpu, b.Build("embed"), given));
    }

    [Fact]
    public void GatherRows_copies()
    {
        PlanBuilder b = new();
        Slot x = b.Input("x", new TensorSpec(DType.F32, 5, 9)), rows = b.Input("rows", new TensorSpec(DType.I32, 2));
        Slot y = b.Output(b.GatherRows(x, rows));
        Given given = new() { Inputs = { [x] = Draw.Normals(new(1), 45), [rows] = new[] { 4, 1 } } };
        (Results expected, Results actual) = devices.Run(b.Build("gather"), given);
        Same.Values("rows", expected.Floats(y), actual.Floats(y));
    }

    [Theory]
    [InlineData(DType.F32, 64)]
    [InlineData(DType.BF16, 100)]
    [InlineData(DType.F16, 3)]
    public void RmsNorm_agrees_within_the_bound_of_a_sum_of_squares(DType type, int width)
    {
        PlanBuilder b = new();
        Slot x = b.Input("x", new TensorSpec(DType.F32, 3, width)), weight = b.Input("weight", new TensorSpec(type, width));
        Slot y = b.Output(b.RmsNorm(x, weight, 1e-5f));
        Given given = new() { Inputs = { [x] = Draw.Normals(new(2), 3 * width), [weight] = Draw.Coarse(new(3), width) } };
        (Results expected, Results actual) = devices.Run(b.Build("norm"), given);

        // Squares do not cancel: γ_n relative, halved by the root; then division, ε, root, inverse and two products.
        double relative = (2 * Bounds.Gamma(width) / 2) + (12 * Bounds.U);
        Same.Within("norm", expected.Floats(y), actual.Floats(y), i => relative * Math.Abs(expected.Floats(y)[i]));
    }

    [Theory]
    [InlineData(DType.F32, 1, 70, 33, false)]
    [InlineData(DType.F16, 3, 40, 5, true)]
    [InlineData(DType.BF16, 2, 64, 9, true)]
    [InlineData(DType.F32, 17, 33, 34, true)]
    [InlineData(DType.BF16, 9, 65, 31, false)]
    public void Linear_agrees_within_the_bound_of_a_dot(DType type, int n, int inputs, int outputs, bool biased)
    {
        Random random = new(n);
        PlanBuilder b = new();
        Slot x = b.Input("x", new TensorSpec(DType.F32, n, inputs)), weight = b.Input("weight", new TensorSpec(type, outputs, inputs));
        Slot? bias = biased ? b.Input("bias", new TensorSpec(type, outputs)) : null;
        Slot y = b.Output(b.Linear(x, weight, bias));
        float[] xs = Draw.Normals(random, n * inputs);
        float[] weights = Draw.Coarse(random, outputs * inputs);
        float[] biases = Draw.Coarse(random, outputs);
        Given given = new() { Inputs = { [x] = xs, [weight] = weights } };
        if (bias is not null) given.Inputs[bias] = biases;
        (Results expected, Results actual) = devices.Run(b.Build("linear"), given);
        Same.Within("product", expected.Floats(y), actual.Floats(y), i => Bounds.Dots(
            inputs + 1,
            ScoreTests.Terms(xs.AsSpan(i / outputs * inputs, inputs), weights.AsSpan(i % outputs * inputs, inputs)) + Math.Abs(biases[i % outputs])));
    }

    [Fact]
    public void Rotation_is_within_an_ulp_of_the_double_at_any_position()
    {
        int[] positions = [0, 1, 2, 3, 100, 4095, 131071, 1_000_003];
        ImmutableArray<double> frequencies = [1.0, 0.5, 1e-2, 3.1e-5, Math.PI / 4, Math.PI / 2];
        PlanBuilder b = new();
        Slot at = b.Input("positions", new TensorSpec(DType.I32, positions.Length));
        Slot y = b.Output(b.Rotation(at, frequencies));
        (Results expected, Results actual) = devices.Run(b.Build("rotation"), new() { Inputs = { [at] = positions } });

        // Each side rounds a double once. Next to a zero of sine or cosine the double itself is as exact as the angle: 2⁻⁵² of it.
        Same.Within("rotation", expected.Floats(y), actual.Floats(y), i =>
            (2 * Bounds.U * Math.Abs(expected.Floats(y)[i]))
            + (2 * Math.ScaleB(positions[i / 12] * frequencies[i % 6], -52)));
    }

    [Fact]
    public void Rope_rotates_every_head_and_passes_the_rest()
    {
        Random random = new(4);
        PlanBuilder b = new();
        Slot x = b.Input("x", new TensorSpec(DType.F32, 3, 2 * 10)), rotation = b.Input("rotation", new TensorSpec(DType.F32, 3, 8));
        Slot y = b.Output(b.Rope(x, rotation, 10));
        float[] xs = Draw.Normals(random, 60);
        float[] rotations = Draw.Coarse(random, 24);
        (Results expected, Results actual) = devices.Run(b.Build("rope"), new() { Inputs = { [x] = xs, [rotation] = rotations } });
        Same.Within("rotated", expected.Floats(y), actual.Floats(y), i => i % 10 >= 8 ? 0 : Bounds.Dots(2, 2 * 4 * xs.Max(Math.Abs)));
    }

    [Fact]
    public void Add_and_SwiGlu_agree()
    {
        Random random = new(5);
        float[] gates = [.. Draw.Normals(random, 2 * 150), -90f, 90f, -200f, 0f];
        float[] ups = Draw.Normals(random, gates.Length);
        PlanBuilder b = new();
        Slot gate = b.Input("gate", new TensorSpec(DType.F32, 2, gates.Length / 2)), up = b.Input("up", new TensorSpec(DType.F32, 2, gates.Length / 2));
        Slot sum = b.Output(b.Add(gate, up)), y = b.Output(b.SwiGlu(gate, up));
        (Results expected, Results actual) = devices.Run(b.Build("elementwise"), new() { Inputs = { [gate] = gates, [up] = ups } });
        Same.Values("sum", expected.Floats(sum), actual.Floats(sum));

        // exp, a sum, a division and a product on each side.
        Same.Within("gated", expected.Floats(y), actual.Floats(y), i => 2 * (Bounds.Exp + (3 * Bounds.U)) * Math.Abs(expected.Floats(y)[i]));
    }

    [Fact]
    public void Exp_is_within_two_ulp_and_keeps_NaN()
    {
        for (int i = -90_000; i <= 89_000; i += 7)
        {
            float x = i / 1000f;
            double exact = Math.Exp(x);
            float actual = GpuMath.Exp(x);
            if (x < -87.33654f) Assert.Equal(0, actual);
            else if (x > 88.72283f) Assert.Equal(float.PositiveInfinity, actual);
            else Assert.True(Math.Abs(actual - exact) <= Bounds.Exp * exact, $"exp({x:R}) = {exact:R}, got {actual:R}");
        }

        Assert.True(float.IsNaN(GpuMath.Exp(float.NaN)));
        Assert.Equal(0, GpuMath.Exp(float.NegativeInfinity));
    }

    [Fact]
    public void Half_rounds_to_the_nearest_even_as_NET_does()
    {
        for (int bits = 0; bits < 1 << 16; bits++)
        {
            Half half = BitConverter.UInt16BitsToHalf((ushort)bits);
            if (Half.IsNaN(half)) continue;
            float value = (float)half;
            ILGPU.Half stored = F16.Store(value);
            Assert.Equal(value, F16.Load(stored));
            foreach (float near in (ReadOnlySpan<float>)[Between(half), MathF.BitIncrement(Between(half)), MathF.BitDecrement(Between(half))])
            {
                Assert.Equal((float)(Half)near, F16.Load(F16.Store(near)));
            }
        }

        Assert.True(float.IsNaN(F16.Load(F16.Store(float.NaN))));
        Assert.Equal(float.PositiveInfinity, F16.Load(F16.Store(65520f)));
    }

    // The middle between a half and the next one: a tie.
    private static float Between(Half half)
    {
        Half next = Half.BitIncrement(half);
        return Half.IsFinite(half) && Half.IsFinite(next) ? ((float)half + (float)next) / 2 : (float)half;
    }
}
