using System.Collections.Immutable;

namespace KvIL.Conformance.Theorems;

/// <summary>What came of a law.</summary>
/// <param name="Law">The law.</param>
/// <param name="Cases">Cases checked; 0 where the subject does not claim what the law needs.</param>
/// <param name="Violation">Law, subject, shrunk case and first difference on one line; null where the law holds.</param>
public sealed record LawOutcome(EvictionLaw Law, int Cases, LawViolation? Violation)
{
    /// <summary>Whether the law was not run, because the subject does not claim what it needs.</summary>
    public bool Skipped => Cases == 0;

    /// <inheritdoc/>
    public override string ToString() => Violation is not null ? $"broken: {Violation.Message}"
        : Skipped ? $"not claimed ({Law.Needs}): {Law}"
        : $"holds in {Cases} cases: {Law}";
}

/// <summary>What came of all laws on one subject.</summary>
/// <param name="Subject">Its name.</param>
/// <param name="Seed">The stream of cases: the same seed repeats the run.</param>
/// <param name="Outcomes">One for each law.</param>
public sealed record LawReport(string Subject, int Seed, ImmutableArray<LawOutcome> Outcomes)
{
    /// <summary>Whether no law is broken.</summary>
    public bool Holds => Broken.IsEmpty;

    /// <summary>The laws that are broken.</summary>
    public ImmutableArray<LawOutcome> Broken => [.. Outcomes.Where(o => o.Violation is not null)];

    /// <summary>For a test: nothing when all laws hold.</summary>
    /// <exception cref="LawViolation">A law is broken; the message has a line for each.</exception>
    public void ThrowIfBroken()
    {
        if (!Holds) throw new LawViolation(ToString(), Broken[0].Violation);
    }

    /// <summary>A line for each broken law, and a closing line of counts.</summary>
    public override string ToString() => string.Join('\n', [
        .. Broken.Select(o => o.ToString()),
        $"{Subject}: {Outcomes.Count(o => o.Violation is null && !o.Skipped)} laws hold, {Broken.Length} broken, {Outcomes.Count(o => o.Skipped)} not claimed; "
            + $"{Outcomes.Sum(o => (long)o.Cases)} cases, seed {Seed}"]);
}
