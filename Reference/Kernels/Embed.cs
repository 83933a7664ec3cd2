using KvIL.Ops;
using KvIL.Reference.Simd;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary><c>y[i, :] = table[tokens[i], :]</c>.</summary>
internal sealed unsafe class EmbedStep(EmbedOp op) : Step
{
    private readonly int _width = op.Table.Tensor.Shape[1].Max;
    private readonly int _vocabulary = op.Table.Tensor.Shape[0].Max;

    public override void Run(Frame f)
    {
        DType type = op.Table.Tensor.Type;
        byte* table = f.Raw(op.Table);
        int* tokens = f.I32(op.Tokens);
        float* y = f.F32(op.Y);
        int n = f.Value(op.Y.Tensor.Shape[0]);
        for (int i = 0; i < n; i++)
        {
            if ((uint)tokens[i] >= (uint)_vocabulary)
            {
                throw new ArgumentException($"Token {tokens[i]} is outside the vocabulary of {_vocabulary}.");
            }

            WeightRows.Widen(type, table + type.SizeBytes((long)tokens[i] * _width), y + ((long)i * _width), _width);
        }
    }
}

/// <summary><c>y[i, :] = x[rows[i], :]</c>.</summary>
internal sealed unsafe class GatherRowsStep(GatherRowsOp op) : Step
{
    private readonly int _width = op.Y.Tensor.Shape[1].Max;

    public override void Run(Frame f)
    {
        float* x = f.F32(op.X);
        int* rows = f.I32(op.Rows);
        float* y = f.F32(op.Y);
        int m = f.Value(op.Y.Tensor.Shape[0]);
        for (int i = 0; i < m; i++)
        {
            new ReadOnlySpan<float>(x + ((long)rows[i] * _width), _width).CopyTo(new Span<float>(y + ((long)i * _width), _width));
        }
    }
}
