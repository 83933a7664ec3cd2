namespace KvIL.Sharing;

/// <content>Maps as the configs of released models state them.</content>
public sealed partial class SharingMap
{
    /// <summary>Gemma 3n and 4 (<c>num_kv_shared_layers</c>, <c>layer_types</c>; in GGUF <c>attention.shared_kv_layers</c>): the last layers read the last own store of their kind.</summary>
    /// <remarks>
    /// <code>
    /// first = L − shared
    /// kv(i) = i                                         i &lt; first
    /// kv(i) = max { j &lt; first : kind(j) = kind(i) }       i ≥ first
    /// </code>
    /// As the models' classes in transformers compute it. llama.cpp takes first − 2 for sliding layers and first − 1 for full ones, which
    /// is the same where the two layers before the first are of these kinds. No shared layer gives the identity.
    /// </remarks>
    /// <param name="layerKinds">The kind of each layer, such as <c>full_attention</c>, or whether it slides.</param>
    /// <param name="sharedLayers">How many of the last layers read others.</param>
    /// <exception cref="ArgumentException">There are no layers, all are shared, or a shared layer finds none of its kind below.</exception>
    public static SharingMap FromSharedTail<T>(IReadOnlyList<T> layerKinds, int sharedLayers)
    {
        ArgumentNullException.ThrowIfNull(layerKinds);
        int first = layerKinds.Count - sharedLayers;
        if (sharedLayers < 0 || first < 1)
        {
            throw new ArgumentException($"{sharedLayers} layers share the stores of others, and of {layerKinds.Count} layers 0 to {layerKinds.Count - 1} can.", nameof(sharedLayers));
        }

        return FromSources([.. layerKinds.Select((kind, layer) => layer < first ? layer : Last(kind, layer))]);

        int Last(T kind, int layer)
        {
            int last = first - 1;
            while (last >= 0 && !EqualityComparer<T>.Default.Equals(layerKinds[last], kind))
            {
                last--;
            }

            return last >= 0 ? last : throw new ArgumentException(
                $"layer {layer} shares the store of a layer of its kind, {kind}, and there is none among layers 0 to {first - 1}.", nameof(layerKinds));
        }
    }

    /// <summary>Cross-layer attention of Hunyuan (<c>use_cla</c>, <c>cla_share_factor</c>): kv(i) = i − i mod factor; the last group may be shorter.</summary>
    /// <remarks>Brandon et al. 2024 (arXiv:2405.12981). Hunyuan's configs state a factor also where <c>use_cla</c> is false and nothing is shared.</remarks>
    /// <exception cref="ArgumentOutOfRangeException">A number is below 1.</exception>
    public static SharingMap FromGroupsOf(int layers, int factor)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(factor, 1);
        return FromSources([.. Enumerable.Range(0, layers).Select(layer => layer - (layer % factor))]);
    }

    /// <summary>Hymba (<c>kv_reuse_group</c>): the layers of a group read its first; layers of no group read themselves.</summary>
    /// <exception cref="ArgumentException">A group is empty, names no layer, or names one twice, or a layer below its first.</exception>
    public static SharingMap FromReuseGroups(int layers, IEnumerable<IReadOnlyList<int>> groups)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 1);
        ArgumentNullException.ThrowIfNull(groups);
        int[] sources = [.. Enumerable.Range(0, layers)];
        HashSet<int> grouped = [];
        foreach (IReadOnlyList<int> group in groups)
        {
            if (group.Count == 0)
            {
                throw new ArgumentException("a group of layers that reuse keys and values is empty.", nameof(groups));
            }

            foreach (int layer in group)
            {
                if (layer < group[0] || layer >= layers || layer < 0 || !grouped.Add(layer))
                {
                    throw new ArgumentException(
                        $"layer {layer} of a group that reuses the keys and values of layer {group[0]} is below it, in two groups, or none of layers 0 to {layers - 1}.",
                        nameof(groups));
                }

                sources[layer] = group[0];
            }
        }

        return FromSources(sources);
    }

    /// <summary>A list of sources (<c>kv_source_layer_ids</c>): each layer reads the nearest source at or below it; layers below the first read themselves.</summary>
    /// <exception cref="ArgumentException">A source is no layer.</exception>
    public static SharingMap FromSourceList(int layers, IEnumerable<int> sourceLayers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 1);
        ArgumentNullException.ThrowIfNull(sourceLayers);
        bool[] isSource = new bool[layers];
        foreach (int source in sourceLayers)
        {
            if (source < 0 || source >= layers)
            {
                throw new ArgumentException($"the list of sources names layer {source}, and there are layers 0 to {layers - 1}.", nameof(sourceLayers));
            }

            isSource[source] = true;
        }

        int[] sources = [.. Enumerable.Range(0, layers)];
        for (int layer = Array.IndexOf(isSource, true) + 1; layer > 0 && layer < layers; layer++)
        {
            sources[layer] = isSource[layer] ? layer : sources[layer - 1];
        }

        return FromSources(sources);
    }
}
