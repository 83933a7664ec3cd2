using KvIL.Sharing;

namespace KvIL.Inference.Files.Sharing;

/// <summary>A sharing map in place of the one that a checkpoint was trained with.</summary>
public static class ForcedSharing
{
    /// <summary>The config with the map that <paramref name="share"/> names.</summary>
    /// <param name="config">The checkpoint's.</param>
    /// <param name="share">A <see cref="SharingConfiguration"/> or a text of <see cref="LayerTypes"/> without windows.</param>
    /// <exception cref="RequestException">The text is no map, or none for these layers.</exception>
    public static ModelConfig Apply(ModelConfig config, string share)
    {
        ArgumentNullException.ThrowIfNull(config);
        LayerTypes types = Parse(config, share);
        return types.Slides
            ? throw new RequestException("The map marks layers with s for a window, which is for the checkpoint to say; leave the marks out.")
            : config with { Sharing = types.Map };
    }

    /// <summary>The map that the config says: each layer its own where it says none.</summary>
    public static SharingMap OwnMap(this ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return config.Sharing ?? SharingMap.Identity(config.NumLayers);
    }

    /// <summary>What layers must have in common to share.</summary>
    public static IReadOnlyList<SharedLayer> SharedLayers(this ModelConfig config)
    {
        ArgumentNullException.ThrowIfNull(config);
        return [.. config.Layers.Select((layer, i) => new SharedLayer(config.NumQueryHeads, config.NumKvHeadsOf(i), config.HeadDimOf(i), config.HeadDimOf(i))
        {
            Rotation = layer.Rope, KeyNorm = config.QueryKeyNorm, Window = layer.Window,
        })];
    }

    internal static LayerTypes Parse(ModelConfig config, string share)
    {
        LayerTypes types;
        try
        {
            types = LayerTypes.Parse(share, config.NumLayers);
        }
        catch (FormatException e)
        {
            throw new RequestException(e.Message);
        }

        return types.Map.Problem(config.SharedLayers(), PrefillStrategy.Default) is string problem ? throw new RequestException(problem) : types;
    }
}
