using KvIL.Conformance.Statements;

namespace KvIL.Conformance.Theorems;

/// <summary>A law of eviction on one subject, as a statement that is counted and printed with others.</summary>
/// <remarks>It stops at its first violation, so there is at most one; the message has the case made smaller.</remarks>
/// <param name="Law">The law.</param>
/// <param name="Subject">What is checked.</param>
public sealed record EvictionLawOn(EvictionLaw Law, EvictionMath Subject) : IStatement
{
    /// <summary>One case is run in this many.</summary>
    public int OneIn { get; init; } = 1;

    /// <inheritdoc/>
    public string Name => $"{Law.Number} {Law.Name.Replace('_', ' ')}";

    /// <inheritdoc/>
    public string Source => Law.Source;

    /// <inheritdoc/>
    public StatementResult Run(int seed, int cases, CancellationToken cancelled = default)
    {
        cancelled.ThrowIfCancellationRequested();
        if ((Subject.Claims & Law.Needs) != Law.Needs) return new(Name, Source, 0, 0, null);
        LawOutcome outcome = Law.Run(Subject, Math.Max(1, cases / OneIn), seed);
        Counterexample? first = outcome.Violation is { } broken
            ? new(seed, $"case {outcome.Cases} of that seed", "the case in the next line", broken.Message)
            : null;
        return new(Name, Source, outcome.Cases, first is null ? 0 : 1, first);
    }
}
