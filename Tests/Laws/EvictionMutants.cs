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

    /// <summary>A law that kills a mutant; null where it survives all. A few cases of every law come first, because most mutants need no more.</summary>
    public static EvictionLaw? Killer(EvictionMath mutant, int cases, int seed)
    {
        for (int round = 2; ; round = Math.Min(8 * round, cases))
        {
            int few = round;
            EvictionLaw? killer = EvictionLaws.All.FirstOrDefault(law => Kills(law, mutant, few, seed + few));
            if (killer is not null || round == cases) return killer;
        }
    }
}
