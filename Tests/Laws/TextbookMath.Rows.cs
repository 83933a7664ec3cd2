using KvIL.Conformance.Theorems;
using KvIL.Eviction;
using KvIL.Tensors;

namespace KvIL.Tests.Laws;

/// <content>Rows and stores.</content>
internal sealed partial class TextbookMath
{
    public override (int Sinks, int Candidates, int Window) Protect(int length, int sinks, int window)
    {
        int last = At(121, Math.Min(length, window), Math.Min(length, Math.Max(0, window - 1)), Math.Min(length, window + 1));
        int first = Math.Min(At(122, length - last, length), At(123, sinks, sinks + 1, 0));
        return (first, length - last - first, last);
    }

    public override int[] SelectRows(float[] scores, int begin, int count, int keep)
    {
        double Rank(float x) => float.IsNaN(x) ? At(124, double.NegativeInfinity, double.PositiveInfinity, 0) : x;
        List<int> rows = [];
        IEnumerable<int> order = Enumerable.Range(begin, count).OrderBy(j => At(125, -1, 1) * Rank(scores[j])).ThenBy(j => At(126, j, -j));
        rows.AddRange(order.Take(At(127, keep, keep - 1, keep + 1)));
        rows.AddRange(Enumerable.Range(0, At(128, begin, Math.Max(0, begin - 1))));
        for (int j = At(129, begin + count, begin + count + 1, begin + count - 1); j < scores.Length; j++) rows.Add(j);
        return At<int[]>(130, [.. rows.Order()], [.. rows], [.. rows.OrderDescending()]);
    }

    public override int[][] Evict(float[][] scores, long total, int sinks, int window, HeadAllocation? rule, Ratio r)
    {
        float[][] candidates = new float[scores.Length][];
        for (int h = 0; h < scores.Length; h++)
        {
            (int first, int count, int last) = Protect(scores[h].Length, sinks, window);
            candidates[h] = scores[h][At(131, first, 0)..At(132, first + count, scores[h].Length)];
            total -= At(133, first + last, last, first);
        }

        int[] counts = rule is { } named ? AllocateHeads(candidates, total, named, r) : Allocate(candidates, total);
        int[][] rows = new int[scores.Length][];
        for (int h = 0; h < scores.Length; h++)
        {
            (int first, int count, _) = Protect(scores[h].Length, sinks, window);
            rows[h] = SelectRows(scores[h], first, count, counts[At(134, h, scores.Length - 1 - h)]);
        }

        return rows;
    }

    public override HeadRows Compact(HeadRows store, int[][] kept)
    {
        int Row(int h, int r) => kept[h][At(135, r, kept[h].Length - 1 - r)];
        T[][] Of<T>(T[][] rows) => [.. rows.Select((x, h) => kept[h].Select((_, r) => x[Row(h, r)]).ToArray())];
        return At(136, new HeadRows(Of(store.Keys), Of(store.Values), Of(store.Positions)), new HeadRows(Of(store.Keys), Of(store.Keys), Of(store.Positions)),
            new HeadRows(Of(store.Keys), Of(store.Values), [.. kept.Select(k => k.ToArray())]));
    }

    public override HeadRows Append(HeadRows store, HeadRows added)
    {
        T[][] Of<T>(T[][] a, T[][] b) => At<T[][]>(137, [.. a.Zip(b, (x, y) => (T[])[.. x, .. y])], [.. a.Zip(b, (x, y) => (T[])[.. y, .. x])], [.. a.Zip(b, (x, y) => (T[])[.. x, .. y.Reverse()])]);
        return new(Of(store.Keys, added.Keys), Of(store.Values, added.Values), Of(store.Positions, added.Positions));
    }

    public override HeadRows Rollback(HeadRows store, int rows)
    {
        T[][] Of<T>(T[][] x) => At<T[][]>(138, [.. x.Select(y => y[..^rows])], [.. x.Select(y => y[rows..])], [.. x.Select(y => y[..^Math.Max(0, rows - 1)])]);
        return new(Of(store.Keys), Of(store.Values), Of(store.Positions));
    }

    public override double[][] Attend(double[][] queries, HeadRows store)
    {
        int kv = store.Keys.Length, group = queries.Length / kv, d = queries[0].Length;
        double[][] outputs = new double[queries.Length][];
        for (int i = 0; i < queries.Length; i++)
        {
            int g = At(139, i / group, i % kv, kv - 1);
            double[] logits = new double[store.Keys[g].Length];
            for (int r = 0; r < logits.Length; r++)
            {
                for (int c = 0; c < d; c++) logits[r] += queries[i][c] * store.Keys[g][r][c] / At(140, Math.Sqrt(d), d, 1);
            }

            double[] p = logits.Length == 0 ? [] : Softmax(logits);
            outputs[i] = new double[d];
            for (int r = 0; r < p.Length; r++)
            {
                for (int c = 0; c < d; c++) outputs[i][c] += p[At(141, r, p.Length - 1 - r)] * store.Values[g][r][At(142, c, d - 1 - c)];
            }
        }

        return outputs;
    }

    public override long[] CuSeqLens(int[] lengths)
    {
        long[] cu = new long[lengths.Length + 1];
        cu[0] = At(143, 0, 1);
        for (int h = 0; h < lengths.Length; h++) cu[h + 1] = At(144, cu[h] + lengths[h], cu[h], lengths[h], cu[h] + lengths[h] + 1);
        return cu;
    }

    public override long StoreBytes(int[] capacities, int headDim, DType rowType)
    {
        long element = At(145, rowType == DType.F32, false, true) ? 4 : 2;
        long row = (At(146, 2, 1) * headDim * element) + At(147, 4, 0, 8);
        return (capacities.Sum(n => (long)n) * row) + (At(148, 16, 8, 0) * capacities.Length);
    }
}
