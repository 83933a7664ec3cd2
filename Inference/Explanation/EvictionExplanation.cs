using KvIL.Eviction;

namespace KvIL.Inference.Explanation;

/// <summary>Why each token of a prompt stayed in the cache or went, by store and KV head.</summary>
/// <param name="Policy">The policy.</param>
/// <param name="Prompt">The prompt's tokens.</param>
/// <param name="Question">Tokens that came after the eviction, all kept.</param>
/// <param name="Stores">The stores.</param>
public sealed record EvictionExplanation(
    EvictionPolicy Policy, IReadOnlyList<int> Prompt, IReadOnlyList<int> Question, IReadOnlyList<StoreExplanation> Stores)
{
    /// <summary>Rows kept over all heads of all stores.</summary>
    public long Rows { get; } = Stores.Sum(store => store.Rows);

    /// <summary>Rows before.</summary>
    public long All { get; } = Stores.Sum(store => store.All);

    /// <summary>KV heads of all stores.</summary>
    public int Heads { get; } = Stores.Sum(store => store.Heads.Count);

    /// <summary>By token, the heads that kept it.</summary>
    public IReadOnlyList<int> KeptBy { get; } = Count(Prompt.Count, Stores, _ => true);

    /// <summary>By token, the heads that kept it for its score or age.</summary>
    public IReadOnlyList<int> KeptByRank { get; } = Count(Prompt.Count, Stores, reason => reason is RowReason.Score or RowReason.Recent);

    /// <summary>Whether anything was dropped.</summary>
    public bool Evicted => Rows < All;

    /// <summary>The store whose heads' budgets differ most; of equal ones the first.</summary>
    public StoreExplanation MostUneven => Stores.MaxBy(store => store.Spread)!;

    private static int[] Count(int tokens, IReadOnlyList<StoreExplanation> stores, Predicate<RowReason> counts)
    {
        int[] heads = new int[tokens];
        foreach (HeadExplanation head in stores.SelectMany(store => store.Heads))
        {
            for (int row = 0; row < head.Positions.Count; row++)
            {
                heads[head.Positions[row]] += head.IsKept(row) && counts(head.Reasons[row]) ? 1 : 0;
            }
        }

        return heads;
    }
}
