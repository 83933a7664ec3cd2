using System.Globalization;
using KvIL.Cli.Commands;
using KvIL.Inference.Explanation;
using KvIL.Inference.Runtime;
using Spectre.Console;
using static KvIL.Cli.Explanation.ExplainWords;

namespace KvIL.Cli.Explanation;

/// <summary>An explanation for people, in 100 columns.</summary>
internal static class ExplainText
{
    private const int MostTokens = 10;
    private const int MostStretches = 8;
    private const int StretchWidth = 60;

    public static void Write(Terminal terminal, Explained explained)
    {
        EvictionExplanation e = explained.Eviction;
        foreach (string sentence in Outline(e))
        {
            terminal.WriteLine(sentence);
        }

        if (!e.Evicted)
        {
            return;
        }

        StoreExplanation shown = explained.Shown;
        terminal.Write(Stores(e));
        string why = shown == e.MostUneven && shown.Spread > 0 ? ", whose heads' budgets differ most" : "";
        terminal.WriteLine($"Layer {Layers(shown)}{why}: {N(shown.Rows)} of {N(shown.All)} rows.");
        terminal.WriteLine(Always(shown));
        if (shown.Rows < shown.All)
        {
            terminal.WriteLine(Split(shown, e.Policy.Floor));
            terminal.Write(Heads(shown));
            terminal.Write(Tokens(explained, shown));
        }

        terminal.WriteLine("Tokens that most heads kept for their rank:");
        terminal.Write(MostKept(explained));
        WriteForgotten(terminal, explained);
    }

    private static Table Stores(EvictionExplanation e)
    {
        Table table = Numbers("layer", "quota", "rows kept", "least head", "most", "kept score", "loss L", "bound ε");
        foreach (StoreExplanation store in e.Stores)
        {
            EvictionCost? worst = store.Costs.MaxBy(cost => cost.Loss);
            Row(
                table, Layers(store), store.Quota is { } quota ? Exactly(quota) : "compared", N(store.Rows),
                N(store.Heads.Min(head => head.Rows)), N(store.Heads.Max(head => head.Rows)), Percent(store.ScoreShare),
                worst is null ? "" : G(worst.Loss), worst is null ? "" : G(worst.Epsilon));
        }

        return table;
    }

    private static Table Heads(StoreExplanation store)
    {
        Table table = Numbers("head", "f", "u", "quota", "rows", "kept by rank", "of", "score at the cut");
        foreach (HeadExplanation head in store.Heads)
        {
            Row(
                table, N(head.Head), N(head.Quota.Adaptive), Exactly(head.Quota.Uniform), Exactly(head.Quota.Quota), N(head.Rows),
                N(head.KeptByRank), N(head.Ranked), head.Cut is float cut ? G(cut) : "none kept");
        }

        return table;
    }

    // Where the cut fell: the best tokens, the last that stayed, the first that went.
    private static Table Tokens(Explained explained, StoreExplanation store)
    {
        Table table = EvalTables.Plain().AddColumn(new TableColumn("head").RightAligned());
        table.AddColumns("best tokens", "last kept", "first dropped");
        foreach (HeadExplanation head in store.Heads)
        {
            string[] best = [.. Enumerable.Range(1, Math.Min(4, head.KeptByRank)).Select(rank => Spell(explained, head, rank))];
            Row(
                table, N(head.Head), Shorten(string.Join(' ', best), 48),
                head.KeptByRank == 0 ? "" : Shorten(Spell(explained, head, head.KeptByRank), 16),
                head.KeptByRank == head.Ranked ? "" : Shorten(Spell(explained, head, head.KeptByRank + 1), 16));
        }

        return table;
    }

    private static Table MostKept(Explained explained)
    {
        EvictionExplanation e = explained.Eviction;
        Table table = EvalTables.Plain();
        table.AddColumn(new TableColumn("position").RightAligned()).AddColumn("token");
        table.AddColumn(new TableColumn($"heads of {e.Heads}").RightAligned()).AddColumn("in the text");
        foreach (int position in TokenLists.MostKept(e, MostTokens))
        {
            Row(table, N(position), Shorten(TokenText.Quoted(explained.Tokenizer, e.Prompt[position]), 20), N(e.KeptBy[position]), Around(explained, position));
        }

        return table;
    }

    private static void WriteForgotten(Terminal terminal, Explained explained)
    {
        EvictionExplanation e = explained.Eviction;
        IReadOnlyList<Stretch> stretches = Stretch.Of(e);
        int forgotten = stretches.Sum(stretch => stretch.Count);
        if (forgotten == 0)
        {
            terminal.WriteLine("Every token is kept by a head.");
            return;
        }

        bool all = stretches.Count <= MostStretches;
        terminal.WriteLine($"{N(forgotten)} of {N(e.Prompt.Count)} tokens are kept by no head; {(all ? "they" : $"the {MostStretches} longest of {N(stretches.Count)} stretches")} are:");
        Table table = EvalTables.Plain();
        table.AddColumn("positions").AddColumn(new TableColumn("tokens").RightAligned()).AddColumn("text");
        foreach (Stretch stretch in Stretch.Longest(stretches, MostStretches))
        {
            Row(table, stretch.ToString(), N(stretch.Count), Shorten(TokenLists.TextOf(explained, stretch.First, stretch.First + stretch.Count), StretchWidth));
        }

        terminal.Write(table);
    }

    private static string Around(Explained explained, int position) =>
        Shorten(TokenLists.TextOf(explained, Math.Max(0, position - 6), Math.Min(explained.Eviction.Prompt.Count, position + 7)), 48);

    private static string Spell(Explained explained, HeadExplanation head, int rank) =>
        TokenText.Quoted(explained.Tokenizer, explained.Eviction.Prompt[head.Positions[head.RowAt(rank)]]);

    // The middle of a long text is left out.
    private static string Shorten(string text, int width)
    {
        int[] starts = StringInfo.ParseCombiningCharacters(text);
        int half = (width - 1) / 2;
        return starts.Length <= width ? text : $"{text[..starts[width - 1 - half]]}…{text[starts[^half]..]}";
    }

    private static Table Numbers(params string[] columns)
    {
        Table table = EvalTables.Plain();
        foreach (string column in columns)
        {
            table.AddColumn(new TableColumn(column).RightAligned());
        }

        return table;
    }

    private static void Row(Table table, params string[] cells) => table.AddRow([.. cells.Select(cell => new Text(cell))]);
}
