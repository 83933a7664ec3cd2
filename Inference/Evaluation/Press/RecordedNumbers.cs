using System.Globalization;
using KvIL.Inference.Runtime;

namespace KvIL.Inference.Evaluation.Press;

/// <summary>Recorded numbers against computed ones.</summary>
internal static class RecordedNumbers
{
    // Of the largest score of a row; the largest seen between two evaluations is a quarter of it.
    private const double ScoreTolerance = 2e-5;

    /// <summary>The first difference of some logits beyond a tolerance; null for none.</summary>
    /// <param name="what">What they are, for the message.</param>
    /// <param name="recorded">The recorded logits.</param>
    /// <param name="row">The row of them.</param>
    /// <param name="logits">All logits, computed.</param>
    /// <param name="tolerance">The largest difference allowed.</param>
    /// <param name="largest">Raised to the largest difference.</param>
    public static string? Logits(string what, RecordedLogits recorded, int row, ReadOnlySpan<float> logits, double tolerance, ref double largest)
    {
        string? first = null;
        HashSet<int> named = [];
        for (int i = row * recorded.Top; i < (row + 1) * recorded.Top; i++)
        {
            int id = recorded.Ids[i];
            named.Add(id);
            if ((uint)id >= (uint)logits.Length)
            {
                return $"{what}: token {id} is recorded, which the model does not have";
            }

            first ??= Near($"{what}, token {id}", recorded.Values[i], logits[id], tolerance, ref largest);
        }

        // No other token may be above the smallest of those named.
        float least = recorded.Values[((row + 1) * recorded.Top) - 1];
        for (int id = 0; id < logits.Length && first is null; id++)
        {
            first = logits[id] > least + tolerance && !named.Contains(id) ? $"{what}: token {id} has {N(logits[id])}, above the recorded {N(least)} of the last one named" : null;
        }

        return first ?? Near($"{what}, log of the sum", recorded.Lse[row], LogProbability.LogSumExp(logits), tolerance, ref largest);
    }

    /// <summary>A difference beyond a tolerance; null for none.</summary>
    public static string? Near(string what, double recorded, double computed, double tolerance, ref double largest)
    {
        double difference = Math.Abs(recorded - computed);
        largest = Math.Max(largest, double.IsNaN(difference) ? double.PositiveInfinity : difference);
        return difference <= tolerance ? null : $"{what}: recorded {N(recorded)}, computed {N(computed)}, {N(tolerance)} allowed";
    }

    /// <summary>The first score of a layer that differs by more than rounding; null for none.</summary>
    /// <remarks>Rows that are always kept have no score. LagKV's are ranks inside a block, of which neighbours may change places.</remarks>
    /// <param name="method">The method.</param>
    /// <param name="trace">What the engine saw.</param>
    /// <param name="layer">The layer, for the message.</param>
    /// <param name="recorded">Scores by head, <c>[kv_heads, tokens]</c>.</param>
    /// <param name="largest">Raised to the largest difference as a share of the row's largest score.</param>
    public static string? Scores(PressMethod method, EvictionTrace trace, int layer, ReadOnlySpan<float> recorded, ref double largest)
    {
        int tokens = recorded.Length / trace.Scores.Length;
        (int sinks, int window) = method.Policy.Protected(tokens);
        for (int head = 0; head < trace.Scores.Length; head++)
        {
            ReadOnlySpan<float> row = recorded.Slice(head * tokens, tokens)[sinks..^window];
            ReadOnlySpan<float> own = trace.Scores[head].AsSpan()[sinks..^window];
            double scale = 0;
            foreach (float score in row)
            {
                scale = Math.Max(scale, Math.Abs(score));
            }

            double tolerance = method.Lag is int lag ? (1.0 / lag) + ScoreTolerance : ScoreTolerance * scale;
            for (int i = 0; i < row.Length; i++)
            {
                double difference = Math.Abs((double)row[i] - own[i]);
                largest = Math.Max(largest, difference / scale);
                if (!(difference <= tolerance))
                {
                    return $"scores of layer {layer}, head {head}, position {sinks + i}: recorded {N(row[i])}, computed {N(own[i])}, {N(tolerance)} allowed";
                }
            }
        }

        return null;
    }

    /// <summary><c>KL(p ‖ q) = Σ p (log p − log q)</c> of two rows of logits.</summary>
    public static double Divergence(ReadOnlySpan<float> p, ReadOnlySpan<float> q)
    {
        (double normalizerP, double normalizerQ) = (LogProbability.LogSumExp(p), LogProbability.LogSumExp(q));
        double sum = 0;
        for (int i = 0; i < p.Length; i++)
        {
            double log = p[i] - normalizerP;
            sum += Math.Exp(log) * (log - (q[i] - normalizerQ));
        }

        return sum;
    }

    /// <summary>Index of the largest, the first of equals.</summary>
    public static int Best(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
        {
            best = logits[i] > logits[best] ? i : best;
        }

        return best;
    }

    public static string N(double value) => value.ToString("G6", CultureInfo.InvariantCulture);
}
