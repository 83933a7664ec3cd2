using System.Globalization;
using System.Text;
using KvIL.Inference.Explanation;
using KvIL.Inference.Runtime;
using static KvIL.Cli.Explanation.ExplainWords;
using static KvIL.Cli.Explanation.PageText;

namespace KvIL.Cli.Explanation;

/// <summary>The tables of the page, which need no script.</summary>
internal static class PageTables
{
    private const int MostTokens = 20;
    private const int MostStretches = 12;

    /// <summary>Layers, with the budget of each head as a bar.</summary>
    public static string Stores(EvictionExplanation e)
    {
        int heads = e.Stores[0].Heads.Count;
        int most = Math.Max(1, e.Stores.SelectMany(store => store.Heads).Max(head => head.Rows));
        StoreExplanation typical = e.Stores.MinBy(store => store.Rows)!;
        StringBuilder rows = new();
        foreach (StoreExplanation store in e.Stores)
        {
            EvictionCost? worst = store.Costs.MaxBy(cost => cost.Loss);
            rows.Append($"<tr><th scope=\"row\">{Layers(store)}</th><td>{(store.Quota is { } quota ? Exactly(quota) : "compared")}</td><td>{N(store.Rows)}</td>");
            foreach (HeadExplanation head in store.Heads)
            {
                double share = 100.0 * head.Rows / most;
                string title = $"layer {Layers(store)}, head {head.Head}: quota {Exactly(head.Quota.Quota)}, {head.Rows} rows";
                rows.Append(CultureInfo.InvariantCulture, $"<td class=\"head\" style=\"--share: {share:0.#}%\" title=\"{title}\">{N(head.Rows)}</td>");
            }

            rows.Append($"<td>{Percent(store.ScoreShare)}</td><td>{(worst is null ? "" : G(worst.Loss))}</td><td>{(worst is null ? "" : G(worst.Epsilon))}</td></tr>\n");
        }

        string columns = string.Concat(Enumerable.Range(0, heads).Select(head => $"<th scope=\"col\">head {head}</th>"));
        return $"""
            <section aria-labelledby="layers-title">
            <h2 id="layers-title">Budgets of layers and heads</h2>
            <div class="scroll" tabindex="0" role="region" aria-label="Budgets of layers and heads">
            <table>
            <caption>{Encode(Always(typical))} Quota: rows a head, on average over the layer, before rounding; then the rows that each head keeps. {Encode(Split(typical, e.Policy.Floor))} Kept score: share of the sum of scores, of the rows that competed, that the kept ones hold. L: L1 distance of the layer's attention output from the full cache's, at the last query of the prompt, with its bound ε.</caption>
            <thead><tr><th scope="col">layer</th><th scope="col">quota</th><th scope="col">rows of {N(typical.All)}</th>{columns}<th scope="col">kept score</th><th scope="col">loss L</th><th scope="col">bound ε</th></tr></thead>
            <tbody>
            {rows}</tbody>
            </table>
            </div>
            </section>

            """;
    }

    /// <summary>Tokens that most heads kept, and those that none did.</summary>
    public static string Lists(Explained explained) => $"""
        <section class="columns" aria-label="Tokens kept by most heads and by none">
        {MostKept(explained)}{Forgotten(explained)}</section>

        """;

    private static string MostKept(Explained explained)
    {
        EvictionExplanation e = explained.Eviction;
        IEnumerable<string> rows = TokenLists.MostKept(e, MostTokens).Select(position =>
            $"<tr><th scope=\"row\">{N(position)}</th><td class=\"text\"><code>{Encode(TokenText.Quoted(explained.Tokenizer, e.Prompt[position]))}</code></td><td>{N(e.KeptBy[position])}</td></tr>\n");
        return $"""
            <div>
            <h2>Kept by most heads</h2>
            <table>
            <caption>Tokens that most of the {N(e.Heads)} heads kept for their rank.</caption>
            <thead><tr><th scope="col">position</th><th scope="col" class="text">token</th><th scope="col">heads</th></tr></thead>
            <tbody>
            {string.Concat(rows)}</tbody>
            </table>
            </div>

            """;
    }

    private static string Forgotten(Explained explained)
    {
        EvictionExplanation e = explained.Eviction;
        IReadOnlyList<Stretch> all = Stretch.Of(e);
        string caption = all.Count == 0 ? "Every token is kept by a head."
            : $"{N(all.Sum(stretch => stretch.Count))} of {N(e.Prompt.Count)} tokens are kept by no head; the longest of {N(all.Count)} stretches.";
        IEnumerable<string> rows = Stretch.Longest(all, MostStretches).Select(stretch =>
            $"<tr><th scope=\"row\">{stretch}</th><td>{N(stretch.Count)}</td><td class=\"wrap\">{Encode(TokenLists.TextOf(explained, stretch.First, stretch.First + stretch.Count))}</td></tr>\n");
        return $"""
            <div>
            <h2>Kept by no head</h2>
            <table>
            <caption>{caption}</caption>
            <thead><tr><th scope="col">positions</th><th scope="col">tokens</th><th scope="col" class="text">text</th></tr></thead>
            <tbody>
            {string.Concat(rows)}</tbody>
            </table>
            </div>

            """;
    }
}
