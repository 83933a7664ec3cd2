using KvIL.Ops;

namespace KvIL.Conformance.Theory;

/// <summary>What one layer has cached of a prompt, and the weight that its attention goes through.</summary>
/// <remarks>T tokens at positions 0 to T − 1, h query heads, kv KV heads, G = h/kv, d channels of a head, D channels of the model.</remarks>
/// <param name="QueryHeads">h, a multiple of kv.</param>
/// <param name="KvHeads">kv.</param>
/// <param name="Tokens">T.</param>
/// <param name="HeadDim">d.</param>
/// <param name="Rule">How logits are made and which rows a query sees.</param>
/// <param name="Keys"><c>[kv, T, d]</c> after RoPE.</param>
/// <param name="Values"><c>[kv, T, d]</c>; empty where no loss is asked for.</param>
/// <param name="OutputProjection">W^O <c>[D, h·d]</c>; empty where no loss is asked for.</param>
public sealed record AttentionLayer(
    int QueryHeads, int KvHeads, int Tokens, int HeadDim, AttentionRule Rule, double[] Keys, double[] Values, double[] OutputProjection)
{
    /// <summary>Factor of the logits in double; the rule's float unless said.</summary>
    public double Scale { get; init; } = Rule.Scale;

    /// <summary>G.</summary>
    public int Group => QueryHeads / KvHeads;

    /// <summary>D.</summary>
    public int Width => OutputProjection.Length / (QueryHeads * HeadDim);

    /// <summary>Key of a row.</summary>
    public ReadOnlySpan<double> Key(int kvHead, int row) => Keys.AsSpan(((kvHead * Tokens) + row) * HeadDim, HeadDim);

    /// <summary>Value of a row.</summary>
    public ReadOnlySpan<double> Value(int kvHead, int row) => Values.AsSpan(((kvHead * Tokens) + row) * HeadDim, HeadDim);

    /// <summary>Column block of W^O that reads query head i, at output o: <c>W_i[·, o]</c>.</summary>
    public ReadOnlySpan<double> Projection(int head, int output) =>
        OutputProjection.AsSpan(((output * QueryHeads) + head) * HeadDim, HeadDim);

    /// <summary><c>A_i = softmax_j(s_ij)</c> over the rows that a query at <paramref name="position"/> sees, 0 for the others: <c>[h][T]</c>.</summary>
    /// <param name="query"><c>[h·d]</c> after RoPE.</param>
    /// <param name="position">The query's position.</param>
    public double[][] Attention(ReadOnlySpan<double> query, int position)
    {
        double[][] attention = new double[QueryHeads][];
        for (int i = 0; i < QueryHeads; i++)
        {
            attention[i] = Softmax(Logits(query.Slice(i * HeadDim, HeadDim), i / Group, position));
        }

        return attention;
    }

    /// <summary><c>max_ij scale Σ_c |q_ic k_jc|</c>: what rounding of a logit is relative to (<see cref="Tolerance.AttentionSpread"/>).</summary>
    public double LogitMagnitude(ReadOnlySpan<double> query)
    {
        double largest = 0;
        for (int i = 0; i < QueryHeads; i++)
        {
            for (int j = 0; j < Tokens; j++) largest = Math.Max(largest, AbsoluteDot(query.Slice(i * HeadDim, HeadDim), Key(i / Group, j)));
        }

        return largest * Math.Abs(Scale);
    }

    /// <summary><c>x · y</c>.</summary>
    internal static double Dot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        double sum = 0;
        for (int c = 0; c < x.Length; c++) sum += x[c] * y[c];
        return sum;
    }

    /// <summary><c>Σ |x_c y_c|</c>.</summary>
    internal static double AbsoluteDot(ReadOnlySpan<double> x, ReadOnlySpan<double> y)
    {
        double sum = 0;
        for (int c = 0; c < x.Length; c++) sum += Math.Abs(x[c] * y[c]);
        return sum;
    }

    private double[] Logits(ReadOnlySpan<double> query, int kvHead, int position)
    {
        double[] s = new double[Tokens];
        for (int j = 0; j < Tokens; j++)
        {
            double logit = Scale * Dot(query, Key(kvHead, j));
            bool visible = j <= position - Rule.Lag && j > position - (long)Rule.WindowOrAll;
            s[j] = !visible ? double.NegativeInfinity : Rule.SoftCap is float cap ? cap * Math.Tanh(logit / cap) : logit;
        }

        return s;
    }

    // All rows hidden: no attention.
    private static double[] Softmax(double[] s) => s.Max() == double.NegativeInfinity ? new double[s.Length] : WindowScores.Softmax(s);
}
