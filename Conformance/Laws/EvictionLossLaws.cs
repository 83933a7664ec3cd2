using KvIL.Conformance.Generators;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="EvictionLossOp"/>: Ada-KV (arXiv:2407.11550), §3.</summary>
public static class EvictionLossLaws
{
    private const int Width = 9;

    public static Law<EvictionCase> Agrees { get; } = new("EvictionLoss_agrees_with_the_oracle", "EvictionLossOp; class Reduction", (laws, c) =>
    {
        Terms terms = new(laws, Moderate(c));
        double[] actual = terms.Run(laws.Subject);
        Expect.Within(terms.Truth, actual, i => terms.Bounds[i]);
    });

    public static Law<EvictionCase> Ordered { get; } = new("L_is_at_most_theta_at_most_eps_head_at_most_eps", "Ada-KV, theorem 3.1 and its chain", (laws, c) =>
    {
        Terms terms = new(laws, Moderate(c));
        double[] y = terms.Run(laws.Subject);
        for (int i = 0; i < 3; i++)
        {
            double slack = terms.Bounds[i] + terms.Bounds[i + 1];
            Expect.True(y[i] <= y[i + 1] + slack, $"[{i}] {y[i]:R} exceeds [{i + 1}] {y[i + 1]:R} by more than rounding {slack:E2}");
        }
    });

    public static Law<EvictionCase> IsTheChangeOfTheOutput { get; } = new("L_is_the_change_of_the_layers_output", "Ada-KV, eq. (3)", (laws, c) =>
    {
        c = Moderate(c);
        Terms terms = new(laws, c);
        double loss = terms.Run(laws.Subject)[0];
        HostStore store = c.Store.Store();
        double[] before = Output(laws.Oracle, c, store, evict: false), after = Output(laws.Oracle, c, store, evict: true);
        double change = before.Zip(after, (a, b) => Math.Abs(a - b)).Sum();
        Expect.Within([change], [loss], _ => terms.Bounds[0]);
    });

    // Extreme logits push F_i below the smallest float, where no relative bound can hold.
    private static EvictionCase Moderate(EvictionCase c) => c with { Store = c.Store with { Queries = ValueKind.Normal } };

    private static HostTensor Projection(EvictionCase c)
    {
        int channels = c.Store.QueryHeads * c.Store.HeadDim;
        DType[] types = [DType.F32, .. QuantizedCase.QuantizedTypes.Where(type => channels % type.BlockElements() == 0)];
        DType chosen = types[c.Store.Seed % types.Length];
        return chosen == DType.F32
            ? HostTensor.Weight(DType.F32, Draw.Values(c.Store.Seed, 30, Width * channels, ValueKind.Normal), Width, channels)
            : QuantizedCase.Weight(chosen, c.Store.Seed, 30, Width, channels);
    }

    // The layer's output for the newest query, in attention and projection.
    private static double[] Output(PlanRunner oracle, EvictionCase c, HostStore store, bool evict)
    {
        Eviction e = new(c, store);
        PlanBuilder b = e.Scenario.Builder;
        HostTensor window = c.Store.QueryWindow();
        HostTensor rows = HostTensor.F32(window.Reals, c.Store.Sequences * c.Window, window.RowElements / c.Window);
        HostTensor q = rows.Pick((c.Sequence * c.Window) + ((c.Seen - 1) % c.Window));
        Slot read = evict ? e.Compact(c, store, spare: 0) : e.Store;
        Slot attention = b.Attend(
            e.Scenario.Input("q", q),
            read,
            e.Scenario.Input("position", HostTensor.I32(c.Seen - 1)),
            e.Scenario.Input("token-sequence", HostTensor.I32(c.Sequence)),
            c.Store.Rule);
        Slot y = e.Scenario.Output(b.Linear(attention, e.Scenario.Input("projection", Projection(c))));
        return oracle.Run(e.Scenario).Reals(y);
    }

    /// <summary>The rows that the oracle keeps, the loss of dropping the others, and how exact it must be.</summary>
    private sealed class Terms
    {
        private readonly EvictionCase _c;
        private readonly HostStore _store;
        private readonly HostTensor _counts;
        private readonly HostTensor _rows;

        public Terms(LawContext laws, EvictionCase c)
        {
            (_c, _store) = (c, c.Store.Store());
            Eviction e = new(c, _store);
            PlanResults chosen = laws.Oracle.Run(e.Scenario);
            (_counts, _rows) = (HostTensor.I32(chosen.Integers(e.Counts)), HostTensor.I32(chosen.Integers(e.Rows)));
            Truth = Run(laws.Oracle);

            // Absolute terms: values and projection without signs give Ũ_j ≥ ‖u_j‖₁ and its sums. Dropping everything makes ε_head
            // 2 Σ_i max_j Ũ_ij, which is at least Σ_i Σ_j (A_ij + A_ij/F_i) Ũ_ij: the terms of L, whose difference cancels.
            double[] absolute = Run(laws.Oracle, _store.AbsValues(), Projection(c).Abs(), _counts, _rows);
            HostTensor none = HostTensor.I32(new int[c.Store.KvHeads]);
            double[] all = Run(laws.Oracle, _store.AbsValues(), Projection(c).Abs(), none, HostTensor.I32());
            double spread = Enumerable.Range(0, c.Store.QueryHeads).Max(i => WindowScoresLaws.Spread(c, _store, c.Store.QueryWindow(), i));
            double kappa = Tolerance.Loss(spread, _store.Lengths.Max(), c.Store.HeadDim, c.Store.QueryHeads, Width);
            Bounds = [.. new[] { all[2], absolute[1], absolute[2], absolute[3] }.Select(terms => (kappa * terms) + Tolerance.Tiny)];
        }

        public double[] Truth { get; }

        public double[] Bounds { get; }

        public double[] Run(PlanRunner runner) => Run(runner, _store, Projection(_c), _counts, _rows);

        private double[] Run(PlanRunner runner, HostStore store, HostTensor projection, HostTensor counts, HostTensor rows)
        {
            Scenario s = new("loss");
            Slot y = s.Output(s.Builder.EvictionLoss(
                s.Input("window", _c.Store.QueryWindow()),
                s.Input("store", store),
                s.Input("counts", counts),
                s.Input("rows", rows, s.Bind("total", rows.Integers.Length)),
                s.Input("projection", projection),
                s.Bind("sequence", _c.Sequence),
                s.Bind("tokens", _c.Seen),
                _c.Store.Rule));
            return runner.Run(s).Reals(y);
        }
    }
}
