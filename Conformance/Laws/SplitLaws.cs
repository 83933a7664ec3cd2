using KvIL.Conformance.Generators;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Any split of a token stream into calls leaves the same cache and gives the same attention.</summary>
public static class SplitLaws
{
    public static Law<StoreCase> SplitInvariance { get; } = new(
        "Append_RememberQueries_Attend_do_not_depend_on_how_tokens_are_split_into_calls", "style, 6.3 family 5", (laws, c) =>
        {
            Chain whole = new(c, c.Store(), c.QueryWindow(), [.. Enumerable.Range(0, c.N)]);
            PlanResults expected = laws.Oracle.Run(whole.Scenario);
            HostStore store = c.Store();
            HostTensor window = c.QueryWindow();
            double[] attention = new double[c.NewQueries().Reals.Length];
            foreach (int[] tokens in Calls(c))
            {
                Chain call = new(c, store, window, tokens);
                PlanResults actual = laws.Subject.Run(call.Scenario);
                store = actual.Store(call.Store);
                window = HostTensor.F32(actual.Reals(call.Window), c.Sequences, c.Window, c.QueryHeads * c.HeadDim);
                foreach ((int at, int token) in tokens.Index())
                {
                    int width = c.QueryHeads * c.HeadDim;
                    actual.Reals(call.Y).AsSpan(at * width, width).CopyTo(attention.AsSpan(token * width));
                }
            }

            Expect.Same("the store", expected.Store(whole.Store), store);
            Expect.Exact(expected.Reals(whole.Window), window.Reals);
            double[] magnitudes = AttentionTerms.Magnitudes(laws.Oracle, c, store, c.NewPositions());
            Expect.Within(expected.Reals(whole.Y), attention, AttentionTerms.Bounds(c, store, magnitudes));
        });

    // Every call takes the next few tokens of every sequence.
    private static IEnumerable<int[]> Calls(StoreCase c)
    {
        Random random = new(c.Seed);
        for (int first = 0; first < c.Tokens;)
        {
            int count = 1 + random.Next(c.Tokens - first);
            yield return [.. Enumerable.Range(0, c.Sequences).SelectMany(s => Enumerable.Range((s * c.Tokens) + first, count))];
            first += count;
        }
    }

    /// <summary>What a layer does to its cache, for some of the new tokens.</summary>
    private sealed class Chain
    {
        public Chain(StoreCase c, HostStore store, HostTensor window, int[] tokens)
        {
            PlanBuilder b = Scenario.Builder;
            Dim n = Scenario.Bind("n", tokens.Length);
            Slot q = Scenario.Input("q", c.NewQueries().Pick(tokens), n, c.QueryHeads * c.HeadDim);
            Slot keys = Scenario.Input("keys", c.NewRows(0).Pick(tokens), n, c.KvHeads * c.HeadDim);
            Slot values = Scenario.Input("values", c.NewRows(1).Pick(tokens), n, c.KvHeads * c.HeadDim);
            Slot positions = Scenario.Input("positions", c.NewPositions().Pick(tokens), n);
            Slot sequences = Scenario.Input("sequences", c.NewSequences().Pick(tokens), n);
            (Store, Window) = (Scenario.Input("store", store), Scenario.Input("window", window));
            b.RememberQueries(Window, q, positions, sequences);
            Y = Scenario.Output(b.Attend(q, b.Append(Store, keys, values, positions, sequences), positions, sequences, c.Rule));
        }

        public Scenario Scenario { get; } = new("layer");

        public Slot Store { get; }

        public Slot Window { get; }

        public Slot Y { get; }
    }
}
