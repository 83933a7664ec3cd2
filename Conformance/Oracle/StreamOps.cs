using KvIL.Ops;
using static KvIL.Conformance.Oracle.OracleOps;

namespace KvIL.Conformance.Oracle;

/// <summary>Definitions of the ops that only some models need.</summary>
internal static class StreamOps
{
    // y[i, k] = x[i, first + k]
    public static void Columns(ColumnsOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X);
        f.Reals(op.Y).Fill((i, k) => x[i, op.First + k]);
    }

    // y[i, :] = (x₁[i, :], x₂[i, :], ...)
    public static void Concatenate(ConcatenateOp op, OracleFrame f)
    {
        (int Part, int Column)[] from = [.. op.Parts.SelectMany((part, p) => Enumerable.Range(0, part.Tensor.Shape[1].Max).Select(k => (p, k)))];
        Matrix[] parts = [.. op.Parts.Select(f.Reals)];
        f.Reals(op.Y).Fill((i, k) => parts[from[k].Part][i, from[k].Column]);
    }

    // y_j = Σ_s (offset + c[j·S + s]) x_s
    public static void Mix(MixOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X), c = f.Reals(op.Factors);
        int width = x.Width / op.Streams;
        f.Reals(op.Y).Fill((i, k) => Sum(op.Streams, s => (op.Offset + c[i, (k / width * op.Streams) + s]) * x[i, (s * width) + (k % width)]));
    }

    // y = x · √mean(r²) / √max(mean(x²), floor)
    public static void MatchRms(MatchRmsOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X), reference = f.Reals(op.Reference);
        double MeanSquare(Matrix m, int i) => Sum(m.Width, k => m[i, k] * m[i, k]) / m.Width;
        f.Reals(op.Y).Fill((i, k) => x[i, k] * Math.Sqrt(MeanSquare(reference, i) / Math.Max(MeanSquare(x, i), op.Floor)));
    }

    // y = max(0, x − (μ + m σ))      σ² = mean((x − μ)²)
    public static void Sparsify(SparsifyOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X);
        f.Reals(op.Y).Fill((i, k) =>
        {
            double mean = Sum(x.Width, c => x[i, c]) / x.Width;
            double deviation = Math.Sqrt(Sum(x.Width, c => Math.Pow(x[i, c] - mean, 2)) / x.Width);
            return Math.Max(0, x[i, k] - (mean + (op.Deviations * deviation)));
        });
    }

    // y[i] = tokens[i] below the limit, else 0
    public static void KnownTokens(KnownTokensOp op, OracleFrame f)
    {
        ArraySegment<int> tokens = f.Integers(op.Tokens), y = f.Integers(op.Y);
        for (int i = 0; i < y.Count; i++) y[i] = tokens[i] < op.Limit ? tokens[i] : 0;
    }
}
