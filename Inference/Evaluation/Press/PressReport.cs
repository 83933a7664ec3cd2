namespace KvIL.Inference.Evaluation.Press;

/// <summary>What comparing a folder of recordings found.</summary>
/// <param name="Methods">By press, in the order in which they are recorded; <c>full</c> is the model without one.</param>
/// <param name="Notes">What was measured beside, and why something was not compared: one line each.</param>
public sealed record PressReport(IReadOnlyList<PressResult> Methods, IReadOnlyList<string> Notes);

/// <summary>How one press did.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Passed">Cases that agree.</param>
/// <param name="NotImplemented">Cases that KvIL does not have or cannot compare.</param>
/// <param name="Failures">The others: the case, and what differs.</param>
public sealed record PressResult(string Name, int Passed, int NotImplemented, IReadOnlyList<(string Case, string Difference)> Failures);

/// <summary>Collects results while a folder is run.</summary>
internal sealed class PressTally(CancellationToken cancelled, Action<double> progress)
{
    private readonly Dictionary<string, Counts> _methods = [];
    private readonly Dictionary<string, (int Count, string First)> _reasons = [];

    /// <summary>Cases to do in all; set before the first is done.</summary>
    public long Work { get; set; }

    private long Done { get; set; }

    /// <summary>Figures of a press.</summary>
    public Counts this[string method]
    {
        get
        {
            if (!_methods.TryGetValue(method, out Counts? counts))
            {
                _methods[method] = counts = new();
            }

            return counts;
        }
    }

    /// <summary>One step of the work is done.</summary>
    public void Step()
    {
        cancelled.ThrowIfCancellationRequested();
        progress(Math.Min(1, ++Done / (double)Math.Max(1, Work)));
    }

    /// <summary>A case that agrees where there is no difference.</summary>
    public void Add(string method, string id, string? difference)
    {
        if (difference is null)
        {
            this[method].Passed++;
        }
        else
        {
            this[method].Failures.Add((id, difference));
        }
    }

    /// <summary>A case that is not compared.</summary>
    public void Skip(string method, string id, string reason)
    {
        this[method].NotImplemented++;
        string line = $"{method} not compared, as {reason}";
        (int count, string first) = _reasons.GetValueOrDefault(line, (0, id));
        _reasons[line] = (count + 1, first);
    }

    public PressReport Report() => new(
        [.. _methods.Select(m => new PressResult(m.Key, m.Value.Passed, m.Value.NotImplemented, m.Value.Failures))],
        [
            .. _methods.SelectMany(m => m.Value.Describe(m.Key)),
            .. _reasons.Select(r => $"{r.Key}: {(r.Value.Count == 1 ? r.Value.First : $"{r.Value.Count} cases, the first {r.Value.First}")}"),
        ]);
}

/// <summary>Figures of one press.</summary>
internal sealed class Counts
{
    /// <summary>Largest difference of a logit, given the recorded rows.</summary>
    public double Logit;

    /// <summary>Largest difference of a score, as a share of its row's largest.</summary>
    public double Score;

    /// <summary>Largest difference of a continuation's or an answer's mean negative log likelihood.</summary>
    public double Nll;

    /// <summary>Largest difference of a divergence from the full cache, given the recorded rows.</summary>
    public double Kl;

    /// <summary>Largest difference of a continuation's mean divergence, with KvIL's own rows.</summary>
    public double Divergence;

    public int Passed { get; set; }

    public int NotImplemented { get; set; }

    public List<(string Case, string Difference)> Failures { get; } = [];

    /// <summary>Cases whose kept rows were compared, and those of them that are equal.</summary>
    public (int All, int Equal) Sets { get; set; }

    /// <summary>Rows kept, and those of them that both keep.</summary>
    public (long Kept, long Equal) Rows { get; set; }

    /// <summary>Where rows differ: the largest difference of the mean divergence from the full cache, with KvIL's rows.</summary>
    public double OwnDivergence { get; set; }

    /// <summary>Answers right: as recorded, KvIL's, and of how many.</summary>
    public (int Recorded, int Own, int All) Right { get; set; }

    public IEnumerable<string> Describe(string method)
    {
        List<string> parts = [];
        if (Sets.All > 0)
        {
            parts.Add($"rows equal in {Sets.Equal} of {Sets.All} cases, {Rows.Kept - Rows.Equal} of {Rows.Kept} rows differ");
            parts.Add($"scores within {RecordedNumbers.N(Score)} of the row's largest");
        }

        if (Logit > 0)
        {
            parts.Add($"logits within {RecordedNumbers.N(Logit)}" + (Kl > 0 ? $", KL within {RecordedNumbers.N(Kl)}" : ""));
        }

        if (OwnDivergence > 0)
        {
            parts.Add($"with KvIL's own rows the mean KL within {RecordedNumbers.N(OwnDivergence)}");
        }

        if (Right.All > 0)
        {
            parts.Add($"answers right {Right.Own}, recorded {Right.Recorded}, of {Right.All}");
        }

        if (Nll > 0)
        {
            parts.Add($"mean NLL within {RecordedNumbers.N(Nll)}" + (Divergence > 0 ? $", mean KL within {RecordedNumbers.N(Divergence)}" : ""));
        }

        return parts.Count == 0 ? [] : [$"{method}: {string.Join("; ", parts)}"];
    }
}
