using KvIL.Eviction;

namespace KvIL.Sharing;

/// <summary>All that is said about a cache in one text: which layers share it, how a prompt fills it, and what it keeps.</summary>
/// <remarks><c>share=sandwich-middle:11 prefill=exact:9 evict=ada-snapkv:budget=20%,vote=max</c>; every part may be left out.</remarks>
/// <param name="Share">A configuration or the layer that each layer reads; null for the checkpoint's own map. What it means depends on the number of layers.</param>
/// <param name="Prefill">How a prompt goes through a cyclic map.</param>
/// <param name="Evict">What is kept.</param>
public sealed record CachePlan(string? Share, PrefillStrategy Prefill, EvictionPolicy Evict)
{
    private const string Grammar = "share=MAP prefill=STRATEGY evict=POLICY, each at most once, with spaces between";

    /// <summary>Reads the text.</summary>
    /// <exception cref="FormatException">It is no plan; the sentence says what is. Also a <see cref="PolicyFormatException"/> of its policy.</exception>
    public static CachePlan Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        Dictionary<string, string> parts = [];
        foreach (string word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] pair = word.Split('=', 2);
            if (pair.Length != 2 || pair[1].Length == 0 || pair[0] is not ("share" or "prefill" or "evict") || !parts.TryAdd(pair[0], pair[1]))
            {
                throw new FormatException($"'{word}' is no part of a plan, or stands there twice; expected {Grammar}.");
            }
        }

        return new(
            parts.GetValueOrDefault("share"),
            parts.TryGetValue("prefill", out string? prefill) ? PrefillStrategy.Parse(prefill) : PrefillStrategy.Default,
            parts.TryGetValue("evict", out string? evict) ? EvictionPolicy.Parse(evict) : EvictionPolicy.Full);
    }

    /// <summary>The text that <see cref="Parse"/> reads; what has its default is left out.</summary>
    public override string ToString() => string.Join(' ', new[]
    {
        Share is null ? null : $"share={Share}",
        Prefill == PrefillStrategy.Default ? null : $"prefill={Prefill}",
        Evict == EvictionPolicy.Full ? null : $"evict={Evict}",
    }.OfType<string>());
}
