using System.Globalization;
using KvIL.Conformance.Theorems;
using Xunit;

namespace KvIL.Tests.Laws;

/// <summary>The laws tell right from wrong: planted mutants, and others drawn anew on every run.</summary>
public sealed class EvictionMutantTests
{
    private const int Cases = 60, Seed = 7, Drawn = 60;

    [Fact]
    public void Textbook_without_a_fault_satisfies_every_law() => EvictionLaws.Check(new TextbookMath(0, 0), Cases, Seed).ThrowIfBroken();

    [Fact]
    public void Laws_kill_every_planted_mutant_and_every_drawn_one()
    {
        int seed = int.TryParse(Environment.GetEnvironmentVariable("KVIL_MUTANT_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out int given)
            ? given
            : Random.Shared.Next();
        Random random = new(seed);
        (int Place, int Choice)[] all = [.. TextbookMath.Places.OrderBy(p => p.Key).SelectMany(p => Enumerable.Range(0, p.Value).Select(choice => (p.Key, choice)))];
        EvictionMath[] drawn = [.. random.GetItems(all, Drawn).Distinct().Select(p => new TextbookMath(p.Place, p.Choice))];
        string[] survivors = Survivors([.. EvictionMutants.All, .. drawn], seed);
        int planted = EvictionMutants.All.Count + drawn.Length;
        string line = $"laws: killed {planted - survivors.Length} of {planted} planted ({EvictionMutants.All.Count} written, {drawn.Length} drawn of {all.Length} by KVIL_MUTANT_SEED={seed})";
        Console.WriteLine(line);
        Assert.True(survivors.Length == 0, $"{line}; alive: {string.Join(", ", survivors)}");
    }

    [Fact]
    [Trait("Length", "Long")]
    public void Laws_kill_every_fault_of_the_textbook()
    {
        EvictionMath[] all = [.. TextbookMath.Places.SelectMany(p => Enumerable.Range(0, p.Value).Select(choice => new TextbookMath(p.Key, choice)))];
        Assert.Empty(Survivors(all, Seed));
    }

    private static string[] Survivors(IReadOnlyList<EvictionMath> mutants, int seed) =>
        [.. mutants.AsParallel().AsOrdered().Where(mutant => EvictionMutants.Killer(mutant, Cases, seed) is null).Select(mutant => mutant.Name)];
}
