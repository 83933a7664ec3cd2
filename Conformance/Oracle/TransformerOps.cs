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

    // y = (offset + weight) · x / √(mean(x²) + ε), in groups of the weight's width
    public static void RmsNorm(RmsNormOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X), weight = f.Reals(op.Weight), y = f.Reals(op.Y);
        int width = f.Value(op.Weight.Tensor.Shape[0]), groups = x.Width / width;
        double[,] root = new double[x.Rows, groups];
        foreach ((int i, int g) in CacheOps.Pairs(x.Rows, groups))
        {
            root[i, g] = Math.Sqrt((Sum(width, k => x[i, (g * width) + k] * x[i, (g * width) + k]) / width) + op.Epsilon);
        }

        y.Fill((i, k) => (op.WeightOffset + weight[k % width]) * x[i, k] / root[i, k / width]);
    }

    // y = x / √(mean(x²) + ε), in groups of the width
    public static void UnitNorm(UnitNormOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X);
        double[,] root = new double[x.Rows, x.Width / op.Width];
        foreach ((int i, int g) in CacheOps.Pairs(x.Rows, x.Width / op.Width))
        {
            double square = Sum(op.Width, k => x[i, (g * op.Width) + k] * x[i, (g * op.Width) + k]);
            root[i, g] = Math.Sqrt((square / op.Width) + op.Epsilon);
        }

        f.Reals(op.Y).Fill((i, k) => x[i, k] / root[i, k / op.Width]);
    }

    // y[i, k] = weight[k mod width] · x[i, k]
    public static void Gain(GainOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X), weight = f.Reals(op.Weight);
        int width = f.Value(op.Weight.Tensor.Shape[0]);
        f.Reals(op.Y).Fill((i, k) => weight[k % width] * x[i, k]);
    }

    // y[i, o] = Σ_k x[i, k] · weight[o, k] (+ bias[o])
    public static void Linear(LinearOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X), weight = f.Reals(op.Weight);
        Matrix? bias = op.Bias is null ? null : f.Reals(op.Bias);
        f.Reals(op.Y).Fill((i, o) => Sum(x.Width, k => x[i, k] * weight[o, k]) + (bias?[o] ?? 0));
    }

    // y[i, f] = m cos(positions[i] · ω_f)      y[i, F + f] = m sin(positions[i] · ω_f)
    public static void Rotation(RotationOp op, OracleFrame f)
    {
        ArraySegment<int> positions = f.Integers(op.Positions);
        int frequencies = op.Frequencies.Length;
        f.Reals(op.Y).Fill((i, k) => op.Factor * (k < frequencies
            ? Math.Cos(positions[i] * op.Frequencies[k])
            : Math.Sin(positions[i] * op.Frequencies[k - frequencies])));
    }

    // y_f = a_f cos − b_f sin      y_{F+f} = b_f cos + a_f sin      y_c = x_c for c ≥ 2F
    // a_f = x_f, b_f = x_{F+f}; interleaved a_f = x_{2f}, b_f = x_{2f+1}
    public static void Rope(RopeOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X), rotation = f.Reals(op.Rotation);
        int half = rotation.Width / 2;
        double A(int i, int head, int p) => x[i, head + (op.Interleaved ? 2 * p : p)];
        double B(int i, int head, int p) => x[i, head + (op.Interleaved ? (2 * p) + 1 : half + p)];
        f.Reals(op.Y).Fill((i, k) =>
        {
            int c = k % op.HeadDim, head = k - c, p = c < half ? c : c - half;
            if (c >= 2 * half) return x[i, k];
            (double cos, double sin) = (rotation[i, p], rotation[i, half + p]);
            return c < half ? (A(i, head, p) * cos) - (B(i, head, p) * sin) : (B(i, head, p) * cos) + (A(i, head, p) * sin);
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

    // y = gelu(gate) · up      gelu(x) = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))
    public static void GeGlu(GeGluOp op, OracleFrame f)
    {
        Matrix gate = f.Reals(op.Gate), up = f.Reals(op.Up);
        f.Reals(op.Y).Fill((i, k) =>
        {
            double x = gate[i, k], u = Math.Sqrt(2 / Math.PI) * (x + (0.044715 * x * x * x));
            return x / (1 + Math.Exp(-2 * u)) * up[i, k]; // (1 + tanh u)/2, which would cancel for negative u
        });
    }

    // y = factor · x
    public static void Scale(ScaleOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X);
        f.Reals(op.Y).Fill((i, k) => op.Factor * x[i, k]);
    }

    // y = c · tanh(x / c)
    public static void SoftCap(SoftCapOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X);
        f.Reals(op.Y).Fill((i, k) => op.Cap * Math.Tanh(x[i, k] / op.Cap));
    }

    // y[i, :] = x[rows[i], :]
    public static void GatherRows(GatherRowsOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X);
        ArraySegment<int> rows = f.Integers(op.Rows);
        f.Reals(op.Y).Fill((i, k) => x[rows[i], k]);
    }
}
