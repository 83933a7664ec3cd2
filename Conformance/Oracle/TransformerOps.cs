using KvIL.Ops;
using static KvIL.Conformance.Oracle.OracleOps;

namespace KvIL.Conformance.Oracle;

/// <summary>Definitions of the transformer's ops other than attention.</summary>
internal static class TransformerOps
{
    // y[i, :] = table[tokens[i], :]
    public static void Embed(EmbedOp op, OracleFrame f)
    {
        Matrix table = f.Reals(op.Table);
        ArraySegment<int> tokens = f.Integers(op.Tokens);
        f.Reals(op.Y).Fill((i, k) => table[tokens[i], k]);
    }

    // y[i, :] = weight · x[i, :] / √(mean(x[i, :]²) + ε)
    public static void RmsNorm(RmsNormOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X), weight = f.Reals(op.Weight), y = f.Reals(op.Y);
        double[] root = new double[x.Rows];
        for (int i = 0; i < x.Rows; i++)
        {
            root[i] = Math.Sqrt((Sum(x.Width, k => x[i, k] * x[i, k]) / x.Width) + op.Epsilon);
        }

        y.Fill((i, k) => weight[k] * x[i, k] / root[i]);
    }

    // y[i, o] = Σ_k x[i, k] · weight[o, k] (+ bias[o])
    public static void Linear(LinearOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X), weight = f.Reals(op.Weight);
        Matrix? bias = op.Bias is null ? null : f.Reals(op.Bias);
        f.Reals(op.Y).Fill((i, o) => Sum(x.Width, k => x[i, k] * weight[o, k]) + (bias?[o] ?? 0));
    }

    // y[i, f] = cos(positions[i] · ω_f)      y[i, F + f] = sin(positions[i] · ω_f)
    public static void Rotation(RotationOp op, OracleFrame f)
    {
        ArraySegment<int> positions = f.Integers(op.Positions);
        int frequencies = op.Frequencies.Length;
        f.Reals(op.Y).Fill((i, k) => k < frequencies
            ? Math.Cos(positions[i] * op.Frequencies[k])
            : Math.Sin(positions[i] * op.Frequencies[k - frequencies]));
    }

    // y_f = x_f cos − x_{F+f} sin      y_{F+f} = x_{F+f} cos + x_f sin      y_c = x_c for c ≥ 2F
    public static void Rope(RopeOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X), rotation = f.Reals(op.Rotation);
        int half = rotation.Width / 2;
        f.Reals(op.Y).Fill((i, k) => (k % op.HeadDim) switch
        {
            int c when c < half => (x[i, k] * rotation[i, c]) - (x[i, k + half] * rotation[i, half + c]),
            int c when c < 2 * half => (x[i, k] * rotation[i, c - half]) + (x[i, k - half] * rotation[i, c]),
            _ => x[i, k],
        });
    }

    // y = a + b
    public static void Add(AddOp op, OracleFrame f)
    {
        Matrix a = f.Reals(op.A), b = f.Reals(op.B);
        f.Reals(op.Y).Fill((i, k) => a[i, k] + b[i, k]);
    }

    // y = silu(gate) · up      silu(x) = x / (1 + exp(−x))
    public static void SwiGlu(SwiGluOp op, OracleFrame f)
    {
        Matrix gate = f.Reals(op.Gate), up = f.Reals(op.Up);
        f.Reals(op.Y).Fill((i, k) => gate[i, k] / (1 + Math.Exp(-gate[i, k])) * up[i, k]);
    }

    // y[i, :] = x[rows[i], :]
    public static void GatherRows(GatherRowsOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X);
        ArraySegment<int> rows = f.Integers(op.Rows);
        f.Reals(op.Y).Fill((i, k) => x[rows[i], k]);
    }
}
