using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="WindowScoresOp"/>.</summary>
public static class WindowScoresLaws
{
    public static Law<EvictionCase> Agrees { get; } = new("WindowScores_agrees_with_the_oracle", "WindowScoresOp; class Transcendental", (laws, c) =>
    {
        HostStore store = c.Store.Store();
        HostTensor window = c.Store.QueryWindow();
        int queries = 1 + (c.Store.Seed % c.Window);
        Scenario s = new("window-scores");
        Slot y = s.Output(s.Builder.WindowScores(
            s.Input("window", window),
            s.Input("store", store),
            s.Bind("sequence", c.Sequence),
            s.Bind("tokens", c.Seen),
            s.Bind("queries", queries, max: c.Window),
            s.Bind("len", c.Columns),
            c.Store.Rule));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] truth = expected.Reals(y);
        double[] spreads = [.. Enumerable.Range(0, c.Store.QueryHeads).Select(i => Spread(c, store, window, i))];
        (int columns, int[] lengths) = (c.Columns, c.Lengths);
        Expect.Within(truth, actual.Reals(y), i => i % columns < lengths[i / columns / c.Store.Group]
            ? Tolerance.WindowScore(spreads[i / columns], queries, truth[i])
            : 0);
    });

    /// <summary>The largest λ over the remembered queries of a head.</summary>
    internal static double Spread(EvictionCase c, HostStore store, HostTensor window, int head)
    {
        int run = store.Run(c.Sequence, head / c.Store.Group), d = c.Store.HeadDim;
        return Enumerable.Range(0, c.Window).Max(t =>
        {
            int query = (((c.Sequence * c.Window) + t) * c.Store.QueryHeads) + head;
            return AttentionTerms.Spread(store, run, window.Reals.AsSpan(query * d, d), c.Store.Rule);
        });
    }
}
