using KvIL.Eviction;
using KvIL.Inference.Models;

namespace KvIL.Inference.Runtime;

// Policies whose rows a table splits over heads and layers.
public sealed partial class Engine
{
    /// <summary>Refuses a policy whose table of heads is another model's.</summary>
    /// <exception cref="RequestException">Layers or heads differ.</exception>
    internal static void CheckTable(Model model, EvictionPolicy policy)
    {
        (int stores, int heads) = (model.Transformer.Map.NumStores, model.Config.NumKvHeads);
        if (policy.Table is HeadTable table && (table.Layers, table.Heads) != (stores, heads))
        {
            string kind = stores == model.Config.NumLayers ? "layers" : "stores";
            throw new RequestException(
                $"The head table has {table.Layers} layers of {table.Heads} heads, and {model.Path} has {stores} {kind} of {heads} KV heads; give a weight for each of these.");
        }
    }

    /// <summary>Rows per KV head that each store keeps of a prompt, on average over its heads.</summary>
    /// <exception cref="RequestException">The policy's table is another model's.</exception>
    internal int[] RowsOfStores(EvictionPolicy policy, int tokens)
    {
        CheckTable(Model, policy);
        return StoreRows.Of(policy, tokens, Model.Transformer.Map.NumStores);
    }

    private static EvictionExtras CountsOf(EvictionPolicy policy, Ranking ranking) =>
        policy.Table is null || ranking is Ranking.Recency or Ranking.ScoresOnly ? EvictionExtras.None : EvictionExtras.GivenCounts;

    // Rows of each head of a store; null where heads compete, or nothing is ranked by score.
    private int[]? TableCounts(KvCache from, int store, int sequence, EvictionPolicy policy, Ranking ranking, (int Always, long Total) rows) =>
        CountsOf(policy, ranking) == EvictionExtras.None ? null : policy.Table!.Split(store, Lengths(from, store, sequence), rows.Always, rows.Total);
}
