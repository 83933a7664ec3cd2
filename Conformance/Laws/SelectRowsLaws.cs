using KvIL.Conformance.Generators;
using KvIL.Ops;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="SelectRowsOp"/>.</summary>
public static class SelectRowsLaws
{
    public static Law<EvictionCase> Exact { get; } = new("SelectRows_equals_the_oracle", "SelectRowsOp; class Exact", (laws, c) =>
    {
        Eviction e = new(c, c.Store.Store());
        (PlanResults expected, PlanResults actual) = laws.Run(e.Scenario);
        Expect.Exact(expected.Integers(e.Rows), actual.Integers(e.Rows));
    });

    public static Law<EvictionCase> KeepsTheBest { get; } = new(
        "SelectRows_keeps_protected_rows_and_the_best_others_ascending", "SelectRowsOp", (laws, c) =>
        {
            Eviction e = new(c, c.Store.Store());
            PlanResults results = laws.Subject.Run(e.Scenario);
            int[][] kept = Eviction.Split(results.Integers(e.Counts), results.Integers(e.Rows));
            HostTensor scores = c.ScoreRows(kept.Length);
            for (int h = 0; h < kept.Length; h++)
            {
                int length = c.Lengths[h], scored = Math.Max(0, length - c.Window), first = h * c.Columns;
                int[] always = [.. Enumerable.Range(0, length).Where(row => row < c.Sinks || row >= scored)];
                Expect.True(kept[h].SequenceEqual(kept[h].Distinct().Order()), $"head {h}: rows do not ascend");
                Expect.True(kept[h].All(row => row >= 0 && row < length), $"head {h}: a row lies outside its run");
                Expect.True(!always.Except(kept[h]).Any(), $"head {h}: a protected row is dropped");
                double Score(int row) => double.IsNaN(scores.Reals[first + row]) ? double.NegativeInfinity : scores.Reals[first + row];
                double worst = kept[h].Except(always).Select(Score).DefaultIfEmpty(double.PositiveInfinity).Min();
                double best = Enumerable.Range(0, length).Except(kept[h]).Select(Score).DefaultIfEmpty(double.NegativeInfinity).Max();
                Expect.True(worst >= best, $"head {h}: keeps a row of score {worst:R} and drops one of {best:R}");
            }
        });
}
