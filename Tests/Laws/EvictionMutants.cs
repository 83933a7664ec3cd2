using System.Reflection;
using KvIL.Conformance;
using KvIL.Conformance.Theorems;

namespace KvIL.Tests.Laws;

/// <summary>Planted faults of <see cref="EvictionMath"/>, and what kills them.</summary>
internal static partial class EvictionMutants
{
    private const int Cases = 60, Seed = 7, Few = 2, More = 20;

    private static readonly Lazy<IReadOnlyList<(EvictionMath Mutant, EvictionLaw[] Killers)>> s_killed = new(Matrix);

    /// <summary>The planted mutants, in the order in which they are written.</summary>
    public static IReadOnlyList<EvictionMath> All { get; } =
    [
        .. typeof(EvictionMutants).GetNestedTypes(BindingFlags.NonPublic).Where(t => t.IsSubclassOf(typeof(EvictionMath)))
            .OrderBy(t => t.MetadataToken).Select(t => (EvictionMath)Activator.CreateInstance(t)!),
    ];

    /// <summary>The laws that kill each planted mutant: in two cases, or else the first mutant of a law and the first law of a mutant in more.</summary>
    public static IReadOnlyList<(EvictionMath Mutant, EvictionLaw[] Killers)> Killed => s_killed.Value;

    /// <summary>A law that kills a mutant; null where it survives all. A few cases of every law come first, because most mutants need no more.</summary>
    public static EvictionLaw? Killer(EvictionMath mutant, int seed)
    {
        for (int round = Few; ; round = Math.Min(8 * round, Cases))
        {
            int few = round;
            EvictionLaw? killer = EvictionLaws.All.FirstOrDefault(law => Kills(law, mutant, few, seed + few));
            if (killer is not null || round == Cases) return killer;
        }
    }

    // Whether a law tells a mutant from the right thing: its own comparison fails, not the mutant by itself.
    private static bool Kills(EvictionLaw law, EvictionMath mutant, int cases, int seed) =>
        law.Run(mutant, cases, seed).Violation is { InnerException: LawViolation };

    private static IReadOnlyList<(EvictionMath Mutant, EvictionLaw[] Killers)> Matrix()
    {
        (EvictionMath Mutant, EvictionLaw[] Killers)[] killed = [.. All.AsParallel().AsOrdered().Select(mutant => (mutant, Killers(mutant)))];
        foreach (EvictionLaw law in EvictionLaws.All.Except(killed.SelectMany(k => k.Killers)))
        {
            int first = Array.FindIndex(killed, k => Kills(law, k.Mutant, More, Seed));
            if (first >= 0) killed[first].Killers = [.. killed[first].Killers, law];
        }

        return killed;
    }

    private static EvictionLaw[] Killers(EvictionMath mutant)
    {
        EvictionLaw[] few = [.. EvictionLaws.All.Where(law => Kills(law, mutant, Few, Seed))];
        return few.Length > 0 ? few : Killer(mutant, Seed) is { } killer ? [killer] : [];
    }
}
