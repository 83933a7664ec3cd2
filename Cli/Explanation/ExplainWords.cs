using System.Globalization;
using KvIL.Eviction;
using KvIL.Inference.Explanation;

namespace KvIL.Cli.Explanation;

/// <summary>The words and numbers that the text and the page share.</summary>
internal static class ExplainWords
{
    public static string N(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    /// <summary>A number of any size in four digits.</summary>
    public static string G(double value) => value.ToString("G4", CultureInfo.InvariantCulture).Replace("E-0", "E-", StringComparison.Ordinal);

    public static string Percent(double? share) => share is double s ? (100 * s).ToString("0.0", CultureInfo.InvariantCulture) + " %" : "";

    /// <summary>A fraction exactly: a decimal where it ends soon, else two places and the fraction.</summary>
    public static string Exactly(Ratio ratio) => ratio.ToString() is { Length: <= 9 } text && !text.Contains('/', StringComparison.Ordinal)
        ? text
        : string.Create(CultureInfo.InvariantCulture, $"{Value(ratio):0.00} = {ratio.Numerator}/{ratio.Denominator}");

    /// <summary>A fraction as the nearest double.</summary>
    public static double Value(Ratio ratio) => (double)ratio.Numerator / ratio.Denominator;

    /// <summary>The layers that read a store: 3, or 3+4.</summary>
    public static string Layers(StoreExplanation store) => string.Join('+', store.Layers);

    /// <summary>Policy, budget and what stayed, a sentence each.</summary>
    public static string[] Outline(EvictionExplanation e)
    {
        string tokens = $"{N(e.Prompt.Count)} tokens";
        if (!e.Evicted)
        {
            return [$"{e.Policy.Name} at {e.Policy.Budget}: the prompt's {tokens} do not exceed the budget or the window, so everything stays."];
        }

        string budget = e.Policy.Budget.Share is Ratio share
            ? $"{e.Policy.Budget} of {tokens} is {new Ratio(checked(share.Numerator * e.Prompt.Count), share.Denominator)} rows a head"
            : $"{e.Policy.Budget} rows a head of {tokens}";
        string stores = e.Stores.All(store => store.Layers.Length == 1) ? $"{e.Stores.Count} layers" : $"{e.Stores.Count} stores";
        string question = e.Question.Count == 0 ? "" : $" {N(e.Question.Count)} tokens of the question come after and stay.";
        return
        [
            $"{e.Policy.Name}: {budget}, in {stores} of {e.Stores[0].Heads.Count} KV heads.",
            $"{N(e.Rows)} of {N(e.All)} rows stay ({Percent((double)e.Rows / e.All)}).{question}",
        ];
    }

    /// <summary>What was kept whatever its score, and what ranked the rest.</summary>
    public static string Always(StoreExplanation store)
    {
        string sinks = store.Sinks == 0 ? "" : store.Sinks == 1 ? "first row" : $"first {store.Sinks} rows";
        string window = store.Window == 0 ? "" : store.Window == 1 ? "last row" : $"last {store.Window} rows";
        string both = $"{sinks}{(sinks.Length > 0 && window.Length > 0 ? " and the " : "")}{window}";
        string rest = store.ByScore ? "by score" : "by age, the newest first";
        return store.Rows == store.All ? "Every row stays."
            : both.Length == 0 ? $"All rows are ranked {rest}." : $"The {both} of a head always stay; the rest are ranked {rest}.";
    }

    /// <summary>How rows were split over the heads.</summary>
    public static string Split(StoreExplanation store, Ratio floor) => store.Rule switch
    {
        HeadAllocation.Blend => $"quota = {new Ratio(floor.Denominator - floor.Numerator, floor.Denominator)} f + {floor} u; f: rows among the best of all heads, u: the uniform share.",
        HeadAllocation.Pure => "quota = f, the rows among the best of all heads.",
        HeadAllocation.Floor or HeadAllocation.Mask => $"{floor} of the uniform share u is promised to each head, the rest goes to the best rows of all.",
        HeadAllocation.Table => "quota = the head's share of the rows by its weight in the table; f: rows among the best of all heads, had they competed.",
        _ => "quota = u, the uniform share; f: rows among the best of all heads, had they competed.",
    };

    /// <summary>A reason as a sentence's end: "is kept: ...".</summary>
    public static string Because(RowReason reason) => reason switch
    {
        RowReason.Whole => "kept: the layer keeps every row",
        RowReason.Window => "kept: window, the last rows",
        RowReason.Sink => "kept: sink, the first rows",
        RowReason.Protected => "kept: protected by --protect",
        RowReason.Score => "kept for its score",
        RowReason.Recent => "kept as recent",
        _ => "dropped",
    };
}
