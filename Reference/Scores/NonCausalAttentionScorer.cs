using System.Buffers;
using System.Runtime.Intrinsics;
using KvIL.Eviction.Scores;
using KvIL.Ops;
using KvIL.Reference.Kernels;
using KvIL.Reference.Simd;
using KvIL.Tensors;

namespace KvIL.Reference.Scores;

/// <summary>What the rows of a chunk give each other, C(j) the chunk of j in the order of rows.</summary>
/// <remarks>
/// <code>
/// c[g, j] = mean_{i in g} Σ_{t in C(j)} softmax_{j' in C(j)}( q_i(t) · k(j') )[j]        t: rows whose query is at hand
/// s       = z( pool₃( c[g, j] · ‖v[g, j]‖₂ ) )
/// </code>
/// </remarks>
internal sealed unsafe class NonCausalAttentionScorer(NonCausalAttentionScore rule) : RuleScorer(rule)
{
    private readonly int _chunk = rule.Chunk;

    /// <inheritdoc/>
    public override void Score(ScoreView x)
    {
        double[][] s = RowScores.GroupMean(x, RowScores.Of(x, x.QueryHeads, i => ColumnSums(x, i)));
        x.ForEach(x.KvHeads, g =>
        {
            ReadOnlySpan<float> values = x.Values(g);
            for (int j = 0; j < s[g].Length; j++) s[g][j] *= RealLanes.Norm(RealLanes.Row(values, j, x.HeadDim));
            s[g] = RowScores.Pool(s[g], s[g].Length, 3);
        });
        RowScores.ZNormalise(s);
        RowScores.Write(x, s);
    }

    private double[] ColumnSums(ScoreView x, int queryHead)
    {
        int g = x.KvHead(queryHead), d = x.HeadDim, rows = x.Rows(g), oldest = x.Tokens - x.Queries;
        ReadOnlySpan<int> positions = x.Positions(g);
        double[] sums = new double[rows];
        int chunk = Math.Min(_chunk, rows);
        float[] rented = ArrayPool<float>.Shared.Rent(checked((int)((chunk * (long)Tile.Width) + AttentionPanel.ScratchFloats(d))));
        fixed (float* weights = rented, keys = x.Keys(g), queries = x.QueriesOf(queryHead))
        {
            float* panel = weights + (chunk * (long)Tile.Width);
            for (int first = 0; first < rows; first += _chunk)
            {
                int count = Math.Min(_chunk, rows - first), lanes = 0;
                for (int j = first; j < first + count; j++)
                {
                    int query = positions[j] - oldest;
                    if (query >= 0 && query < x.Queries) Panel.PackLane(queries + ((long)query * d), lanes++, d, panel);
                    if (lanes == 0 || (lanes < Tile.Width && j < first + count - 1)) continue;
                    AddPanel((byte*)(keys + ((long)first * d)), count, d, lanes, panel, weights, sums.AsSpan(first));
                    lanes = 0;
                }
            }
        }

        ArrayPool<float>.Shared.Return(rented);
        return sums;
    }

    private static void AddPanel(byte* keys, int rows, int d, int lanes, float* panel, float* weights, Span<double> sums)
    {
        for (int lane = lanes; lane < Tile.Width; lane++) Panel.ClearLane(lane, d, panel);
        AttentionPanel.Logits(keys, DType.F32, rows, d, panel, weights);
        for (int lane = 0; lane < lanes; lane += Lanes.Count)
        {
            Vector256<float> share = AttentionPanel.Softmax(weights + lane, rows, positions: null, 0, new AttentionRule(1), 1);
            share = AttentionPanel.FirstLanes(share, lanes - lane);
            for (int j = 0; j < rows; j++) sums[j] += Lanes.Sum(Vector256.Load(weights + ((long)j * Tile.Width) + lane) * share);
        }
    }
}
