using KvIL.Eviction;
using KvIL.Inference.Models;
using KvIL.Sharing;

namespace KvIL.Inference.Runtime;

// Policies whose rows a table splits over heads and layers.
public sealed partial class Engine
{
    /// <summary>Refuses a policy whose table of heads is another model's.</summary>
    /// <exception cref="RequestException">Layers or heads differ.</exception>
    internal static void CheckTable(Model model, EvictionPolicy policy)
    {
        SharingMap map = model.Transformer.Map;
        (int stores, int heads) = (map.NumStores, model.Config.NumKvHeadsOf(map.Owner(0)));
        if (policy.Table is not HeadTable table) return;
        if (Enumerable.Range(0, stores).Any(store => model.Config.NumKvHeadsOf(map.Owner(store)) != heads))
        {
            throw new RequestException($"A head table has equally many heads in every layer, and those of {model.Path} differ; use ada-snapkv, which finds the split by itself.");
        }

        if ((table.Layers, table.Heads) != (stores, heads))
        {
            string kind = stores == model.Config.NumLayers ? "layers" : "stores";
            throw new RequestException(
                $"The head table has {table.Layers} layers of {table.Heads} heads, and {model.Path} has {stores} {kind} of {heads} KV heads; give a weight for each of these.");
        }
    }

    // Whether one total is divided over the heads of all stores by a rule that only the host can apply to them all.
    private static bool DividesHeads(EvictionPolicy policy) => policy.Layers == LayerAllocation.Global && policy.Heads != HeadAllocation.Pure;

    private static EvictionExtras CountsOf(EvictionPolicy policy, Ranking ranking) =>
        policy.Table is null || ranking is Ranking.Recency or Ranking.ScoresOnly ? EvictionExtras.None : EvictionExtras.GivenCounts;

    // Rows of each head of a store; null where heads compete, or nothing is ranked by score.
    private int[]? TableCounts(KvCache from, int store, int sequence, EvictionPolicy policy, Ranking ranking, (int Always, long Total) rows) =>
        CountsOf(policy, ranking) == EvictionExtras.None ? null : policy.Table!.Split(store, Lengths(from, store, sequence), rows.Always, rows.Total);
}
