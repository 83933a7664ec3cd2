using KvIL.Conformance.Statements;
using KvIL.Conformance.Theorems.Sharing;
using Xunit;

namespace KvIL.Tests.Sharing;

/// <summary>Every law of cross-layer sharing on the definition in double; and the laws tell right from wrong.</summary>
public sealed class SharingLawTests
{
    private const int Cases = 25, Seed = 20241018;

    public static TheoryData<string> Laws => [.. SharingLaws.All.Select(law => law.ToString())];

    public static TheoryData<string> Mutants => [.. SharingMutants.All.Select(mutant => mutant.Name)];

    [Theory]
    [MemberData(nameof(Laws))]
    public void Law_holds(string law) => Holds(new SharingMath(), law, Cases, Seed);

    [Theory]
    [MemberData(nameof(Mutants))]
    public void Mutant_is_killed(string name)
    {
        SharingMath mutant = SharingMutants.All.Single(m => m.Name == name);
        Assert.NotEmpty(SharingMutants.Killers(mutant));
    }

    [Fact]
    public void Every_law_kills_a_mutant()
    {
        HashSet<SharingLaw> killers = [.. SharingMutants.All.SelectMany(SharingMutants.Killers)];
        Assert.Empty(SharingLaws.All.Where(law => !killers.Contains(law)).Select(law => law.ToString()));
    }

    // The defect of the published code breaks exactly the laws of what follows a prompt, and of prompts in chunks of one token.
    [Fact]
    public void Published_decode_breaks_the_laws_of_decoding() => Assert.Equal(
        ["C12", "C16", "C16b", "C21"], SharingMutants.Killers(new PublishedDecode()).Select(law => law.Number).Order(StringComparer.Ordinal));

    internal static void Holds(SharingMath subject, string law, int cases, int seed)
    {
        StatementResult result = SharingLaws.All.Single(l => l.ToString() == law).On(subject).Run(seed, cases);
        Assert.True(result.Violations == 0, $"{result.First?.Shrunk}: {result.First?.Difference} (seed {result.First?.Seed})");
    }
}
