using KvIL.Plans;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Quantization;

/// <summary>Which inputs of a plan may be quantised.</summary>
public sealed class PlanTests
{
    private static readonly PlanBuilder s_builder = new();
    private static readonly Slot s_x = s_builder.Input("x", new TensorSpec(DType.F32, 2, 96));

    [Fact]
    public void Matrices_may()
    {
        Assert.Equal("F32[2, 5]", s_builder.Linear(s_x, s_builder.Input("w", new TensorSpec(DType.Q4_0, 5, 96))).Spec.ToString());
        Slot tokens = s_builder.Input("tokens", new TensorSpec(DType.I32, 2));
        Assert.Equal("F32[2, 256]", s_builder.Embed(s_builder.Input("table", new TensorSpec(DType.Q6_K, 5, 256)), tokens).Spec.ToString());
    }

    [Fact]
    public void Rows_must_be_whole_blocks()
    {
        ArgumentException refusal = Assert.Throws<ArgumentException>(
            () => s_builder.Linear(s_x, s_builder.Input("k", new TensorSpec(DType.Q4_K, 5, 96))));
        Assert.StartsWith("expected rows of whole blocks of 256 elements, got Q4_K[5, 96].", refusal.Message);
    }

    [Fact]
    public void Vectors_must_not()
    {
        Slot vector = s_builder.Input("norm", new TensorSpec(DType.Q8_0, 96));
        ArgumentException refusal = Assert.Throws<ArgumentException>(() => s_builder.RmsNorm(s_x, vector, 1e-5f));
        Assert.StartsWith("expected F32, F16 or BF16 (only matrices may be quantised), got Q8_0[96].", refusal.Message);
        Slot bias = s_builder.Input("bias", new TensorSpec(DType.Q8_0, 32)), weight = s_builder.Input("v", new TensorSpec(DType.F32, 32, 96));
        Assert.Throws<ArgumentException>(() => s_builder.Linear(s_x, weight, bias));
    }
}
