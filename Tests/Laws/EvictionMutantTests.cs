using System.Globalization;
using KvIL.Conformance.Theorems;
using Xunit;

namespace KvIL.Tests.Laws;

/// <summary>The laws tell right from wrong: mutants planted by hand, and others drawn anew on every run.</summary>
public sealed class EvictionMutantTests
{
    private const int Drawn = 40;

    [Fact]
    public void Textbook_without_a_fault_satisfies_every_law() => EvictionLaws.Check(new TextbookMath(0, 0), 20, 7).ThrowIfBroken();

    [Fact]
    public void Laws_kill_every_planted_mutant_and_every_drawn_one()
    {
        int seed = Seed(Random.Shared.Next());
        TextbookMath[] all = [.. Faults()], drawn = [.. new Random(seed).GetItems(all, Drawn).Distinct()];
        string[] alive =
        [
            .. EvictionMutants.Killed.Where(k => k.Killers.Length == 0).Select(k => k.Mutant.Name),
            .. drawn.AsParallel().AsOrdered().Where(mutant => EvictionMutants.Killer(mutant, seed) is null).Select(mutant => mutant.Name),
        ];
        int written = EvictionMutants.All.Count, planted = written + drawn.Length;
        string line = $"laws of eviction: killed {planted - alive.Length} of {planted} planted ({written} written, {drawn.Length} drawn of {all.Length} by KVIL_MUTANT_SEED={seed})";
        Console.WriteLine(line);
        Assert.True(alive.Length == 0, $"{line}; alive: {string.Join(", ", alive)}");
    }

    [Fact]
    [Trait("Length", "Long")]
    public void Laws_kill_every_fault_of_the_textbook() =>
        Assert.Empty(Faults().AsParallel().AsOrdered().Where(mutant => EvictionMutants.Killer(mutant, Seed(7)) is null).Select(mutant => mutant.Name));

    private static int Seed(int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable("KVIL_MUTANT_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out int given) ? given : otherwise;

    private static IEnumerable<TextbookMath> Faults() =>
        TextbookMath.Places.OrderBy(p => p.Key).SelectMany(p => Enumerable.Range(0, p.Value).Select(choice => new TextbookMath(p.Key, choice)));
}
