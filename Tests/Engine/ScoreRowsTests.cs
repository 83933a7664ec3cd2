using KvIL.Conformance;
using KvIL.Conformance.Generators;
using KvIL.Plans;
using KvIL.Reference;
using Xunit;

namespace KvIL.Tests.Engines;

/// <summary>Scores of rows on the CPU: whatever the rows hold, however many threads there are.</summary>
public sealed class ScoreRowsTests
{
    private const int Cases = 40;

    public static TheoryData<int> Rules => [.. Enumerable.Range(0, Case(0).Rules.Length)];

    [Theory]
    [MemberData(nameof(Rules))]
    public void Scores_have_the_same_bits_on_any_number_of_threads(int rule)
    {
        using ReferenceBackend one = new(1), three = new(3);
        using PlanRunner alone = new(one), shared = new(three);
        for (int seed = 0; seed < Cases; seed++)
        {
            (Scenario s, Slot y) = Case(seed).Plan(Case(seed).Rules[rule]);
            Expect.Same<double>($"scores of {Case(seed)}", alone.Run(s).Reals(y), shared.Run(s).Reals(y), Expect.SameBits);
        }
    }

    [Theory]
    [MemberData(nameof(Rules))]
    public void Rows_and_queries_that_are_no_numbers_are_no_failure(int rule)
    {
        using ReferenceBackend backend = new(2);
        using PlanRunner runner = new(backend);
        double[] specials = [double.NaN, double.PositiveInfinity, double.NegativeInfinity, 0];
        for (int seed = 0; seed < Cases; seed++)
        {
            ScoreCase c = Case(seed);
            HostStore store = c.Store.Store();
            HostTensor queries = c.Store.QueryWindow();
            double[][] rows = [store.Keys, store.Values, queries.Reals];
            foreach (double[] x in rows)
            {
                for (int i = seed % 7; i < x.Length; i += 7) x[i] = specials[i % specials.Length];
            }

            (Scenario s, Slot y) = c.Plan(c.Rules[rule], store, queries);
            Assert.Equal(c.Store.KvHeads * c.Columns, runner.Run(s).Reals(y).Length);
        }
    }

    private static ScoreCase Case(int seed) => ScoreCase.Generate(new Random(seed));
}
