using System.Collections.Immutable;

namespace KvIL.Sharing;

/// <summary>Layers <paramref name="First"/> to <paramref name="End"/> − 1 of a prompt's way through a model: one pass, or passes over and over.</summary>
/// <param name="First">The first layer.</param>
/// <param name="End">The layer after the last.</param>
/// <param name="IsCyclic">Whether a layer of them reads a store that another of them above it writes.</param>
public readonly record struct LayerSlice(int First, int End, bool IsCyclic)
{
    /// <summary>Number of layers.</summary>
    public int Length => End - First;
}

/// <content>The plan of passes.</content>
public sealed partial class SharingMap
{
    private ImmutableArray<LayerSlice>? _slices;

    /// <summary>The layers cut into slices that run after each other: cyclic ones iterate, the others run once.</summary>
    /// <remarks>
    /// The rule of the published code of Wu and Tu 2025 (arXiv:2410.14442). A layer that reads above opens a cyclic slice; its last layer is
    /// the highest that is reached from there,
    /// <code>
    /// top = kv(first);  while max kv(first..top) > top:  top = max kv(first..top)
    /// </code>
    /// Layers between cyclic slices stay together. A map in which no layer reads above is one slice.
    /// </remarks>
    public ImmutableArray<LayerSlice> Slices => _slices ??= [.. Cut()];

    /// <summary>The same, with every layer outside of cyclic slices by itself: how a prompt goes layer by layer.</summary>
    public IEnumerable<LayerSlice> Steps => Slices.SelectMany(slice => slice.IsCyclic
        ? [slice] : Enumerable.Range(slice.First, slice.Length).Select(layer => new LayerSlice(layer, layer + 1, false)));

    /// <summary>Passes over a layer, on average over the layers, when every cyclic slice takes <paramref name="passes"/> of them.</summary>
    /// <remarks>
    /// A prompt's cost against a model without sharing, projections of keys and values aside. m + b passes of the whole prompt cost m + b.
    /// Chunks of c tokens of which pass p runs only those from p on, which are exact, cost <see cref="ExactPasses"/>.
    /// </remarks>
    public double LayerPasses(double passes) => Slices.Sum(slice => slice.Length * (slice.IsCyclic ? passes : 1)) / NumLayers;

    /// <summary>Passes of a token of a chunk, on average, when pass p runs the tokens from p on: (c + 1)/2.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The chunk is below 1.</exception>
    public static double ExactPasses(int chunk)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(chunk, 1);
        return (chunk + 1) / 2.0;
    }

    private IEnumerable<LayerSlice> Cut()
    {
        for (int first = 0, end; first < NumLayers; first = end)
        {
            end = first + 1;
            if (ReadsAbove(first))
            {
                for (int layer = first; layer < end; layer++)
                {
                    end = Math.Max(end, Sources[layer] + 1);
                }

                yield return new(first, end, true);
                continue;
            }

            while (end < NumLayers && !ReadsAbove(end))
            {
                end++;
            }

            yield return new(first, end, false);
        }
    }
}
