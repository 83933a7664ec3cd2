using KvIL.Backends;
using KvIL.Conformance.Generators;
using KvIL.Conformance.Laws;
using KvIL.Conformance.Oracle;
using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance;

/// <summary>What a device took for the small computation of <see cref="DeviceCheck"/>.</summary>
/// <param name="CompileTime">Time to compile its plans.</param>
/// <param name="RunTime">Time from the enqueue to the end of the work.</param>
/// <param name="Difference">The first difference from the truth, or null.</param>
public sealed record DeviceCheckResult(TimeSpan CompileTime, TimeSpan RunTime, string? Difference);

/// <summary>One eviction decision and one product on small fixed data: tells in a moment whether a device computes what it should.</summary>
/// <remarks>
/// The truth is the oracle, double precision in plain loops. Scores and products must lie within the bounds of
/// <see cref="Tolerance"/>; the rows of each head must be exactly what the device's own scores decide.
/// </remarks>
public static class DeviceCheck
{
    private const int Width = 80;
    private const int Outputs = 24;
    private const int Columns = 48;
    private const int Kernel = 5;

    // Ragged: heads of different lengths, as after an eviction.
    private static readonly EvictionCase s_eviction = new(
        new(Sequences: 1, KvHeads: 3, Group: 2, HeadDim: 64, Length: Columns, Ragged: true, DType.F16, Tokens: 1, Window: 4, ValueKind.Normal, Seed: 4),
        Sequence: 0, Sinks: 1, Percent: 50, HeadAllocation.Blend, FloorShare: 20, ValueKind.Normal, PoolKind.Max, Kernel, Slack: 0, ExtraColumns: 0);

    /// <summary>Runs both on a backend.</summary>
    /// <exception cref="DeviceFaultException">The device failed while it ran.</exception>
    public static DeviceCheckResult Run(IBackend backend)
    {
        using OracleBackend oracle = new();
        using LawContext laws = new(backend, oracle);
        string? difference = null;
        try
        {
            CheckEviction(laws);
            CheckProduct(laws);
        }
        catch (LawViolation e)
        {
            difference = e.Message;
        }

        return new(laws.Subject.CompileTime, laws.Subject.RunTime, difference);
    }

    /// <summary>The bound of a pooled score: that of a window score, then that of a mean; the largest of some scores is no further off than they are.</summary>
    /// <param name="spread">λ of <see cref="Tolerance.AttentionSpread"/>, the largest of all queries.</param>
    /// <param name="score">The truth.</param>
    private static double PooledScore(double spread, double score)
    {
        double error = Tolerance.WindowScore(spread, s_eviction.Window, score);
        return error + Tolerance.Mean(s_eviction.Store.Group, Math.Abs(score) + error);
    }

    private static void CheckEviction(LawContext laws)
    {
        EvictionCase c = s_eviction;
        HostStore store = c.Store.Store();
        HostTensor window = c.Store.QueryWindow();
        Scenario s = new("doctor-eviction");
        Slot storeSlot = s.Input("store", store);
        Dim length = s.Bind("len", c.Columns), sequence = s.Bind("sequence", c.Sequence), protectedRows = s.Bind("window", c.Window);
        Slot scores = s.Builder.WindowScores(
            s.Input("queries", window), storeSlot, sequence, s.Bind("tokens", c.Seen), s.Bind("w", c.Window, max: c.Window), length, c.Store.Rule);
        Slot pooled = s.Output(s.Builder.Pool(
            s.Builder.GroupMean(scores, c.Store.KvHeads), storeSlot, sequence, protectedRows, c.Pool, c.Kernel));
        Slot counts = s.Output(s.Builder.AllocateHeads(
            pooled, storeSlot, sequence, s.Bind("total", c.Total), s.Bind("sinks", c.Sinks), protectedRows, c.Rule, c.Share));

        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double spread = Enumerable.Range(0, c.Store.QueryHeads).Max(head => WindowScoresLaws.Spread(c, store, window, head));
        double[] truth = expected.Reals(pooled);
        Near("score", truth, actual.Reals(pooled), i => PooledScore(spread, truth[i]));
        int[] decided = Decide(laws.Oracle, store, actual.Reals(pooled));
        Expect.Same<int>("rows of head", decided, actual.Integers(counts), (a, b) => a == b);
    }

    // What given scores decide, near ties included.
    private static int[] Decide(PlanRunner oracle, HostStore store, double[] scores)
    {
        EvictionCase c = s_eviction;
        Scenario s = new("doctor-decision");
        Slot counts = s.Output(s.Builder.AllocateHeads(
            s.Input("scores", HostTensor.F32(scores, c.Store.KvHeads, c.Columns)), s.Input("store", store),
            c.Sequence, c.Total, c.Sinks, c.Window, c.Rule, c.Share));
        return oracle.Run(s).Integers(counts);
    }

    private static void CheckProduct(LawContext laws)
    {
        RowsCase c = new(N: 3, Width, Outputs, DType.BF16, ValueKind.Normal, Bias: true, Seed: 4);
        (Scenario s, Slot y) = Product(c, tensor => tensor);
        (Scenario magnitudes, Slot sum) = Product(c, tensor => tensor.Abs());
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] terms = laws.Oracle.Run(magnitudes).Reals(sum);
        Near("product", expected.Reals(y), actual.Reals(y), i => Tolerance.Reduction(Width + 1, terms[i]));
    }

    private static (Scenario Scenario, Slot Y) Product(RowsCase c, Func<HostTensor, HostTensor> change)
    {
        Scenario s = new("doctor-product");
        Slot x = s.Input("x", change(c.Rows(0)));
        Slot weight = s.Input("weight", change(c.Weight(1, Outputs, Width)));
        Slot bias = s.Input("bias", change(c.Weight(2, Outputs)));
        return (s, s.Output(s.Builder.Linear(x, weight, bias)));
    }

    private static void Near(string what, double[] expected, double[] actual, Func<int, double> bound)
    {
        try
        {
            Expect.Within(expected, actual, bound);
        }
        catch (LawViolation e)
        {
            throw new LawViolation($"{what} {e.Message}", e);
        }
    }
}
