using KvIL.Inference.Explanation;

namespace KvIL.Cli.Explanation;

/// <summary>Lists of tokens that the text and the page share.</summary>
internal static class TokenLists
{
    /// <summary>Positions of the tokens that most heads kept for their rank; of equal ones the first.</summary>
    public static IEnumerable<int> MostKept(EvictionExplanation e, int most) => Enumerable.Range(0, e.Prompt.Count)
        .Where(p => e.KeptByRank[p] > 0).OrderByDescending(p => e.KeptByRank[p]).ThenBy(p => p).Take(most);

    /// <summary>The text of positions from <paramref name="first"/> to <paramref name="end"/>, on one line.</summary>
    public static string TextOf(Explained explained, int first, int end) =>
        TokenText.Escape(explained.Tokenizer.Decode([.. explained.Eviction.Prompt.Skip(first).Take(end - first)], skipSpecial: false));
}
