using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace KvIL.Sharing;

/// <summary>The <c>layer_types</c> text of LCKV checkpoints: a map, and which layers have a sliding window.</summary>
/// <remarks>
/// Tokens joined by <c>_</c>, one a layer: the number of the layer that it reads, and <c>s</c> where its attention has a window. Whether
/// the target stands above is not marked; it follows from the numbers. A token may be repeated: <c>0_10x20_21</c> has 22 layers.
/// Two texts are equal when maps and marks are.
/// </remarks>
/// <param name="Map">Which layer reads whose keys and values.</param>
/// <param name="Sliding">By layer, whether it has a window.</param>
public sealed record LayerTypes(SharingMap Map, ImmutableArray<bool> Sliding)
{
    /// <summary>Most layers of a text: far above any model.</summary>
    public const int MaxLayers = 1 << 14;

    /// <summary>Whether any layer has a window.</summary>
    public bool Slides => Sliding.Contains(true);

    /// <summary>Reads the text of a checkpoint.</summary>
    /// <param name="text">The text.</param>
    /// <param name="allowsNonIdempotent">Whether an owner may read another layer.</param>
    /// <exception cref="FormatException">A token is none, or names no layer; the message says which.</exception>
    public static LayerTypes Parse(string text, bool allowsNonIdempotent = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> sources = [];
        List<bool> sliding = [];
        foreach (Range range in Tokens(text))
        {
            ReadOnlySpan<char> token = text.AsSpan(range);
            (int source, bool slides, int count) = Read(token)
                ?? throw new FormatException($"token {sources.Count} of the map is '{Clip(token)}'; expected a layer's number, s behind it for a window, x and a count to repeat it.");
            if (count > MaxLayers - sources.Count)
            {
                throw new FormatException($"the map has more than {MaxLayers} layers; shorten it.");
            }

            sources.AddRange(Enumerable.Repeat(source, count));
            sliding.AddRange(Enumerable.Repeat(slides, count));
        }

        try
        {
            return new(SharingMap.FromSources([.. sources], allowsNonIdempotent), [.. sliding]);
        }
        catch (ArgumentException e)
        {
            throw new FormatException($"'{Clip(text)}' is no sharing map: {SharingMap.Plain(e)}", e);
        }
    }

    /// <summary>Reads what <c>--share</c> takes: a <see cref="SharingConfiguration"/> or a text of <c>layer_types</c>, for a model of <paramref name="layers"/> layers.</summary>
    /// <exception cref="FormatException">It is neither, has another number of layers, or an owner reads another layer; the message says so.</exception>
    public static LayerTypes Parse(string text, int layers)
    {
        ArgumentNullException.ThrowIfNull(text);
        LayerTypes types = text.Length > 0 && char.IsAsciiDigit(text[0]) ? Parse(text) : Of(Configured(text, layers));
        return types.Map.NumLayers == layers
            ? types
            : throw new FormatException($"the map '{Clip(text)}' has {types.Map.NumLayers} layers, and the model has {layers}; write one token for each.");
    }

    /// <summary>A map in which no layer has a window.</summary>
    public static LayerTypes Of(SharingMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return new(map, [.. Enumerable.Repeat(false, map.NumLayers)]);
    }

    /// <summary>The text with one token for each layer, as checkpoints have it.</summary>
    public override string ToString() => string.Join('_', Enumerable.Range(0, Map.NumLayers).Select(Token));

    /// <summary>The text with repeated tokens counted: <c>0_10x20_21</c>.</summary>
    public string ToShortString()
    {
        StringBuilder text = new();
        for (int layer = 0, next; layer < Map.NumLayers; layer = next)
        {
            string token = Token(layer);
            for (next = layer + 1; next < Map.NumLayers && Token(next) == token;)
            {
                next++;
            }

            text.Append(layer == 0 ? "" : "_").Append(token);
            if (next - layer > 1) text.Append(CultureInfo.InvariantCulture, $"x{next - layer}");
        }

        return text.ToString();
    }

    /// <inheritdoc/>
    public bool Equals(LayerTypes? other) => other is not null && Map.Equals(other.Map) && Sliding.AsSpan().SequenceEqual(other.Sliding.AsSpan());

    /// <inheritdoc/>
    public override int GetHashCode() => Sliding.Aggregate(Map.GetHashCode(), HashCode.Combine);

    private static SharingMap Configured(string text, int layers)
    {
        try
        {
            return SharingConfiguration.Parse(text).Map(layers);
        }
        catch (FormatException e)
        {
            throw new FormatException($"'{Clip(text)}' is no sharing map; expected {SharingConfiguration.Grammar}, such as sandwich-middle:11, or the layer that each layer reads, such as 0_10x20_21.", e);
        }
        catch (ArgumentException e)
        {
            throw new FormatException(SharingMap.Plain(e), e);
        }
    }

    private static IEnumerable<Range> Tokens(string text)
    {
        int first = 0;
        while (text.IndexOf('_', first) is int end and >= 0)
        {
            yield return first..end;
            first = end + 1;
        }

        yield return first..text.Length;
    }

    private static (int Source, bool Slides, int Count)? Read(ReadOnlySpan<char> token)
    {
        int count = 1;
        if (token.IndexOf('x') is int x and >= 0)
        {
            if (!Number(token[(x + 1)..], out count) || count < 1) return null;
            token = token[..x];
        }

        bool slides = token is [.., 's'];
        return Number(slides ? token[..^1] : token, out int source) ? (source, slides, count) : null;
    }

    private static bool Number(ReadOnlySpan<char> digits, out int value) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private string Token(int layer) => string.Create(CultureInfo.InvariantCulture, $"{Map.Sources[layer]}{(Sliding[layer] ? "s" : "")}");

    private static string Clip(ReadOnlySpan<char> text) => text.Length <= 60 ? text.ToString() : string.Concat(text[..60], "…");
}
