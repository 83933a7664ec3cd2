using System.Numerics;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance;

/// <summary>What a backend decides about the rows of one layer: the scores it ranks by, the rows of each head, and which ones.</summary>
/// <param name="Scores">Float32 scores <c>[kv][T]</c>; those of protected rows count for nothing.</param>
/// <param name="Counts">Rows kept of each KV head, protected rows included.</param>
/// <param name="Rows">Which, ascending.</param>
/// <param name="Sinks">Protected rows at the start of each head.</param>
/// <param name="Window">Protected rows at the end of each head.</param>
/// <param name="Rule">How candidates were divided.</param>
/// <param name="FloorShare">Uniform share of a blend, or guaranteed share of a floor.</param>
public sealed record EvictionDecision(
    float[][] Scores, int[] Counts, int[][] Rows, int Sinks, int Window, HeadAllocation Rule, Ratio FloorShare)
{
    /// <summary>Runs the plan by which the engine evicts, and looks at what it computes on the way.</summary>
    /// <param name="runner">The backend.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="layer">Keys of all rows; values and W^O are not needed.</param>
    /// <param name="queries">The last queries after RoPE, <c>[w][h·d]</c>, the newest last; as many as the policy's window, none for one without scores.</param>
    /// <param name="rows">Rows per KV head, at least the protected ones and at most T.</param>
    public static EvictionDecision Of(PlanRunner runner, EvictionPolicy policy, AttentionLayer layer, double[][] queries, int rows)
    {
        ArgumentNullException.ThrowIfNull(runner);
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(layer);
        HostStore store = Store(layer.KvHeads, layer.Tokens, layer.HeadDim, layer.Keys);
        StoreSpec spec = store.Store with { Rows = 0 };
        int channels = layer.QueryHeads * layer.HeadDim;
        EvictionProgram program;
        Dictionary<Slot, HostValue> inputs = [];
        if (policy.UsesScores)
        {
            TensorSpec window = new(DType.F32, 1, queries.Length, channels);
            StoreReader reader = new(window, new(DType.F32, 1, channels), layer.Rule);
            program = EvictionProgram.ByScore(policy, spec, [reader], layer.Tokens, layer.Tokens, measure: false);
            inputs[program.Windows[0]] = HostTensor.F32(Ring(queries, layer.Tokens), 1, queries.Length, channels);
        }
        else
        {
            program = EvictionProgram.ByRecency(spec, [], layer.Tokens, layer.Tokens, measure: false);
        }

        int kept = rows * layer.KvHeads, sinks = Math.Min(policy.Sinks, layer.Tokens);
        inputs[program.From] = store;
        Dictionary<Symbol, int> symbols = new()
        {
            [program.Sequence] = 0, [program.Tokens] = layer.Tokens, [program.Length] = layer.Tokens, [program.Total] = kept,
            [program.Sinks] = sinks, [program.Window] = policy.Window, [program.Slack] = 0,
        };
        return Run(runner, program.Plan, inputs, symbols, sinks, policy.Window, (program.To, kept));
    }

    /// <summary>Divides and selects rows by scores that are given.</summary>
    /// <param name="runner">The backend.</param>
    /// <param name="policy">Says how rows are divided and how many sinks there are; its window and its own scores are not used.</param>
    /// <param name="scores"><c>[heads][n]</c>, rounded to float32.</param>
    /// <param name="rows">Rows per head, at least the sinks and at most n.</param>
    public static EvictionDecision OfScores(PlanRunner runner, EvictionPolicy policy, double[][] scores, int rows)
    {
        ArgumentNullException.ThrowIfNull(runner);
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(scores);
        (int heads, int n) = (scores.Length, scores[0].Length);
        Scenario s = new("evict by given scores");
        Slot given = s.Input("scores", HostTensor.F32([.. scores.SelectMany(row => row)], heads, n));
        Slot store = s.Input("store", Store(heads, n, headDim: 1, new double[heads * n]));
        Dim total = s.Bind("total", rows * heads), sinks = s.Bind("sinks", Math.Min(policy.Sinks, n));
        Slot counts = s.Output(s.Builder.AllocateHeads(given, store, 0, total, sinks, 0, policy.Heads, policy.Floor));
        Slot chosen = s.Output(s.Builder.SelectRows(given, counts, store, 0, total, sinks, 0));
        PlanResults results = runner.Run(s);
        int[] held = results.Integers(counts);
        return new(
            [.. scores.Select(row => row.Select(x => (float)x).ToArray())], held, Laws.Eviction.Split(held, results.Integers(chosen)),
            Math.Min(policy.Sinks, n), 0, policy.Heads, policy.Floor);
    }

    /// <summary>Rows of each head that compete.</summary>
    public int Candidates => ProtectedRows.Candidates(Scores[0].Length, Sinks, Window);

    /// <summary>Rows over all heads that are not protected.</summary>
    public int Total => Counts.Sum() - (Scores.Length * Protected);

    /// <summary>Protected rows of each head.</summary>
    public int Protected => Scores[0].Length - Candidates;

    /// <summary>What each head would get beyond its protected rows if rows could be divided: <see cref="Allocation.Quotas"/>.</summary>
    public (BigInteger[] Numerators, BigInteger Denominator) Quotas => Allocation.Quotas(CandidateScores, Total, Rule, FloorShare);

    /// <summary>The same rows divided by another rule, each head's best first, by definition: <see cref="Allocation"/>.</summary>
    public EvictionDecision By(HeadAllocation rule, Ratio floorShare)
    {
        int[] counts = Allocation.Counts(CandidateScores, Total, rule, floorShare);
        return this with
        {
            Rule = rule,
            FloorShare = floorShare,
            Counts = [.. counts.Select(count => count + Protected)],
            Rows = [.. Scores.Select((row, h) => Allocation.Rows(row, ProtectedRows.Sinks(row.Length, Sinks, Window), Candidates, counts[h]))],
        };
    }

    /// <summary>Whether counts and rows are those that its own scores decide, by definition.</summary>
    public bool AgreesWithTheDefinition
    {
        get
        {
            EvictionDecision defined = By(Rule, FloorShare);
            return defined.Counts.SequenceEqual(Counts) && defined.Rows.Zip(Rows).All(pair => pair.First.SequenceEqual(pair.Second));
        }
    }

    private float[][] CandidateScores =>
        [.. Scores.Select(row => row.AsSpan(ProtectedRows.Sinks(row.Length, Sinks, Window), Candidates).ToArray())];

    // The last allocation decides, and the selection after it.
    private static EvictionDecision Run(
        PlanRunner runner, Plan plan, Dictionary<Slot, HostValue> inputs, Dictionary<Symbol, int> symbols, int sinks, int window, (Slot, long) fresh)
    {
        AllocateHeadsOp divide = plan.Ops.OfType<AllocateHeadsOp>().Last();
        SelectRowsOp select = plan.Ops.OfType<SelectRowsOp>().Last();
        PlanResults results = runner.Run(Scenario.Of(plan.Showing(divide.Scores, divide.Y, select.Y), inputs, symbols, fresh));
        int[] counts = results.Integers(divide.Y);
        double[] scores = results.Reals(divide.Scores);
        return new(
            [.. scores.Select(x => (float)x).Chunk(scores.Length / counts.Length)], counts, Laws.Eviction.Split(counts, results.Integers(select.Y)),
            sinks, window, divide.Rule, divide.FloorShare);
    }

    private static HostStore Store(int kvHeads, int tokens, int headDim, double[] keys)
    {
        int[] lengths = [.. Enumerable.Repeat(tokens, kvHeads)];
        return new(
            new(1, kvHeads, headDim, DType.F32, (long)kvHeads * tokens), keys, new double[keys.Length],
            [.. lengths.SelectMany(n => Enumerable.Range(0, n))], [.. lengths.Select((n, h) => (long)h * n)], lengths, lengths);
    }

    // The query of position p lies at p mod w.
    private static double[] Ring(double[][] queries, int tokens) =>
        [.. Enumerable.Range(0, queries.Length).SelectMany(slot => queries[Index(slot, queries.Length, tokens)])];

    private static int Index(int slot, int w, int tokens) => (((slot - (tokens - w)) % w) + w) % w;
}
