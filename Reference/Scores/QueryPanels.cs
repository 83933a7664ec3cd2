using System.Buffers;
using System.Runtime.Intrinsics;
using KvIL.Eviction.Scores;
using KvIL.Reference.Kernels;
using KvIL.Reference.Simd;
using KvIL.Tensors;

namespace KvIL.Reference.Scores;

/// <summary>Attention of all queries at hand of a head, 32 queries at a time.</summary>
internal static unsafe class QueryPanels
{
    /// <summary>Takes attention weights <c>a[t, j]</c> at <c>weights[32 (j − begin) + t − first]</c>; rows outside begin … end − 1 have none.</summary>
    public delegate void Visit(int first, int lanes, int begin, int end, float* weights);

    /// <summary>Visits the panels of a query head in ascending order; lanes beyond the queries hold 0.</summary>
    public static void Scan(ScoreView x, int queryHead, Visit visit)
    {
        int g = x.KvHead(queryHead), d = x.HeadDim, rows = x.Rows(g);
        ReadOnlySpan<int> positions = x.Positions(g);
        float[] rented = ArrayPool<float>.Shared.Rent(checked((int)((rows * (long)Tile.Width) + AttentionPanel.ScratchFloats(d))));
        fixed (float* weights = rented, keys = x.Keys(g), queries = x.QueriesOf(queryHead))
        fixed (int* p = positions)
        {
            float* panel = weights + (rows * (long)Tile.Width);
            for (int first = 0; first < x.Queries; first += Tile.Width)
            {
                int lanes = Math.Min(Tile.Width, x.Queries - first), position = x.Tokens - x.Queries + first;
                int begin = x.Rule.Window is int window ? UpTo(positions, position - window) : 0, end = UpTo(positions, position + lanes - 1 - x.Rule.Lag);
                if (begin >= end) continue;
                Panel.Pack(queries + ((long)first * d), d, lanes, d, panel);
                AttentionPanel.Logits((byte*)(keys + ((long)begin * d)), DType.F32, end - begin, d, panel, weights);
                for (int lane = 0; lane < Tile.Width; lane += Lanes.Count)
                {
                    Vector256<float> share = AttentionPanel.Softmax(weights + lane, end - begin, p + begin, position + lane, x.Rule, 1);
                    AttentionPanel.Scale(weights + lane, end - begin, AttentionPanel.FirstLanes(share, lanes - lane));
                }

                visit(first, lanes, begin, end, weights);
            }
        }

        ArrayPool<float>.Shared.Return(rented);
    }

    /// <summary>How many of ascending positions are at most <paramref name="position"/>.</summary>
    public static int UpTo(ReadOnlySpan<int> positions, int position)
    {
        int found = positions.BinarySearch(position);
        return found < 0 ? ~found : found + 1;
    }

    /// <summary>Sum of the 32 lanes of a row, in a written order.</summary>
    public static float Sum(float* weights) =>
        Lanes.Sum((Vector256.Load(weights) + Vector256.Load(weights + 8)) + (Vector256.Load(weights + 16) + Vector256.Load(weights + 24)));
}
