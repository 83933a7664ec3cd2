using KvIL.Conformance.Theory;
using KvIL.Conformance.Theory.Scores;
using KvIL.Eviction.Scores;
using KvIL.Ops;

namespace KvIL.Conformance.Oracle;

/// <summary>A layer's rows of one sequence and the queries at hand, as the definitions of scores take them.</summary>
/// <param name="Runs">Rows of each KV head.</param>
/// <param name="Queries">Queries at hand, <c>[h, n, d]</c>, the last at <paramref name="Tokens"/> − 1.</param>
/// <param name="Tokens">The position that comes next.</param>
/// <param name="Sinks">Protected first rows.</param>
/// <param name="Window">Protected last rows.</param>
/// <param name="Rule">How logits are made and which rows a query sees.</param>
/// <param name="Rotary">RoPE of the layer.</param>
internal sealed record LayerRows(
    LayerRows.Head[] Runs, double[,,] Queries, int Tokens, int Sinks, int Window, AttentionRule Rule, Rotary Rotary)
{
    public int KvHeads => Runs.Length;

    public int QueryHeads => Queries.GetLength(0);

    public int AtHand => Queries.GetLength(1);

    /// <summary>What an op sees.</summary>
    public static LayerRows Of(
        OracleFrame f, Plans.Slot held, Plans.Slot? window, Tensors.Dim sequence, Tensors.Dim tokens, Tensors.Dim queries, AttentionRule rule)
    {
        OracleStore store = f.Store(held);
        (int d, int kvHeads) = (store.StoreSpec.HeadDim, store.StoreSpec.NumKvHeads);
        int atHand = window is null ? 0 : Math.Min(f.Value(queries), f.Value(tokens));
        double[,,] q = new double[window is null ? kvHeads : window.Tensor.Shape[2].Max / d, atHand, d];
        foreach ((int i, int t) in CacheOps.Pairs(q.GetLength(0), atHand))
        {
            int ring = f.Value(window!.Tensor.Shape[1]), row = (f.Value(sequence) * ring) + ((f.Value(tokens) - atHand + t) % ring);
            for (int c = 0; c < d; c++) q[i, t, c] = f.Reals(window)[row, (i * d) + c];
        }

        Head[] heads = [.. Enumerable.Range(0, kvHeads).Select(h => store.Run(f.Value(sequence), h)).Select(run => new Head(
            Rows(run.Length, d, run.Key), Rows(run.Length, d, run.Value), [.. Enumerable.Range(0, run.Length).Select(run.Position)]))];
        return new(heads, q, f.Value(tokens), 0, 0, rule, Rotary.None);
    }

    /// <summary>A table <c>[1, rows, d]</c>.</summary>
    public static double[,,] Rows(int rows, int d, Func<int, int, double> element)
    {
        double[,,] table = new double[1, rows, d];
        foreach ((int j, int c) in CacheOps.Pairs(rows, d)) table[0, j, c] = element(j, c);
        return table;
    }

    /// <summary>What a score gives each KV head, called with the head as the definitions take it and its number; nothing for a head without rows.</summary>
    public double[][] OfHeads(Func<ScoreInputs, int, double[]> score) =>
        [.. Runs.Select((run, h) => run.Positions.Length == 0 ? [] : score(Inputs(h), h))];

    /// <summary>The main direction of a group's queries, <c>[1, d]</c>.</summary>
    public double[,] Direction(int head)
    {
        double[,,] own = Inputs(head).Queries;
        double[][] queries = [.. Enumerable.Range(0, own.GetLength(0)).SelectMany(i => Arrays.Vectors(own, i))];
        double[] direction = queries.Length == 0 ? new double[own.GetLength(2)] : QFilter.Direction(queries);
        return Arrays.Table(1, direction.Length, (_, c) => direction[c]);
    }

    /// <summary>One KV head and its group.</summary>
    public ScoreInputs Inputs(int head)
    {
        Head run = Runs[head];
        int group = QueryHeads / KvHeads, d = Queries.GetLength(2);
        double[,,] queries = new double[group, AtHand, d];
        foreach ((int i, int t) in CacheOps.Pairs(group, AtHand))
        {
            for (int c = 0; c < d; c++) queries[i, t, c] = Queries[(head * group) + i, t, c];
        }

        return new ScoreInputs(run.Keys)
        {
            Values = run.Values,
            Queries = queries,
            PreRopeKeys = BeforeRope(run.Keys, j => run.Positions[j]),
            PreRopeQueries = BeforeRope(queries, t => Tokens - AtHand + t),
            Positions = run.Positions,
            Tokens = Tokens,
            Rule = Rule,
            Rotary = Rotary,
        };
    }

    // R(−p) x / m
    private double[,,] BeforeRope(double[,,] x, Func<int, int> position)
    {
        double[,,] y = new double[x.GetLength(0), x.GetLength(1), x.GetLength(2)];
        foreach ((int i, int j) in CacheOps.Pairs(y.GetLength(0), y.GetLength(1)))
        {
            double[] turned = Rotation.Turn(Arrays.Vector(x, i, j), -position(j), Rotary.Frequencies);
            for (int c = 0; c < turned.Length; c++) y[i, j, c] = c < 2 * Rotary.Frequencies.Length ? turned[c] / Rotary.Factor : turned[c];
        }

        return y;
    }

    /// <summary>Rows of one KV head: <c>[1, rows, d]</c> each, and their positions.</summary>
    internal sealed record Head(double[,,] Keys, double[,,] Values, int[] Positions);
}
