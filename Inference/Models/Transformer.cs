using System.Collections.Immutable;
using KvIL.Eviction.Scores;
using KvIL.Inference.Files;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Inference.Models;

/// <summary>A decoder as plans: grouped-query attention with RoPE, a gated MLP, RMSNorm; what a family changes is in its <see cref="ModelConfig"/>.</summary>
/// <remarks>
/// Llama 2 (Touvron et al. 2023, arXiv:2307.09288), as Hugging Face's LlamaForCausalLM computes it:
/// <code>
/// x = Embed(t)
/// per layer:  a = Attend(Rope(W_q h), store) ,  h = RmsNorm(x)        the store's owner appends Rope(W_k h), W_v h first
///             x = x + W_o a
///             x = x + W_down (silu(W_gate h') · W_up h') ,  h' = RmsNorm(x)
/// logits = W_out RmsNorm(x)                                            W_out = the embedding where they are tied
/// </code>
/// Other families (<see cref="Architectures"/>) move the norms, norm queries and keys, scale or cap, or give a layer a window. Every
/// layer finds its keys and values through a <see cref="SharingMap"/>.
/// </remarks>
public sealed partial class Transformer
{
    private readonly TransformerWeights _weights;
    private readonly ImmutableArray<int> _ropeOfLayer;
    private readonly float _epsilon;

    /// <summary>The transformer of a checkpoint.</summary>
    /// <param name="checkpoint">Says shapes and stored types.</param>
    /// <param name="map">Which layer reads whose keys and values; null for each its own.</param>
    /// <exception cref="ModelFileException">A weight is missing or has another shape.</exception>
    /// <exception cref="ArgumentException">The map has another number of layers.</exception>
    public Transformer(Checkpoint checkpoint, SharingMap? map = null)
        : this(checkpoint, checkpoint?.Config!, map)
    {
    }

    internal Transformer(Checkpoint checkpoint, ModelConfig config, SharingMap? map)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        Config = config;
        Map = map ?? Config.Sharing ?? SharingMap.Identity(Config.NumLayers);
        if (Map.NumLayers != Config.NumLayers)
        {
            throw new ArgumentException($"expected a map of {Config.NumLayers} layers, got {Map.NumLayers}.", nameof(map));
        }

        foreach (int layer in Enumerable.Range(0, Map.NumLayers).Where(layer => !SameHeads(layer, Map.Sources[layer])))
        {
            int source = Map.Sources[layer];
            throw new ArgumentException(
                $"layer {layer} reads layer {source}, which has {Config.NumKvHeadsOf(source)} heads of {Config.HeadDimOf(source)} channels "
                + $"and not {Config.NumKvHeadsOf(layer)} of {Config.HeadDimOf(layer)}; expected a map between layers of the same heads.", nameof(map));
        }

        _epsilon = (float)Config.RmsNormEps;
        RopeConfig?[] ropes = [.. Config.Layers.Select((layer, i) => RotationOf(layer, Config.HeadDimOf(i)))];
        Ropes = [.. ropes.OfType<RopeConfig>().Distinct()];
        _ropeOfLayer = [.. ropes.Select(rope => rope is null ? -1 : Ropes.IndexOf(rope))];
        _weights = new(checkpoint, config, Map);
    }

    /// <summary>The model's shape.</summary>
    public ModelConfig Config { get; }

    /// <summary>Which store each layer reads.</summary>
    public SharingMap Map { get; }

    /// <summary>Specs of all weights that the plans name.</summary>
    public IReadOnlyDictionary<string, TensorSpec> Weights => _weights.Specs;

    /// <summary>Where each of these weights lies in its file; parts of a fused tensor lie inside it.</summary>
    public IReadOnlyDictionary<string, FileTensor> Tensors => _weights.Tensors;

    /// <summary>The different rotations of the layers, at most a few.</summary>
    public ImmutableArray<RopeConfig> Ropes { get; }

    /// <summary>Name of a layer's output projection W^O.</summary>
    public static string OutputProjection(int layer) => $"{Names.Layer(layer)}self_attn.o_proj.weight";

    /// <summary>How a layer's attention logits are made and which rows it sees.</summary>
    public AttentionRule Rule(int layer) =>
        new(
        (float)Config.AttentionScale, Config.Layers[layer].Window, (float?)Config.AttentionSoftCap, Config.StrictlyPast || Map.ReadsAbove(layer));

    /// <summary>The weight that the cached keys of a layer lack, because its readers have each their own and multiply their queries by it; null for none.</summary>
    /// <remarks><c>q · (g ⊙ k) = (g ⊙ q) · k</c>: exact, and one row of keys serves every reader.</remarks>
    public string? KeyGain(int layer) => SharesPlainKeys(Map.Stores[layer]) ? $"{Names.Layer(layer)}{Names.KeyNorm(Config)}.weight" : null;

    /// <summary>RoPE of a layer as plain numbers.</summary>
    /// <exception cref="RequestException">Its rotations depend on the length of the text, or keys are normalised after them.</exception>
    public Rotary Rotary(int layer)
    {
        if (_ropeOfLayer[layer] < 0) return Eviction.Scores.Rotary.None;
        if (Config.NormAfterRope && Config.QueryKeyNorm != QueryKeyNorm.None)
        {
            throw new RequestException("This model normalises keys after it rotates them, so they cannot be turned back; use a policy that reads keys as cached.");
        }

        RopeConfig rope = Ropes[_ropeOfLayer[layer]];
        return rope.DependsOnLength
            ? throw new RequestException("This model's rotations depend on the length of the text, so keys cannot be turned back; use a policy that reads keys as cached.")
            : new(rope.Frequencies(), rope.AttentionFactor);
    }

    /// <summary><c>x = Embed(tokens)</c>, <c>[n, stream width]</c>: the embedding, and what goes from layer to layer beside it.</summary>
    public Slot Embed(PlanBuilder b, Slot tokens)
    {
        ArgumentNullException.ThrowIfNull(b);
        Slot x = Scaled(b, b.Embed(Weight(b, Names.Embedding), tokens), Config.EmbeddingScale);
        return Joined(b, [.. Streams(b, x), .. Config.PerLayerInputs is { } inputs ? [EmbedPerLayer(b, x, tokens, inputs)] : Array.Empty<Slot>()]);
    }

    /// <summary>The rotations of the tokens' positions, one slot for each of <see cref="Ropes"/>; those that the host takes are inputs.</summary>
    public Slot[] Rotations(PlanBuilder b, Slot positions)
    {
        ArgumentNullException.ThrowIfNull(b);
        ArgumentNullException.ThrowIfNull(positions);
        return [.. Ropes.Select((rope, i) => rope.IsOfHost
            ? RotationInput(b, i, positions.Tensor.Shape[0])
            : b.Rotation(positions, rope.Frequencies(), rope.AttentionFactor))];
    }

    /// <summary>An input for the rotations of rope <paramref name="i"/>, F32 <c>[n, rotary dim]</c>.</summary>
    public Slot RotationInput(PlanBuilder b, int i, Dim n)
    {
        ArgumentNullException.ThrowIfNull(b);
        return b.Input($"rotation.{i}", new TensorSpec(DType.F32, n, Ropes[i].RotaryDim));
    }

    /// <summary>One layer; replaces the state's store by its next version where the layer owns it, and its window likewise.</summary>
    /// <param name="b">The plan under construction.</param>
    /// <param name="layer">Number of the layer.</param>
    /// <param name="x">What the layer below left, <c>[n, stream width]</c>.</param>
    /// <param name="state">Positions, sequences, rotations and the caches' current versions.</param>
    /// <returns>The same after the layer.</returns>
    public Slot Layer(PlanBuilder b, int layer, Slot x, LayerState state)
    {
        ArgumentNullException.ThrowIfNull(b);
        ArgumentNullException.ThrowIfNull(state);
        return Config.AltUp is { } altUp ? AlternatingLayer(b, layer, x, state, altUp) : OneStream(b, layer, x, state);
    }

    /// <summary>Logits <c>[m, vocabulary]</c> of the chosen rows.</summary>
    public Slot Logits(PlanBuilder b, Slot x, Slot rows)
    {
        ArgumentNullException.ThrowIfNull(b);
        Slot h = Norm(b, Result(b, b.GatherRows(x, rows)), Names.FinalNorm);
        Slot logits = b.Linear(h, Weight(b, Config.TieWordEmbeddings ? Names.Embedding : Names.Output));
        logits = Scaled(b, logits, 1 / Config.LogitsDivisor);
        return Config.LogitsSoftCap is double cap ? b.SoftCap(logits, (float)cap) : logits;
    }

    // x + m · norm(f(norm(x))), with the norms that there are.
    private Slot Block(PlanBuilder b, int layer, Slot x, BlockNorms norms, Func<Slot, Slot> f)
    {
        Slot Normed(Slot y, string? name) => name is null ? y : Norm(b, y, $"{Names.Layer(layer)}{name}.weight");
        Slot change = Normed(f(Normed(x, norms.Before)), norms.After);
        return b.Add(x, Scaled(b, change, Config.ResidualMultiplier));
    }

    private Slot Attention(PlanBuilder b, int layer, Slot h, LayerState state)
    {
        int store = Map.Stores[layer];
        Slot q = Turned(b, layer, Linear(b, h, layer, "self_attn.q_proj"), x => HeadNorm(b, layer, x, Names.QueryNorm(Config)), state);
        q = KeyGain(layer) is string gain ? b.Gain(q, Weight(b, gain)) : q;
        if (Map.StoreOf(layer) is int own and >= 0)
        {
            Slot projected = Linear(b, h, layer, "self_attn.k_proj");
            Slot k = Turned(b, layer, projected, x => KeyNorm(b, layer, own, x), state);
            Slot v = Config.Layers[layer].KeysAreValues ? projected : Linear(b, h, layer, "self_attn.v_proj");
            v = Config.ValueNorm ? b.UnitNorm(v, Config.HeadDimOf(layer), _epsilon) : v;
            Write(b, own, k, v, state);
        }

        foreach (Slot[] windows in (ReadOnlySpan<Slot[]>)[state.Windows, state.Prompts])
        {
            if (windows.Length > 0)
            {
                windows[layer] = b.RememberQueries(windows[layer], q, state.Positions, state.Sequences);
            }
        }

        Slot a = b.Attend(q, state.Stores[store], state.Positions, state.Sequences, Rule(layer));
        return Linear(b, a, layer, "self_attn.o_proj");
    }

    // New rows of a store; better ones in place of those of the pass before, where passes iterate.
    private void Write(PlanBuilder b, int store, Slot k, Slot v, LayerState state)
    {
        if (!state.Replaces)
        {
            state.Stores[store] = b.Append(state.Stores[store], k, v, state.Positions, state.Sequences);
            return;
        }

        state.Change = Map.Readers(store)[0] < Map.Owner(store) ? b.RowChange(state.Stores[store], k, v, state.Positions, state.Sequences) : null;
        state.Stores[store] = b.ReplaceRows(state.Stores[store], k, v, state.Positions, state.Sequences);
    }

    private Slot Mlp(PlanBuilder b, int layer, Slot h)
    {
        (Slot gate, Slot up) = (Linear(b, h, layer, "mlp.gate_proj"), Linear(b, h, layer, "mlp.up_proj"));
        double sparsity = Config.Layers[layer].Sparsity;
        gate = sparsity > 0 ? b.Sparsify(gate, (float)NormalDistribution.Quantile(sparsity)) : gate;
        return Linear(b, Config.Activation == Activation.Silu ? b.SwiGlu(gate, up) : b.GeGlu(gate, up), layer, "mlp.down_proj");
    }

    // Queries or keys: normalised, then rotated; or the other way round.
    private Slot Turned(PlanBuilder b, int layer, Slot x, Func<Slot, Slot> normed, LayerState state)
    {
        Slot Rotated(Slot y) => _ropeOfLayer[layer] < 0
            ? y
            : b.Rope(y, state.Rotations[_ropeOfLayer[layer]], Config.HeadDimOf(layer), Config.RopePairing == RopePairing.Interleaved);
        return Config.NormAfterRope ? normed(Rotated(x)) : Rotated(normed(x));
    }

    private Slot HeadNorm(PlanBuilder b, int layer, Slot x, string norm) =>
        Config.QueryKeyNorm == QueryKeyNorm.None ? x : Norm(b, x, $"{Names.Layer(layer)}{norm}.weight");

    private Slot KeyNorm(PlanBuilder b, int layer, int store, Slot x) => SharesPlainKeys(store)
        ? b.UnitNorm(x, Config.HeadDimOf(layer), _epsilon)
        : HeadNorm(b, layer, x, Names.KeyNorm(Config));

    // Keys that are normalised last go to their readers without the gain of the norm: each reader has its own.
    private bool SharesPlainKeys(int store) =>
        Config.NormAfterRope && Config.QueryKeyNorm == QueryKeyNorm.PerHead && Map.Readers(store).Any(reader => reader != Map.Owner(store));

    private bool SameHeads(int layer, int other) =>
        Config.NumKvHeadsOf(layer) == Config.NumKvHeadsOf(other) && Config.HeadDimOf(layer) == Config.HeadDimOf(other);

    // Rows that stand interleaved are put in order by a rotation, if only by the angle 0.
    private RopeConfig? RotationOf(LayerConfig layer, int headDim) => layer.Rope is null && Config.RopePairing == RopePairing.Interleaved
        ? new(1, headDim, new LinearScaling(double.PositiveInfinity))
        : layer.Rope;

    private Slot Norm(PlanBuilder b, Slot x, string name) => b.RmsNorm(x, Weight(b, name), _epsilon, (float)Config.NormWeightOffset);

    private static Slot Scaled(PlanBuilder b, Slot x, double factor) => factor == 1 ? x : b.Scale(x, (float)factor);

    private Slot Weight(PlanBuilder b, string name) => b.Input(name, Weights[name]);

    private Slot Linear(PlanBuilder b, Slot x, int layer, string name)
    {
        string full = Names.Layer(layer) + name;
        return b.Linear(x, Weight(b, full + ".weight"), Weights.ContainsKey(full + ".bias") ? Weight(b, full + ".bias") : null);
    }
}

/// <summary>What the layers of one pass share: indices of its tokens, and the current version of every cache.</summary>
/// <param name="Positions">I32 <c>[n]</c>.</param>
/// <param name="Sequences">I32 <c>[n]</c>.</param>
/// <param name="Rotations">F32 <c>[n, rotary dim]</c>, by rope; a layer's own must be there.</param>
/// <param name="Stores">By store id.</param>
/// <param name="Windows">By layer; empty when no query is remembered.</param>
public sealed record LayerState(Slot Positions, Slot Sequences, Slot[] Rotations, Slot[] Stores, Slot[] Windows)
{
    /// <summary>Rings for every query of a prompt, by layer; empty when they are not wanted.</summary>
    public Slot[] Prompts { get; init; } = [];

    /// <summary>Whether the tokens have rows already, which the layers replace: a pass over a cyclic slice.</summary>
    public bool Replaces { get; init; }

    /// <summary>F32 <c>[1]</c>, by how much the last layer changed the rows that layers below it read; null where it writes none of these.</summary>
    public Slot? Change { get; set; }
}
