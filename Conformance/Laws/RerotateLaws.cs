using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="RerotateOp"/>.</summary>
public static class RerotateLaws
{
    public static Law<ScoreCase> Agrees { get; } = new(
        "Rerotate_moves_rows_to_consecutive_positions_and_touches_nothing_else", "RerotateOp; a rotation in double, rounded once", (laws, c) =>
        {
            HostStore before = c.Store.Store();
            (Scenario s, Slot store) = Plan(c, before);
            (PlanResults expected, PlanResults actual) = laws.Run(s);
            (HostStore truth, HostStore after) = (expected.Store(store), actual.Store(store));
            Expect.Same("the store", truth with { Keys = [] }, after with { Keys = [] });
            for (int run = 0; run < before.Store.Runs; run++)
            {
                for (int j = 0; j < before.Lengths[run]; j++)
                {
                    int places = j - before.Position(run, j);
                    bool moved = run / c.Store.KvHeads == c.Sequence && places != 0;
                    if (!moved) Expect.Same($"key {j} of run {run}", before.Key(run, j), after.Key(run, j), Expect.SameBits);
                    else Within(before.Key(run, j).ToArray(), truth.Key(run, j).ToArray(), after.Key(run, j).ToArray(), places, before.Store.RowType);
                }
            }
        });

    public static Law<ScoreCase> KeepsLogits { get; } = new(
        "Keys_moved_and_moved_back_are_the_keys", "StreamingLLM, 3.2: a rotation loses nothing", (laws, c) =>
        {
            c = c with { Store = c.Store with { RowType = DType.F32 } };
            HostStore before = c.Store.Store();
            (Scenario s, Slot store) = Plan(c, before);
            HostStore moved = laws.Subject.Run(s).Store(store);
            for (int h = 0; h < c.Store.KvHeads; h++)
            {
                int run = before.Run(c.Sequence, h);
                for (int j = 0; j < before.Lengths[run]; j++)
                {
                    double[] key = before.Key(run, j).ToArray(), turned = moved.Key(run, j).ToArray();
                    double[] back = Theory.Rotation.Turn(turned, before.Position(run, j) - j, c.Rotary.Frequencies);
                    double length = Math.Sqrt(turned.Sum(x => x * x));
                    Expect.Within(key, back, _ => (Tolerance.U + Tolerance.Real(c.Tokens + 8)) * length);
                }
            }
        });

    private static (Scenario, Slot) Plan(ScoreCase c, HostStore before)
    {
        Scenario s = new("rerotate");
        Slot store = s.Input("store", before);
        s.Builder.Rerotate(store, s.Bind("sequence", c.Sequence), c.Rotary);
        return (s, store);
    }

    // Double on both sides, then one rounding on each: a half may fall to either side of a tie.
    private static void Within(double[] key, double[] truth, double[] actual, int places, DType type)
    {
        double largest = key.Select(Math.Abs).Max();
        double error = Tolerance.Real(Math.Abs(places) + 8) * 2 * largest;
        Expect.Within(truth, actual, i => type == DType.F32
            ? Tolerance.Absolute(error, truth[i])
            : (Math.Abs(truth[i]) / 1024) + (1.0 / (1 << 24)) + error);
    }
}
