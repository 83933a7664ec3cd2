using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="AppendOp"/>.</summary>
public static class AppendLaws
{
    public static Law<StoreCase> Exact { get; } = new(
        "Append_writes_its_rows_rounded_to_nearest_even_and_nothing_else", "AppendOp; class Exact",
        (laws, c) => Compare(laws, c, c.Store()));

    public static Law<StoreCase> Full { get; } = new("Append_drops_rows_beyond_the_capacity", "AppendOp", (laws, c) =>
    {
        HostStore store = c.Store();
        Random random = new(c.Seed);
        Compare(laws, c, store with { Capacities = [.. store.Lengths.Select(length => length + random.Next(c.Tokens + 1))] });
    });

    public static Law<StoreCase> BatchEqualsAlone { get; } = new("Append_of_a_batch_equals_sequences_alone", "design, 6", (laws, c) =>
    {
        (Scenario batch, Slot all) = Plan(c, c.Store(), [.. Enumerable.Range(0, c.N)]);
        HostStore state = c.Store();
        for (int sequence = 0; sequence < c.Sequences; sequence++)
        {
            (Scenario alone, Slot one) = Plan(c, state, [.. Enumerable.Range(sequence * c.Tokens, c.Tokens)]);
            state = laws.Subject.Run(alone).Store(one);
        }

        Expect.Same("the store", laws.Oracle.Run(batch).Store(all), state);
    });

    private static void Compare(LawContext laws, StoreCase c, HostStore store)
    {
        (Scenario s, Slot state) = Plan(c, store, [.. Enumerable.Range(0, c.N)]);
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        Expect.Same("the store", expected.Store(state), actual.Store(state));
    }

    private static (Scenario, Slot) Plan(StoreCase c, HostStore store, int[] tokens)
    {
        Scenario s = new("append");
        Dim n = s.Bind("n", tokens.Length);
        int width = c.KvHeads * c.HeadDim;
        Slot state = s.Input("store", store);
        s.Builder.Append(
            state,
            s.Input("keys", c.NewRows(0).Pick(tokens), n, width),
            s.Input("values", c.NewRows(1).Pick(tokens), n, width),
            s.Input("positions", c.NewPositions().Pick(tokens), n),
            s.Input("sequences", c.NewSequences().Pick(tokens), n));
        return (s, state);
    }
}
