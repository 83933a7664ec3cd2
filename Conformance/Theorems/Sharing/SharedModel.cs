using KvIL.Conformance.Theory.Sharing;
using KvIL.Sharing;

namespace KvIL.Conformance.Theorems.Sharing;

/// <summary>A tiny model with random weights and a sharing map.</summary>
/// <param name="Weights">Its weights; those of layers that own no store are dead.</param>
/// <param name="Map">Its map.</param>
public sealed record SharedModel(SharedLlamaWeights Weights, SharingMap Map)
{
    /// <summary>Tokens of the vocabulary.</summary>
    public const int Vocabulary = 17;

    /// <summary>Whether every layer sees only keys strictly before its token.</summary>
    public bool StrictlyPast { get; init; }

    /// <summary>By layer, keys that a query sees at most; null for all.</summary>
    public IReadOnlyList<int?> Windows { get; init; } = [.. Enumerable.Repeat<int?>(null, Map.NumLayers)];

    /// <summary>The model by definition.</summary>
    public SharedLlama Definition(bool repeatsPublishedDefect = false) =>
        new(Weights, Map) { StrictlyPast = StrictlyPast, Windows = Windows, RepeatsPublishedDefect = repeatsPublishedDefect };
}
