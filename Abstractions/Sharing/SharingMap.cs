using System.Collections.Immutable;

namespace KvIL.Sharing;

/// <summary>For each layer the store that it reads, and for each store the layer that writes it.</summary>
/// <remarks>
/// <code>
/// kv : [0, L) → [0, L)        layer i attends to the keys and values that layer kv(i) computes
/// owners = image(kv)          only they have W_k and W_v, and only they have a store; stores are numbered by owner, ascending
/// </code>
/// Wu and Tu 2025 (arXiv:2410.14442), §2. A map is idempotent when every owner reads itself, kv(kv(i)) = kv(i): those of papers and shipped
/// models are. Maps whose readers all stand at or above the owner run in one pass (CLA, Brandon et al. 2024, arXiv:2405.12981; YOCO; MLKV);
/// a map with a layer that reads above itself is cyclic, and that layer sees only keys strictly before its token.
/// </remarks>
public sealed partial class SharingMap : IEquatable<SharingMap>
{
    private readonly ImmutableArray<int> _owners;

    private SharingMap(ImmutableArray<int> sources)
    {
        Sources = sources;
        _owners = [.. sources.Distinct().Order()];
        Stores = [.. sources.Select(s => _owners.IndexOf(s))];
        IsCyclic = sources.Where((source, layer) => source > layer).Any();
    }

    /// <summary>For each layer the layer whose keys and values it reads.</summary>
    public ImmutableArray<int> Sources { get; }

    /// <summary>For each layer the id of the store that it reads.</summary>
    public ImmutableArray<int> Stores { get; }

    /// <summary>Number of layers.</summary>
    public int NumLayers => Sources.Length;

    /// <summary>Number of stores.</summary>
    public int NumStores => _owners.Length;

    /// <summary>Whether some layer reads a store that a layer above it writes.</summary>
    public bool IsCyclic { get; }

    /// <summary>Whether every owner reads itself.</summary>
    public bool IsIdempotent => _owners.All(owner => Sources[owner] == owner);

    /// <summary>Every layer reads its own store.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="layers"/> is below 1.</exception>
    public static SharingMap Identity(int layers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 1);
        return new([.. Enumerable.Range(0, layers)]);
    }

    /// <summary>A map from the layer that each layer reads.</summary>
    /// <exception cref="ArgumentException">A source is no layer, or does not read itself.</exception>
    public static SharingMap FromSources(params ReadOnlySpan<int> sources) => FromSources(sources, allowsNonIdempotent: false);

    /// <summary>The same; owners that read another layer are allowed where <paramref name="allowsNonIdempotent"/> says so.</summary>
    /// <exception cref="ArgumentException">A source is no layer, or does not read itself though it must.</exception>
    public static SharingMap FromSources(ReadOnlySpan<int> sources, bool allowsNonIdempotent)
    {
        ArgumentOutOfRangeException.ThrowIfZero(sources.Length, nameof(sources));
        for (int layer = 0; layer < sources.Length; layer++)
        {
            int source = sources[layer];
            if (source < 0 || source >= sources.Length)
            {
                throw new ArgumentException($"layer {layer} reads layer {source}, and there are layers 0 to {sources.Length - 1}.", nameof(sources));
            }

            if (!allowsNonIdempotent && sources[source] != source)
            {
                throw new ArgumentException(
                    $"layer {layer} reads layer {source}, which reads layer {sources[source]} and not itself.", nameof(sources));
            }
        }

        return new([.. sources]);
    }

    /// <summary>The layer that writes <paramref name="store"/>.</summary>
    public int Owner(int store) => _owners[store];

    /// <summary>Whether <paramref name="layer"/> writes a store, which need not be the one that it reads.</summary>
    public bool IsOwner(int layer) => _owners.Contains(layer);

    /// <summary>The store that <paramref name="layer"/> writes; −1 for none.</summary>
    public int StoreOf(int layer) => _owners.IndexOf(layer);

    /// <summary>Whether <paramref name="layer"/> reads a store that a layer above it writes.</summary>
    public bool ReadsAbove(int layer) => Sources[layer] > layer;

    /// <summary>The highest layer that reads or writes <paramref name="store"/>.</summary>
    public int LastUse(int store) => Math.Max(Owner(store), Sources.LastIndexOf(Owner(store)));

    /// <summary>The layers that read <paramref name="store"/>, ascending.</summary>
    public ImmutableArray<int> Readers(int store) => [.. Enumerable.Range(0, NumLayers).Where(layer => Stores[layer] == store)];

    /// <inheritdoc/>
    public bool Equals(SharingMap? other) => other is not null && Sources.AsSpan().SequenceEqual(other.Sources.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as SharingMap);

    /// <inheritdoc/>
    public override int GetHashCode() => Sources.Aggregate(NumLayers, HashCode.Combine);

    /// <summary>Reads the text of <see cref="LayerTypes"/>, without windows: <c>0_10x20_21</c>.</summary>
    /// <exception cref="FormatException">It is none, or marks a window; the message says so.</exception>
    public static SharingMap Parse(string text, bool allowsNonIdempotent = false)
    {
        LayerTypes types = LayerTypes.Parse(text, allowsNonIdempotent);
        return types.Slides ? throw new FormatException("the map marks layers with s for a window, and only a map is expected; leave the marks out.") : types.Map;
    }

    /// <summary>The text that <see cref="Parse"/> reads, one token for each layer.</summary>
    public override string ToString() => string.Join('_', Sources);

    // What an argument's exception says, without the argument's name.
    internal static string Plain(ArgumentException e) => e.ParamName is null ? e.Message : e.Message.Replace($" (Parameter '{e.ParamName}')", "", StringComparison.Ordinal);
}
