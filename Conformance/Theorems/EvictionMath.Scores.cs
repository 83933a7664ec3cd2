using KvIL.Eviction;

namespace KvIL.Conformance.Theorems;

/// <content>Scores of the SnapKV family. q <c>[h, T, d]</c> and k <c>[kv, T, d]</c> after RoPE; query head i reads KV head i / G.</content>
public partial class EvictionMath
{
    /// <summary><c>softmax(x)_j = exp(x_j − max x) / Σ exp(x − max x)</c>; −∞ has weight 0.</summary>
    public virtual double[] Softmax(IReadOnlyList<double> logits) => Theory.WindowScores.Softmax(logits);

    /// <summary><c>a[i, t, ·] = softmax_j( q_i(T − w + t) · k_{i/G}(j) / √d )</c> over <c>j ≤ T − w + t</c>, <c>[h, w, T]</c>.</summary>
    public virtual double[,,] WindowAttention(double[,,] q, double[,,] k, int window) => Theory.WindowScores.Attention(q, k, window);

    /// <summary><c>s[i, j] = mean_t a[i, t, j]</c> for the keys before the window, <c>[h, T − w]</c>; not renormalised.</summary>
    public virtual double[,] WindowMean(double[,,] a)
    {
        ArgumentNullException.ThrowIfNull(a);
        return Theory.WindowScores.MeanOverWindow(a, a.GetLength(2) - a.GetLength(1));
    }

    /// <summary><c>out[g, j] = mean { s[i, j] : i / G = g }</c>, <c>[kv, n]</c>.</summary>
    public virtual double[,] GroupReduce(double[,] s, int kvHeads) => Theory.WindowScores.Group(s, kvHeads, Enumerable.Average);

    /// <summary><c>max or (1/k) Σ of s[i, j + o], |o| ≤ (k − 1)/2</c>; beyond the ends −∞ for max and 0 for avg.</summary>
    /// <exception cref="ArgumentException">The kernel is even.</exception>
    public virtual double[,] Pool(double[,] s, int kernel, PoolKind kind) => kernel % 2 == 1
        ? Theory.WindowScores.Pool(s, kernel, kind)
        : throw new ArgumentException($"expected an odd kernel, got {kernel}.", nameof(kernel));

    /// <summary>The scores of a layer: mean over the window, then group and pool in the order given, <c>[kv, T − w]</c>.</summary>
    public virtual double[,] WindowScores(double[,,] q, double[,,] k, int window, int kernel, PoolKind kind, PoolOrder order)
    {
        ArgumentNullException.ThrowIfNull(k);
        double[,] mean = WindowMean(WindowAttention(q, k, window));
        return order == PoolOrder.GroupThenPool
            ? Pool(GroupReduce(mean, k.GetLength(0)), kernel, kind)
            : GroupReduce(Pool(mean, kernel, kind), k.GetLength(0));
    }
}
