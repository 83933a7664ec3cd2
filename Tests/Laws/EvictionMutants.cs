using System.Reflection;
using KvIL.Conformance;
using KvIL.Conformance.Theorems;

namespace KvIL.Tests.Laws;

/// <summary>Planted faults of <see cref="EvictionMath"/>, and what kills them.</summary>
internal static partial class EvictionMutants
{
    /// <summary>The planted mutants by name.</summary>
    public static IReadOnlyList<EvictionMath> All { get; } =
    [
        .. typeof(EvictionMutants).GetNestedTypes(BindingFlags.NonPublic).Where(t => t.IsSubclassOf(typeof(EvictionMath)))
            .OrderBy(t => t.MetadataToken).Select(t => (EvictionMath)Activator.CreateInstance(t)!),
    ];

    /// <summary>Whether a law tells a mutant from the right thing: its own comparison fails, not the mutant by itself.</summary>
    public static bool Kills(EvictionLaw law, EvictionMath mutant, int cases, int seed) =>
        law.Run(mutant, cases, seed).Violation is { InnerException: LawViolation };

    /// <summary>The first law that kills a mutant; null where it survives all.</summary>
    public static EvictionLaw? Killer(EvictionMath mutant, int cases, int seed) =>
        EvictionLaws.All.FirstOrDefault(law => Kills(law, mutant, cases, seed));
}
