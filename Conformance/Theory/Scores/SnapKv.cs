using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>How the scores of the query heads that share a KV head become one.</summary>
public enum GroupReduce
{
    /// <summary>They stay apart: keys and values are repeated for every query head.</summary>
    None,

    /// <summary>Their mean, which ranks as their sum does and is what the loss bound asks for.</summary>
    Mean,

    /// <summary>Their maximum.</summary>
    Max,

    /// <summary>Their sum.</summary>
    Sum,
}

/// <summary>SnapKV, and the score of PyramidKV, Ada-KV and HeadKV: pooled attention of the last w queries.</summary>
/// <remarks>
/// SnapKV (arXiv:2404.14469); Ada-KV (arXiv:2407.11550), Algorithm 2, lines 1 to 5. Rows before the window compete.
/// <code>s[g, j] = pool_j( reduce_{i in g} ( mean_t a[i, t, j] ) )     or pool before reduce; SnapKV sums over t</code>
/// </remarks>
/// <param name="Window">w.</param>
/// <param name="Kernel">Pooling kernel, odd; 1 is none.</param>
/// <param name="Pool">Average or maximum.</param>
/// <param name="Order">Group first (AdaKV's code) or pool first (kvpress).</param>
/// <param name="Group">How a group is reduced.</param>
/// <param name="SumOverWindow">SnapKV's sum instead of the mean: the same ranking.</param>
public sealed record SnapKv(
    int Window = 32,
    int Kernel = 7,
    PoolKind Pool = PoolKind.Max,
    PoolOrder Order = PoolOrder.GroupThenPool,
    GroupReduce Group = GroupReduce.Mean,
    bool SumOverWindow = false) : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.WindowQueries;

    /// <inheritdoc/>
    public (int Begin, int Count) Candidates(int length) => (0, ProtectedRows.Candidates(length, 0, Window));

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        double[,,] a = x.WindowAttention(Window);
        int heads = Group == GroupReduce.None ? a.GetLength(0) : x.KvHeads;
        double[,] s = WindowScores.Scores(a, heads, Kernel, Pool, Order, Reduce(Group));
        return SumOverWindow ? Arrays.Table(heads, s.GetLength(1), (g, j) => Window * s[g, j]) : s;
    }

    /// <summary>The reduction as a function of a group's scores.</summary>
    public static Func<IEnumerable<double>, double> Reduce(GroupReduce group) => group switch
    {
        GroupReduce.Max => Enumerable.Max,
        GroupReduce.Sum => Enumerable.Sum,
        _ => Enumerable.Average,
    };
}
