using System.Numerics;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Eviction.Scores;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance;

/// <summary>What a backend decides about the rows of one layer: the scores it goes by, the rows of each head, and which ones.</summary>
/// <param name="Divided">Float32 scores <c>[kv][T]</c> by which heads compete; those of protected rows count for nothing.</param>
/// <param name="Ranked">Scores by which each head's rows are chosen; the same unless the policy says otherwise.</param>
/// <param name="Counts">Rows kept of each KV head, protected rows included.</param>
/// <param name="Rows">Which, ascending.</param>
/// <param name="Sinks">Protected rows at the start of each head.</param>
/// <param name="Window">Protected rows at the end of each head.</param>
/// <param name="Rule">How candidates were divided.</param>
/// <param name="FloorShare">Uniform share of a blend, or guaranteed share of a floor.</param>
public sealed record EvictionDecision(
    float[][] Divided, float[][] Ranked, int[] Counts, int[][] Rows, int Sinks, int Window, HeadAllocation Rule, Ratio FloorShare)
{
    /// <summary>Rows of each head that compete.</summary>
    public int Candidates => ProtectedRows.Candidates(Length, Sinks, Window);

    /// <summary>Protected rows of each head.</summary>
    public int Protected => Length - Candidates;

    /// <summary>Rows over all heads that are not protected.</summary>
    public int Total => Counts.Sum() - (Counts.Length * Protected);

    /// <summary>Scores of the rows that compete, as heads compete by them.</summary>
    public float[][] CandidateScores => [.. Divided.Select(row => row.AsSpan(First, Candidates).ToArray())];

    /// <summary>What each head would get beyond its protected rows if rows could be divided (<see cref="Allocation.Quotas"/>); a table's shares, whole rows where the rule is in these.</summary>
    public (BigInteger[] Numerators, BigInteger Denominator) Quotas => Fixed is Ratio[] quotas ? OverOne(quotas)
        : Rule is HeadAllocation.Uniform or HeadAllocation.Blend
        ? Allocation.Quotas(CandidateScores, Total, Rule, FloorShare)
        : ([.. Counts.Select(count => (BigInteger)(count - Protected))], BigInteger.One);

    /// <summary>Whether counts and rows are those that its own scores decide, by definition; counts of kvpress's mask rule have none in <see cref="Allocation"/>.</summary>
    public bool AgreesWithTheDefinition
    {
        get
        {
            EvictionDecision defined = Rule is HeadAllocation.Mask or HeadAllocation.Table ? Choose(Counts) : By(Rule, FloorShare);
            return defined.Counts.SequenceEqual(Counts) && defined.Rows.Zip(Rows).All(pair => pair.First.SequenceEqual(pair.Second));
        }
    }

    /// <summary>What a table gives each head before rounding, protected rows included; null where rows are divided by scores.</summary>
    public Ratio[]? Fixed { get; init; }

    private int Length => Divided[0].Length;

    private int First => ProtectedRows.Sinks(Length, Sinks, Window);

    /// <summary>Runs the plan by which the engine evicts, and looks at what it computes on the way.</summary>
    /// <param name="runner">The backend.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="layer">Keys of all rows, and whatever else the policy reads.</param>
    /// <param name="queries">The last queries after RoPE, <c>[count][h·d]</c>, the newest last: as many as <see cref="EvictionPolicy.Queries"/>.</param>
    /// <param name="rows">Rows per KV head, at least the protected ones and at most T.</param>
    /// <param name="rotary">RoPE of the layer, for policies that look before it.</param>
    /// <param name="number">Number of the layer, for policies with a table of heads.</param>
    public static EvictionDecision Of(
        PlanRunner runner, EvictionPolicy policy, AttentionLayer layer, double[][] queries, int rows, Rotary? rotary = null, int number = 0)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(layer);
        ArgumentNullException.ThrowIfNull(queries);
        (int tokens, int channels, int width) = (layer.Tokens, layer.QueryHeads * layer.HeadDim, Math.Max(1, layer.Width));
        double[] values = layer.Values.Length > 0 ? layer.Values : new double[layer.Keys.Length];
        HostStore store = Store(layer.KvHeads, tokens, layer.HeadDim, layer.Keys, values);
        StoreReader reader = new(new(DType.F32, 1, Math.Max(1, queries.Length), channels), new(DType.F32, width, channels), layer.Rule, rotary);
        EvictionProgram program = policy.UsesScores
            ? EvictionProgram.ByScore(policy, store.Store with { Rows = 0 }, [reader], tokens, tokens, CountsOf(policy))
            : EvictionProgram.ByRecency(store.Store with { Rows = 0 }, [reader], tokens, tokens, EvictionExtras.None);
        Dictionary<Slot, HostValue> inputs = [];
        foreach (Slot window in program.Windows)
        {
            inputs[window] = HostTensor.F32(Ring(queries, tokens), 1, queries.Length, channels);
        }

        foreach (Slot projection in program.OutputProjections)
        {
            inputs[projection] = HostTensor.Weight(DType.F32, layer.OutputProjection, width, channels);
        }

        return Run(runner, program, policy, store, inputs, program.Windows.IsEmpty ? 0 : queries.Length, rows * layer.KvHeads, policy.Protected(tokens), number);
    }

    /// <summary>Divides and selects rows by scores that are given, with the engine's plan for these.</summary>
    /// <param name="runner">The backend.</param>
    /// <param name="policy">Says how rows are divided and how many sinks there are; its window and its own scores are not used.</param>
    /// <param name="scores"><c>[heads][n]</c>, rounded to float32.</param>
    /// <param name="rows">Rows per head, at least the sinks and at most n.</param>
    /// <param name="number">Number of the layer, for policies with a table of heads.</param>
    public static EvictionDecision OfScores(PlanRunner runner, EvictionPolicy policy, double[][] scores, int rows, int number = 0)
    {
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(scores);
        (int heads, int n) = (scores.Length, scores[0].Length);
        HostStore store = Store(heads, n, headDim: 1, new double[heads * n], new double[heads * n]);
        EvictionProgram program = EvictionProgram.ByGivenScores(policy, store.Store with { Rows = 0 }, [], n, n, CountsOf(policy));
        Dictionary<Slot, HostValue> inputs = new() { [program.Scores!] = HostTensor.F32([.. scores.SelectMany(row => row)], heads, n) };
        return Run(runner, program, policy, store, inputs, queries: 0, rows * heads, (policy.Sinks, 0), number);
    }

    /// <summary>The same rows divided by another rule, each head's best first, by definition: <see cref="Allocation"/>.</summary>
    public EvictionDecision By(HeadAllocation rule, Ratio floorShare)
    {
        int[] counts = Allocation.Counts(CandidateScores, Total, rule, floorShare);
        return Choose([.. counts.Select(count => count + Protected)]) with { Rule = rule, FloorShare = floorShare, Fixed = null };
    }

    private EvictionDecision Choose(int[] counts) => this with
    {
        Counts = counts,
        Rows = [.. Ranked.Select((row, h) => Allocation.Rows(row, First, Candidates, counts[h] - Protected))],
    };

    private static EvictionDecision Run(
        PlanRunner runner, EvictionProgram program, EvictionPolicy policy, HostStore store, Dictionary<Slot, HostValue> inputs, int queries, int total,
        (int Sinks, int Window) kept, int number)
    {
        ArgumentNullException.ThrowIfNull(runner);
        int tokens = store.Lengths[0], window = Math.Min(kept.Window, tokens), sinks = Math.Min(kept.Sinks, tokens - window);
        inputs[program.From] = store;
        Dictionary<Symbol, int> symbols = new()
        {
            [program.Sequence] = 0, [program.Tokens] = tokens, [program.Length] = tokens, [program.Total] = total, [program.Sinks] = sinks,
            [program.Window] = window, [program.Queries] = queries, [program.Protected] = 0, [program.Slack] = 0,
        };
        if (policy.Table is HeadTable table)
        {
            inputs[program.Counts!] = HostTensor.I32(table.Split(number, store.Lengths, sinks + window, total));
        }

        AllocateHeadsOp? divide = program.Plan.Ops.OfType<AllocateHeadsOp>().SingleOrDefault(); // none where counts are given
        SelectRowsOp select = program.Plan.Ops.OfType<SelectRowsOp>().Single();
        Slot divided = divide?.Scores ?? select.Scores;
        Slot[] shown = [.. new[] { divided, select.Scores, select.Counts, select.Y }.Distinct().Where(slot => !inputs.ContainsKey(slot))];
        PlanResults results = runner.Run(Scenario.Of(program.Plan.Showing(shown), inputs, symbols, (program.To!, total)));
        int[] counts = policy.Table is null ? results.Integers(select.Counts) : policy.Table.Split(number, store.Lengths, sinks + window, total);
        return new(
            Scores(divided), Scores(select.Scores), counts, Laws.Eviction.Split(counts, results.Integers(select.Y)),
            sinks, window, policy.Heads, policy.Floor) { Fixed = policy.Table?.Quotas(number, store.Lengths, sinks + window, total) };

        float[][] Scores(Slot slot)
        {
            double[] scores = inputs.TryGetValue(slot, out HostValue? given) ? ((HostTensor)given).Reals : results.Reals(slot);
            return [.. scores.Select(x => (float)x).Chunk(tokens)];
        }
    }

    private static EvictionExtras CountsOf(EvictionPolicy policy) => policy.Table is null ? EvictionExtras.None : EvictionExtras.GivenCounts;

    // Quotas without the protected rows, over one denominator.
    private (BigInteger[] Numerators, BigInteger Denominator) OverOne(Ratio[] quotas)
    {
        BigInteger unit = quotas.Aggregate(BigInteger.One, (all, q) => all * q.Denominator / BigInteger.GreatestCommonDivisor(all, q.Denominator));
        return ([.. quotas.Select(q => (q.Numerator * (unit / q.Denominator)) - (Protected * unit))], unit);
    }

    private static HostStore Store(int kvHeads, int tokens, int headDim, double[] keys, double[] values)
    {
        int[] lengths = [.. Enumerable.Repeat(tokens, kvHeads)];
        return new(
            new(1, kvHeads, headDim, DType.F32, (long)kvHeads * tokens), keys, values,
            [.. lengths.SelectMany(n => Enumerable.Range(0, n))], [.. lengths.Select((n, h) => (long)h * n)], lengths, lengths);
    }

    // The query of position p lies at p mod w.
    private static double[] Ring(double[][] queries, int tokens)
    {
        int w = queries.Length;
        return [.. Enumerable.Range(0, w).SelectMany(slot => queries[(slot + w - (tokens % w)) % w])];
    }
}
