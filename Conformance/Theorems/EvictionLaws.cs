using System.Collections.Immutable;

namespace KvIL.Conformance.Theorems;

/// <summary>Every law of eviction that needs no engine, and the one call that checks them.</summary>
/// <remarks>
/// Numbers: P1 to P47 and R1 to R12 as in <c>docs/laws.md</c>, which also names what covers the others; E of the loss, A of an allocator of
/// one's own, X of examples and further rules.
/// </remarks>
public static class EvictionLaws
{
    /// <summary>All laws.</summary>
    public static IReadOnlyList<EvictionLaw> All { get; } =
    [
        .. LossLaws.All, .. OptimalityLaws.All, .. AllocationLaws.All, .. SelectionLaws.All, .. ScoreLaws.All, .. LayerLaws.All, .. StoreLaws.All,
        .. ExampleLaws.All,
    ];

    /// <summary>Checks every law on a subject; a broken law does not keep the others from being checked.</summary>
    /// <param name="subject">A class derived from <see cref="EvictionMath"/>.</param>
    /// <param name="cases">Cases of each law, at least 1; laws that try all subsets run fewer.</param>
    /// <param name="seed">The stream of cases: the same seed gives the same report.</param>
    public static LawReport Check(EvictionMath subject, int cases = 100, int seed = 1)
    {
        ArgumentNullException.ThrowIfNull(subject);
        ImmutableArray<LawOutcome> outcomes = [.. All.Select(law => (subject.Claims & law.Needs) == law.Needs
            ? law.Run(subject, cases, seed)
            : new LawOutcome(law, 0, null))];
        return new(subject.Name, seed, outcomes);
    }
}
