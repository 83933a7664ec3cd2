using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>Every published score that has a definition here, by the name that policies use.</summary>
public static class ScoreCatalogue
{
    /// <summary>The scores with small windows and chunks, for runs of <paramref name="window"/> rows and more.</summary>
    /// <param name="window">Observation window, at least 2.</param>
    /// <param name="block">Rows of a block or chunk.</param>
    public static IReadOnlyList<(string Name, IScore Score)> All(int window, int block) =>
    [
        ("snapkv", new SnapKv(window, 3)),
        ("snapkv:pool=avg,order=pool-group", new SnapKv(window, 3, PoolKind.Avg, PoolOrder.PoolThenGroup)),
        ("h2o", new H2O(window)),
        ("observed", new ObservedAttention()),
        ("tova", new Tova()),
        ("streaming", new StreamingLlm(2)),
        ("knorm", new Knorm()),
        ("keydiff", new KeyDiff()),
        ("expected", new ExpectedAttention(2, 16, Epsilon: 0.02)),
        ("lagkv", new LagKv(2, block)),
        ("finch", new Finch(window)),
        ("criticalkv", new CriticalKv(new SnapKv(window, 3))),
        ("cake", new Cake(window, Kernel: 3)),
        ("curdkv", new CurDkv(2, block)),
        ("noncausal", new NonCausalAttention(block)),
        ("leverage", new LeverageScore()),
        ("capkv", new CapKv(2, Future: 16)),
        ("qfilter", new QFilter()),
        ("random", new RandomRows(7)),
    ];
}
