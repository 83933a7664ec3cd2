namespace KvIL.Inference.Evaluation;

/// <summary>Probabilities from logits, in double precision.</summary>
public static class LogProbability
{
    /// <summary><c>log Σ exp(z)</c>, with the largest logit taken out first, so that nothing overflows.</summary>
    /// <remarks>NaN where a logit is NaN.</remarks>
    /// <param name="logits">At least one.</param>
    public static double LogSumExp(ReadOnlySpan<float> logits)
    {
        double largest = double.NegativeInfinity;
        foreach (float logit in logits)
        {
            largest = Math.Max(largest, logit);
        }

        double sum = 0;
        foreach (float logit in logits)
        {
            sum += Math.Exp(logit - largest);
        }

        return largest + Math.Log(sum);
    }

    /// <summary><c>log p = z − log Σ exp(z)</c> of every token.</summary>
    public static double[] Of(ReadOnlySpan<float> logits)
    {
        double normalizer = LogSumExp(logits);
        double[] result = new double[logits.Length];
        for (int i = 0; i < result.Length; i++)
        {
            result[i] = logits[i] - normalizer;
        }

        return result;
    }
}
