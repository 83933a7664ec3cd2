using System.Collections.Immutable;
using KvIL.Conformance.Theory.Sharing;
using KvIL.Sharing;

namespace KvIL.Conformance.Theorems.Sharing;

/// <summary>What sharing of keys and values does, each by default as KvIL has it: derive, override what is yours, run every law on it.</summary>
/// <remarks>The forward functions are by default the definition in double; an engine overrides them. Functions keep no state.</remarks>
public class SharingMath
{
    /// <summary>What reports call it.</summary>
    public virtual string Name => GetType().Name;

    /// <summary>How far logits of deviation near 1 may be from the definition.</summary>
    public virtual double Tolerance => 1e-10;

    /// <summary>The map of a configuration.</summary>
    public virtual SharingMap Map(SharingConfiguration configuration, int layers)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        return configuration.Map(layers);
    }

    /// <summary>Reads a text of <c>layer_types</c>; owners may read elsewhere.</summary>
    public virtual LayerTypes Parse(string text) => LayerTypes.Parse(text, allowsNonIdempotent: true);

    /// <summary>Writes it, with repeated tokens counted or without.</summary>
    public virtual string Format(LayerTypes types, bool isShort)
    {
        ArgumentNullException.ThrowIfNull(types);
        return isShort ? types.ToShortString() : types.ToString();
    }

    /// <summary>The plan of passes.</summary>
    public virtual ImmutableArray<LayerSlice> Slices(SharingMap map)
    {
        ArgumentNullException.ThrowIfNull(map);
        return map.Slices;
    }

    /// <summary>Gemma's rule: the last layers read the last own store of their kind.</summary>
    public virtual SharingMap SharedTail(IReadOnlyList<bool> slides, int shared) => SharingMap.FromSharedTail(slides, shared);

    /// <summary>Tokens that each store must hold; null for all.</summary>
    public virtual IReadOnlyList<int?> Retentions(SharingMap map, IReadOnlyList<int?> windows)
    {
        ArgumentNullException.ThrowIfNull(map);
        return map.Retentions(windows);
    }

    /// <summary>Keys and values of a token in all stores, elements.</summary>
    public virtual long ElementsPerToken(SharingMap map, int kvHeads, int headDim)
    {
        ArgumentNullException.ThrowIfNull(map);
        return 2L * map.NumStores * kvHeads * headDim;
    }

    /// <summary>One projection of each owner, in order, from those of all layers of a model that shares nothing: means over readers.</summary>
    public virtual double[][] Averaged(SharingMap map, IReadOnlyList<double[]> projections)
    {
        ArgumentNullException.ThrowIfNull(map);
        return [.. Enumerable.Range(0, map.NumStores).Select(store => Theory.Arrays.Mean([.. map.Readers(store).Select(layer => projections[layer])]))];
    }

    /// <summary>Logits <c>q · (g ⊙ k̂)</c> of keys k̂ that are cached without the reader's gain g: the gain is folded into the query.</summary>
    public virtual double[] FoldedLogits(double[] query, double[] gain, IReadOnlyList<double[]> keys)
    {
        double[] folded = [.. query.Zip(gain, (q, g) => q * g)];
        return [.. keys.Select(key => Theory.Arrays.Dot(folded, key))];
    }

    /// <summary>Logits of every token of a prompt, then of every token of a continuation, one after another.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompt">Tokens that go through it together.</param>
    /// <param name="strategy">How they go through cyclic slices.</param>
    /// <param name="continuation">Tokens that follow one by one.</param>
    public virtual double[][] Run(SharedModel model, IReadOnlyList<int> prompt, PrefillStrategy strategy, IReadOnlyList<int> continuation)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(strategy);
        return Define(model.Definition(), prompt, strategy, continuation);
    }

    /// <summary>A definition run as <see cref="Run"/> says.</summary>
    protected static double[][] Define(SharedLlama llama, IReadOnlyList<int> prompt, PrefillStrategy strategy, IReadOnlyList<int> continuation)
    {
        ArgumentNullException.ThrowIfNull(llama);
        ArgumentNullException.ThrowIfNull(strategy);
        SharedCache cache = new(llama.Map);
        List<double[]> rows = [];
        foreach (int[] part in prompt.Chunk(strategy.Chunk ?? Math.Max(1, prompt.Count)))
        {
            rows.AddRange(part.Length == 1 ? [llama.Step(cache, part[0])] : llama.Iterate(cache, part, Math.Min(strategy.Passes, part.Length)));
        }

        rows.AddRange(continuation.Select(token => llama.Step(cache, token)));
        return [.. rows];
    }
}

/// <summary>The published decode: layers that read above see a zero key before all others and lose the last one.</summary>
/// <remarks>whyNLP/LCKV dd21716; <see cref="SharedLlama.RepeatsPublishedDefect"/>. It breaks the laws of decoding, as <c>docs/sharing.md</c> shows.</remarks>
public class PublishedDecode : SharingMath
{
    /// <inheritdoc/>
    public override double[][] Run(SharedModel model, IReadOnlyList<int> prompt, PrefillStrategy strategy, IReadOnlyList<int> continuation)
    {
        ArgumentNullException.ThrowIfNull(model);
        return Define(model.Definition(repeatsPublishedDefect: true), prompt, strategy, continuation);
    }
}
