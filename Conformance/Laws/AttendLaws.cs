using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="AttendOp"/>.</summary>
public static class AttendLaws
{
    public static Law<StoreCase> Agrees { get; } = new(
        "Attend_agrees_with_the_oracle_and_sees_only_rows_up_to_its_position", "AttendOp; class Transcendental", (laws, c) =>
        {
            HostStore store = c.Store();
            HostTensor positions = c.AnyPositions();
            (Scenario s, Slot y) = Plan(c, store, c.NewQueries(), positions, c.NewSequences());
            (PlanResults expected, PlanResults actual) = laws.Run(s);
            double[] magnitudes = AttentionTerms.Magnitudes(laws.Oracle, c, store, positions);
            Expect.Within(expected.Reals(y), actual.Reals(y), AttentionTerms.Bounds(c, store, magnitudes));
        });

    public static Law<StoreCase> BatchEqualsAlone { get; } = new("Attend_of_a_batch_equals_each_token_alone", "design, 6", (laws, c) =>
    {
        HostStore store = c.Store();
        HostTensor q = c.NewQueries(), positions = c.AnyPositions(), sequences = c.NewSequences();
        (Scenario batch, Slot all) = Plan(c, store, q, positions, sequences);
        double[] expected = laws.Oracle.Run(batch).Reals(all), actual = new double[expected.Length];
        for (int i = 0; i < c.N; i++)
        {
            (Scenario alone, Slot one) = Plan(c, store, q.Pick(i), positions.Pick(i), sequences.Pick(i));
            laws.Subject.Run(alone).Reals(one).CopyTo(actual, i * q.RowElements);
        }

        double[] magnitudes = AttentionTerms.Magnitudes(laws.Oracle, c, store, positions);
        Expect.Within(expected, actual, AttentionTerms.Bounds(c, store, magnitudes));
    });

    /// <summary>What lets layers with gains of their own read one store: q · (g ⊙ k) = (g ⊙ q) · k.</summary>
    public static Law<StoreCase> PlainKeys { get; } = new(
        "Queries_times_a_gain_see_plain_keys_as_queries_see_keys_times_the_gain", "GainOp, AttendOp; class Transcendental", (laws, drawn) =>
        {
            StoreCase c = drawn with { RowType = DType.F16 }; // 11 bits times 11 bits: products of keys and gain are floats
            HostStore half = c.Store(), plain = half with { Store = half.Store with { RowType = DType.F32 } };
            HostTensor q = c.NewQueries(), positions = c.AnyPositions(), sequences = c.NewSequences();
            HostTensor gain = HostTensor.Weight(DType.F16, Draw.Values(c.Seed, 14, c.HeadDim, ValueKind.Normal), c.HeadDim);
            HostStore keyed = plain with { Keys = [.. plain.Keys.Select((value, i) => gain.Reals[i % c.HeadDim] * value)] };
            (Scenario explicitly, Slot truth) = Plan(c, keyed, q, positions, sequences);
            Scenario folded = new("attend-plain-keys");
            Dim n = folded.Bind("n", c.N);
            Slot y = folded.Output(folded.Builder.Attend(
                folded.Builder.Gain(folded.Input("q", q, n, q.RowElements), folded.Input("gain", gain)),
                folded.Input("store", plain), folded.Input("positions", positions, n), folded.Input("sequences", sequences, n), c.Rule));
            double[] magnitudes = AttentionTerms.Magnitudes(laws.Oracle, c, keyed, positions);
            Expect.Within(
                laws.Oracle.Run(explicitly).Reals(truth), laws.Subject.Run(folded).Reals(y), AttentionTerms.Bounds(c, keyed, magnitudes, roundings: 1));
        });

    /// <summary>One attention over a store.</summary>
    internal static (Scenario Scenario, Slot Y) Plan(
        StoreCase c, HostStore store, HostTensor q, HostTensor positions, HostTensor sequences)
    {
        Scenario s = new("attend");
        Dim n = s.Bind("n", positions.Integers.Length);
        Slot y = s.Builder.Attend(
            s.Input("q", q, n, q.RowElements),
            s.Input("store", store),
            s.Input("positions", positions, n),
            s.Input("sequences", sequences, n),
            c.Rule);
        return (s, s.Output(y));
    }
}
