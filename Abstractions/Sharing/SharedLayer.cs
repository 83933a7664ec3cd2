namespace KvIL.Sharing;

/// <summary>What must agree between a layer and the owner of the store that it reads.</summary>
/// <param name="QueryHeads">Query heads.</param>
/// <param name="KvHeads">Heads of keys and values.</param>
/// <param name="KeyChannels">Channels of a key head.</param>
/// <param name="ValueChannels">Channels of a value head.</param>
public readonly record struct SharedLayer(int QueryHeads, int KvHeads, int KeyChannels, int ValueChannels)
{
    /// <summary>How keys are rotated, compared by value; null for not at all.</summary>
    public object? Rotation { get; init; }

    /// <summary>How keys are normalised, compared by value; null for not at all.</summary>
    public object? KeyNorm { get; init; }

    /// <summary>Keys that a query sees at most; null for all.</summary>
    public int? Window { get; init; }

    /// <summary>Whether the checkpoint must hold projections of keys and values; null where that is left open.</summary>
    public bool? RequiresKeyValueWeights { get; init; }
}
