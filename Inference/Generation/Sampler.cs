namespace KvIL.Inference.Generation;

/// <summary>How the next token is drawn from the logits.</summary>
public sealed record SamplingOptions
{
    /// <summary>The most likely token, always.</summary>
    public static SamplingOptions Greedy { get; } = new();

    /// <summary>Divides the logits; 0 takes the most likely token.</summary>
    public double Temperature { get; init; }

    /// <summary>Keeps the k most likely tokens; 0 keeps all.</summary>
    public int TopK { get; init; }

    /// <summary>Keeps the fewest most likely tokens whose probabilities sum to at least this (Holtzman et al. 2019, arXiv:1904.09751).</summary>
    public double TopP { get; init; } = 1;

    /// <summary>Keeps tokens at least this share as likely as the most likely one (Nguyen et al. 2024, arXiv:2407.01082).</summary>
    public double MinP { get; init; }

    /// <summary>Seed of the draws: the same seed gives the same text.</summary>
    public int Seed { get; init; }

    /// <summary>Refuses values that mean nothing.</summary>
    /// <exception cref="RequestException">A value is out of range.</exception>
    public void Validate()
    {
        Require(double.IsFinite(Temperature) && Temperature >= 0, $"The temperature is 0 or more, got {Temperature}.");
        Require(TopK >= 0, $"Top-k is 0 (off) or more, got {TopK}.");
        Require(TopP is > 0 and <= 1, $"Top-p is above 0 and at most 1, got {TopP}.");
        Require(MinP is >= 0 and <= 1, $"Min-p is from 0 to 1, got {MinP}.");
    }

    private static void Require(bool condition, string message)
    {
        if (!condition)
        {
            throw new RequestException(message);
        }
    }
}

/// <summary>Draws tokens; drawing allocates nothing.</summary>
/// <remarks>Temperature, then top-k, top-p and min-p on what is left, then one draw in order of likelihood. Ties go to the lower id; NaN counts as −∞.</remarks>
public sealed class Sampler
{
    private readonly SamplingOptions _options;
    private readonly Random _random;
    private readonly int[] _ids;
    private readonly double[] _keys;

    /// <summary>A sampler over a vocabulary.</summary>
    /// <exception cref="RequestException">An option is out of range.</exception>
    public Sampler(SamplingOptions options, int vocabulary)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        _options = options;
        _random = new(options.Seed);
        (_ids, _keys) = options.Temperature == 0 ? ([], []) : (new int[vocabulary], new double[vocabulary]);
    }

    /// <summary>The most likely token: the lowest id among equals.</summary>
    public static int ArgMax(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int id = 1; id < logits.Length; id++)
        {
            if (logits[id] > logits[best] || (float.IsNaN(logits[best]) && !float.IsNaN(logits[id])))
            {
                best = id;
            }
        }

        return best;
    }

    /// <summary>The next token.</summary>
    public int Next(ReadOnlySpan<float> logits)
    {
        if (_options.Temperature == 0)
        {
            return ArgMax(logits);
        }

        int count = Math.Min(_options.TopK == 0 ? logits.Length : _options.TopK, logits.Length);
        Sort(logits);
        double sum = ToWeights(count);
        count = Truncate(count, sum);
        double kept = 0;
        for (int i = 0; i < count; i++)
        {
            kept += _keys[i];
        }

        double draw = _random.NextDouble() * kept;
        for (int i = 0; i < count - 1; i++)
        {
            draw -= _keys[i];
            if (draw < 0)
            {
                return _ids[i];
            }
        }

        return _ids[count - 1];
    }

    // Ids by likelihood; the sort is stable in effect since the id breaks ties.
    private void Sort(ReadOnlySpan<float> logits)
    {
        for (int id = 0; id < logits.Length; id++)
        {
            _ids[id] = id;
            _keys[id] = float.IsNaN(logits[id]) ? double.PositiveInfinity : -logits[id] / _options.Temperature;
        }

        Array.Sort(_keys, _ids);
        for (int first = 0; first < _ids.Length;)
        {
            int end = first + 1;
            while (end < _ids.Length && _keys[end].Equals(_keys[first]))
            {
                end++;
            }

            Array.Sort(_ids, first, end - first);
            first = end;
        }
    }

    // keys[i] := exp(logit_i − largest); returns the sum over the first `count`.
    private double ToWeights(int count)
    {
        double largest = -_keys[0];
        double sum = 0;
        for (int i = 0; i < count; i++)
        {
            _keys[i] = i == 0 ? 1 : Math.Exp(-_keys[i] - largest);
            sum += _keys[i];
        }

        return sum;
    }

    private int Truncate(int count, double sum)
    {
        double mass = 0;
        for (int i = 0; i < count; i++)
        {
            if (mass >= _options.TopP * sum || _keys[i] < _options.MinP * _keys[0])
            {
                return Math.Max(i, 1);
            }

            mass += _keys[i];
        }

        return count;
    }
}
