using System.Collections.Immutable;

namespace KvIL.Sharing;

/// <content>What a map asks of the layers of a model.</content>
public sealed partial class SharingMap
{
    /// <summary>What keeps a model of such layers from running with this map, in one sentence; null for nothing.</summary>
    /// <remarks>
    /// The rules: one layer for each of the map; every owner reads itself, unless <paramref name="allowsNonIdempotent"/>; owner and reader have
    /// the same key and value heads, channels, rotation and key norm; the owner's heads divide the reader's query heads; projections of keys
    /// and values are required of owners and of no other layer; and a cyclic map takes a <paramref name="prefill"/>.
    /// </remarks>
    /// <param name="layers">The layers, bottom first.</param>
    /// <param name="prefill">How prompts go through cyclic slices; null for a runtime that makes one pass only.</param>
    /// <param name="allowsNonIdempotent">Whether an owner may read another layer.</param>
    public string? Problem(IReadOnlyList<SharedLayer> layers, PrefillStrategy? prefill, bool allowsNonIdempotent = false)
    {
        ArgumentNullException.ThrowIfNull(layers);
        if (layers.Count != NumLayers)
        {
            return $"the map has {NumLayers} layers and the model {layers.Count}; take a map of as many.";
        }

        if (!allowsNonIdempotent && _owners.Where(owner => Sources[owner] != owner).Cast<int?>().FirstOrDefault() is int other)
        {
            return $"layer {other} owns a store and reads layer {Sources[other]}; a map in which every owner reads itself is expected.";
        }

        if (IsCyclic && prefill is null)
        {
            int above = Enumerable.Range(0, NumLayers).First(ReadsAbove);
            return $"layer {above} reads layer {Sources[above]} above it, which takes strictly past attention and repeated passes; choose a map whose owners stand at the bottom.";
        }

        return Enumerable.Range(0, NumLayers).Select(layer => Problem(layer, layers)).FirstOrDefault(problem => problem is not null);
    }

    /// <summary>Tokens that each store must hold for its readers, by store: the largest of their windows; null for all tokens.</summary>
    /// <param name="windows">By layer, keys that a query sees at most; null for all.</param>
    /// <exception cref="ArgumentException">There is another number of windows than of layers.</exception>
    public ImmutableArray<int?> Retentions(IReadOnlyList<int?> windows)
    {
        ArgumentNullException.ThrowIfNull(windows);
        return windows.Count != NumLayers
            ? throw new ArgumentException($"expected {NumLayers} windows, one a layer, got {windows.Count}.", nameof(windows))
            : [.. Enumerable.Range(0, NumStores).Select(store => Readers(store).Select(layer => windows[layer]).ToArray()).Select(
                read => read.Contains(null) ? null : read.Max())];
    }

    private string? Problem(int layer, IReadOnlyList<SharedLayer> layers)
    {
        int source = Sources[layer];
        (SharedLayer reader, SharedLayer owner) = (layers[layer], layers[source]);
        string? Differ(string what, object? own, object? theirs) => Equals(own, theirs) ? null
            : $"layer {layer} reads the keys and values of layer {source}, and their {what} differ, {own ?? "none"} and {theirs ?? "none"}; share between layers of one kind.";
        return Differ("numbers of KV heads", reader.KvHeads, owner.KvHeads)
            ?? Differ("channels of a key head", reader.KeyChannels, owner.KeyChannels)
            ?? Differ("channels of a value head", reader.ValueChannels, owner.ValueChannels)
            ?? Differ("rotations of keys", reader.Rotation, owner.Rotation)
            ?? Differ("norms of keys", reader.KeyNorm, owner.KeyNorm)
            ?? (owner.KvHeads < 1 || reader.QueryHeads % owner.KvHeads != 0
                ? $"layer {layer} has {reader.QueryHeads} query heads, no multiple of the {owner.KvHeads} KV heads of layer {source}, which it reads."
                : null)
            ?? (IsOwner(layer), reader.RequiresKeyValueWeights) switch
            {
                (true, false) => $"layer {layer} owns a store, so its projections of keys and values must be there.",
                (false, true) => $"layer {layer} reads layer {source} and owns no store, so no projections of keys and values may be asked of it.",
                _ => null,
            };
    }
}
