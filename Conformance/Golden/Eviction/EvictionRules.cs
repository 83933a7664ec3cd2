using KvIL.Conformance.Theory;
using KvIL.Eviction;

namespace KvIL.Conformance.Golden.Eviction;

/// <summary>Splits B rows over heads: <see cref="Allocation.Counts"/> or a kernel.</summary>
public delegate int[] CountRule(float[][] scores, long total, HeadAllocation mode, Ratio floor);

/// <summary>Keeps the best of a head's candidates and everything around them: <see cref="Allocation.Rows"/> or a kernel.</summary>
public delegate int[] RowRule(float[] scores, int begin, int count, int keep);

/// <summary>The decisions that a run over recorded numbers exercises.</summary>
/// <param name="Counts">Head budgets.</param>
/// <param name="Rows">Kept rows.</param>
public sealed record EvictionRules(CountRule Counts, RowRule Rows)
{
    /// <summary>The definitions.</summary>
    public static EvictionRules Definitions { get; } = new(Allocation.Counts, Allocation.Rows);
}
