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
