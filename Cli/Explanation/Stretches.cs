using KvIL.Inference.Explanation;

namespace KvIL.Cli.Explanation;

/// <summary>Tokens one after the other that no head kept.</summary>
/// <param name="First">Position of the first.</param>
/// <param name="Count">How many.</param>
internal readonly record struct Stretch(int First, int Count)
{
    /// <summary>All of them, in reading order.</summary>
    public static IReadOnlyList<Stretch> Of(EvictionExplanation e)
    {
        List<Stretch> stretches = [];
        for (int first = 0; first < e.Prompt.Count; first++)
        {
            int end = first;
            while (end < e.Prompt.Count && e.KeptBy[end] == 0)
            {
                end++;
            }

            if (end > first)
            {
                stretches.Add(new(first, end - first));
                first = end;
            }
        }

        return stretches;
    }

    /// <summary>The longest, in reading order.</summary>
    public static IEnumerable<Stretch> Longest(IReadOnlyList<Stretch> stretches, int most) =>
        stretches.OrderByDescending(stretch => stretch.Count).Take(most).OrderBy(stretch => stretch.First);

    /// <summary>12, or 12 to 40.</summary>
    public override string ToString() => Count == 1 ? ExplainWords.N(First) : $"{ExplainWords.N(First)} to {ExplainWords.N(First + Count - 1)}";
}
