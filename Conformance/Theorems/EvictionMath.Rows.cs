using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Tensors;

namespace KvIL.Conformance.Theorems;

/// <content>Which rows stay, and the ragged store that holds them.</content>
public partial class EvictionMath
{
    /// <summary>Rows of a run at its start that are always kept, that compete, and at its end that are always kept.</summary>
    public virtual (int Sinks, int Candidates, int Window) Protect(int length, int sinks, int window) => (
        ProtectedRows.Sinks(length, sinks, window), ProtectedRows.Candidates(length, sinks, window), ProtectedRows.Window(length, window));

    /// <summary>The rows of one run that stay, ascending: all outside <c>[begin, begin + count)</c>, and the best <paramref name="keep"/> inside.</summary>
    /// <remarks>The order is (score descending, position ascending); NaN orders as −∞, −0 as +0.</remarks>
    public virtual int[] SelectRows(float[] scores, int begin, int count, int keep) => Allocation.Rows(scores, begin, count, keep);

    /// <summary>Kept rows of every head of a layer: protected rows, and the candidates that a total leaves each head.</summary>
    /// <param name="scores"><c>[h][T]</c>.</param>
    /// <param name="total">Rows of all heads, protected ones included; no less than those.</param>
    /// <param name="sinks">First rows that are always kept.</param>
    /// <param name="window">Last rows that are always kept.</param>
    /// <param name="rule">How the rest is divided over the heads; null for <see cref="Allocate"/>.</param>
    /// <param name="r">The uniform share of a blend or floor.</param>
    public virtual int[][] Evict(float[][] scores, long total, int sinks, int window, HeadAllocation? rule, Ratio r)
    {
        ArgumentNullException.ThrowIfNull(scores);
        var parts = scores.Select(row => Protect(row.Length, sinks, window)).ToArray();
        float[][] candidates = [.. scores.Zip(parts, (row, p) => row[p.Sinks..(p.Sinks + p.Candidates)])];
        long left = total - parts.Sum(p => (long)p.Sinks + p.Window);
        int[] counts = rule is { } named ? AllocateHeads(candidates, left, named, r) : Allocate(candidates, left);
        return [.. scores.Select((row, h) => SelectRows(row, parts[h].Sinks, parts[h].Candidates, counts[h]))];
    }

    /// <summary>The store that holds the rows <c>kept[h]</c> of each head.</summary>
    public virtual HeadRows Compact(HeadRows store, int[][] kept)
    {
        ArgumentNullException.ThrowIfNull(store);
        return new([.. store.Keys.Select((k, h) => kept[h].Select(r => k[r]).ToArray())],
            [.. store.Values.Select((v, h) => kept[h].Select(r => v[r]).ToArray())],
            [.. store.Positions.Select((p, h) => kept[h].Select(r => p[r]).ToArray())]);
    }

    /// <summary>The store with <paramref name="added"/> behind each head's rows.</summary>
    public virtual HeadRows Append(HeadRows store, HeadRows added)
    {
        ArgumentNullException.ThrowIfNull(store);
        ArgumentNullException.ThrowIfNull(added);
        return new([.. store.Keys.Zip(added.Keys, (a, b) => a.Concat(b).ToArray())],
            [.. store.Values.Zip(added.Values, (a, b) => a.Concat(b).ToArray())],
            [.. store.Positions.Zip(added.Positions, (a, b) => a.Concat(b).ToArray())]);
    }

    /// <summary>The store without the last <paramref name="rows"/> rows of each head.</summary>
    public virtual HeadRows Rollback(HeadRows store, int rows)
    {
        ArgumentNullException.ThrowIfNull(store);
        return new([.. store.Keys.Select(k => k[..^rows])], [.. store.Values.Select(v => v[..^rows])], [.. store.Positions.Select(p => p[..^rows])]);
    }

    /// <summary><c>o_i = Σ_r softmax_r(q_i · k_{i/G}(r) / √d) v_{i/G}(r)</c> for one query of each query head; 0 where a head holds no row.</summary>
    public virtual double[][] Attend(double[][] queries, HeadRows store)
    {
        ArgumentNullException.ThrowIfNull(queries);
        ArgumentNullException.ThrowIfNull(store);
        int group = queries.Length / store.Keys.Length;
        return [.. queries.Select((q, i) =>
        {
            (double[][] k, double[][] v) = (store.Keys[i / group], store.Values[i / group]);
            double[] o = new double[q.Length];
            if (k.Length == 0) return o;
            double[] a = Softmax([.. k.Select(row => Arrays.Dot(q, row) / Math.Sqrt(q.Length))]);
            for (int r = 0; r < a.Length; r++)
            {
                for (int c = 0; c < o.Length; c++) o[c] += a[r] * v[r][c];
            }

            return o;
        })];
    }

    /// <summary><c>cu[0] = 0, cu[h + 1] = cu[h] + len[h]</c>: where each head's rows start in a pool without gaps.</summary>
    public virtual long[] CuSeqLens(int[] lengths)
    {
        ArgumentNullException.ThrowIfNull(lengths);
        long[] cu = new long[lengths.Length + 1];
        for (int h = 0; h < lengths.Length; h++) cu[h + 1] = cu[h] + lengths[h];
        return cu;
    }

    /// <summary>Bytes of a store of one sequence: a key, a value and a position a row, a start, a length and a capacity a head.</summary>
    public virtual long StoreBytes(int[] capacities, int headDim, DType rowType)
    {
        ArgumentNullException.ThrowIfNull(capacities);
        return new StoreSpec(1, capacities.Length, headDim, rowType, capacities.Sum(c => (long)c)).SizeBytes;
    }
}
