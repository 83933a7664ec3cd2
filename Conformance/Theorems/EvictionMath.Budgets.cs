using KvIL.Conformance.Theory;
using KvIL.Eviction;

namespace KvIL.Conformance.Theorems;

/// <summary>What an allocator of one's own promises beyond an exact total; a law that needs more is skipped, and the report says so.</summary>
[Flags]
public enum AllocatorClaims
{
    /// <summary>The total is met, no head exceeds its candidates, equal input gives equal output.</summary>
    None = 0,

    /// <summary>Between heads of equal length no head loses a row when the total grows.</summary>
    Monotone = 1,

    /// <summary>A common positive factor on all scores changes nothing.</summary>
    ScaleInvariant = 2,

    /// <summary>Without ties budgets follow their heads, to within the one row of a rounding.</summary>
    Equivariant = 4,

    /// <summary>All of them.</summary>
    All = Monotone | ScaleInvariant | Equivariant,
}

/// <content>
/// Budgets of heads and layers: integers, totals met exactly. <c>scores[i]</c> are head i's candidates in ascending position; heads may
/// differ in length.
/// </content>
public partial class EvictionMath
{
    /// <summary>What <see cref="Allocate"/> promises.</summary>
    public virtual AllocatorClaims Claims => AllocatorClaims.All;

    /// <summary>An allocator of one's own: rows of each head, <c>Σ = min(total, candidates)</c>; by default the blend with r = 1/5.</summary>
    public virtual int[] Allocate(float[][] scores, long total) => AllocateHeads(scores, total, HeadAllocation.Blend, new(1, 5));

    /// <summary>The four rules of <see cref="HeadAllocation"/>; r is the uniform share of a blend or a floor.</summary>
    public virtual int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r) =>
        Allocation.Counts(scores, total, rule, r);

    /// <summary>Heads weighted by their norms: counts in the global top B of <c>C_i A_i</c>, which minimises ε_head.</summary>
    public virtual int[] AllocateWeighted(double[][] a, double[] norms, int total) => Allocation.Weighted(a, norms, total);

    /// <summary>Rows of each layer, the same for all: <c>min(rows, n)</c>.</summary>
    public virtual int[] UniformLayers(int rows, int candidates, int layers) =>
        Budgets(layers, budgets => LayerBudgets.Uniform(rows, candidates, budgets));

    /// <summary>PyramidKV's falling schedule with the exact total <c>L · min(rows, n)</c>.</summary>
    public virtual int[] PyramidExact(int rows, int candidates, int beta, int layers) =>
        Budgets(layers, budgets => LayerBudgets.PyramidExact(rows, candidates, beta, budgets));

    /// <summary>The integer schedule of the AdaKV repository and KVCache-Factory, drift included.</summary>
    public virtual int[] PyramidCompat(int rows, int candidates, int beta, int layers) =>
        [.. Enumerable.Range(0, layers).Select(l => LayerBudgets.PyramidCompat(rows, candidates, beta, l, layers))];

    /// <summary>PrefixKV's split: the least retained share of importance is as large as it can be; weights descend.</summary>
    public virtual int[] PrefixSplit(long[][] weights, long total, int least) =>
        Budgets(weights.Length, budgets => PrefixBudgets.Maximin(weights, total, least, budgets));

    /// <summary>A total in proportion to weights, at most the capacities, by largest remainder.</summary>
    public virtual int[] ProportionalSplit(long[] weights, int[] capacities, long total) =>
        Budgets(weights.Length, budgets => ProportionalBudgets.Split(weights, capacities, total, budgets));

    /// <summary><c>⌊T · (1 − ρ)⌋</c>, exactly.</summary>
    public virtual int KeepCount(int seqLen, Ratio compressionRatio) => LayerBudgets.KeepCount(seqLen, compressionRatio);

    /// <summary>kvpress's <c>int(T * (1 - ratio))</c> in doubles.</summary>
    public virtual int KeepCountCompat(int seqLen, double compressionRatio) => LayerBudgets.KeepCountCompat(seqLen, compressionRatio);

    /// <summary>Rows that a share of n is: <c>round(share · n)</c>, halves to even.</summary>
    public virtual long BudgetRows(Ratio share, long n) => share.RoundHalfEven(n);

    /// <summary>Ada-KV's published head budget: <c>round_half_even(f (1 − r) + ⌊base · r⌋)</c> in float32, at most n.</summary>
    public virtual int AdaBudgetCompat(int adaptive, int layerBase, double r, int candidates) =>
        Compat.AdaBudget(adaptive, layerBase, r, candidates);

    private delegate void Fill(Span<int> budgets);

    private static int[] Budgets(int count, Fill fill)
    {
        int[] budgets = new int[count];
        fill(budgets);
        return budgets;
    }
}
