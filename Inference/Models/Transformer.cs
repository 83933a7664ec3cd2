using System.Collections.Immutable;
using KvIL.Inference.Files;
using KvIL.Plans;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Inference.Models;

/// <summary>The Llama architecture as plans: pre-norm blocks, grouped-query attention with RoPE, SwiGLU, optional biases.</summary>
/// <remarks>
/// Llama 2 (Touvron et al. 2023, arXiv:2307.09288), as Hugging Face's LlamaForCausalLM computes it:
/// <code>
/// x = Embed(t)
/// per layer:  a = Attend(Rope(W_q h), store) ,  h = RmsNorm(x)        the store's owner appends Rope(W_k h), W_v h first
///             x = x + W_o a
///             x = x + W_down (silu(W_gate h') · W_up h') ,  h' = RmsNorm(x)
/// logits = W_out RmsNorm(x)                                            W_out = the embedding where they are tied
/// </code>
/// Every layer finds its keys and values through a <see cref="SharingMap"/>.
/// </remarks>
public sealed class Transformer
{
    private const string EmbeddingName = "model.embed_tokens.weight";
    private const string OutputName = "lm_head.weight";

    private readonly Dictionary<string, TensorSpec> _weights = [];
    private readonly ImmutableArray<double> _frequencies;

    /// <summary>The transformer of a checkpoint.</summary>
    /// <param name="checkpoint">Says shapes and stored types.</param>
    /// <param name="map">Which layer reads whose keys and values; null for each its own.</param>
    /// <exception cref="ModelFileException">A weight is missing or has another shape.</exception>
    /// <exception cref="ArgumentException">The map has another number of layers, or is cyclic.</exception>
    public Transformer(Checkpoint checkpoint, SharingMap? map = null)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        Config = checkpoint.Config;
        Map = map ?? SharingMap.Identity(Config.NumLayers);
        if (Map.NumLayers != Config.NumLayers)
        {
            throw new ArgumentException($"expected a map of {Config.NumLayers} layers, got {Map.NumLayers}.", nameof(map));
        }

        if (Map.IsCyclic)
        {
            throw new ArgumentException("expected a map in which no layer reads a store of a layer above it.", nameof(map));
        }

        _frequencies = Config.Layers[0].Rope!.Frequencies();
        DeclareWeights(checkpoint);
    }

    /// <summary>The model's shape.</summary>
    public ModelConfig Config { get; }

    /// <summary>Which store each layer reads.</summary>
    public SharingMap Map { get; }

    /// <summary>Specs of all weights that the plans name.</summary>
    public IReadOnlyDictionary<string, TensorSpec> Weights => _weights;

    /// <summary>Factor of the attention logits.</summary>
    public float AttentionScale => (float)(1 / Math.Sqrt(Config.HeadDim));

    /// <summary>Name of a layer's output projection W^O.</summary>
    public static string OutputProjection(int layer) => $"model.layers.{layer}.self_attn.o_proj.weight";

    /// <summary><c>x = Embed(tokens)</c>, <c>[n, hidden]</c>.</summary>
    public Slot Embed(PlanBuilder b, Slot tokens)
    {
        ArgumentNullException.ThrowIfNull(b);
        return b.Embed(Weight(b, EmbeddingName), tokens);
    }

    /// <summary>The rotations of the tokens' positions, which all layers share.</summary>
    public Slot Rotation(PlanBuilder b, Slot positions)
    {
        ArgumentNullException.ThrowIfNull(b);
        return b.Rotation(positions, _frequencies);
    }

    /// <summary>One layer; replaces the state's store by its next version where the layer owns it, and its window likewise.</summary>
    /// <param name="b">The plan under construction.</param>
    /// <param name="layer">Number of the layer.</param>
    /// <param name="x">Hidden state <c>[n, hidden]</c>.</param>
    /// <param name="state">Positions, sequences, rotations and the caches' current versions.</param>
    /// <returns>The hidden state after the layer.</returns>
    public Slot Layer(PlanBuilder b, int layer, Slot x, LayerState state)
    {
        ArgumentNullException.ThrowIfNull(b);
        ArgumentNullException.ThrowIfNull(state);
        string prefix = $"model.layers.{layer}.";
        float epsilon = (float)Config.RmsNormEps;
        Slot h = b.RmsNorm(x, Weight(b, prefix + "input_layernorm.weight"), epsilon);
        Slot q = b.Rope(Linear(b, h, prefix + "self_attn.q_proj"), state.Rotation, Config.HeadDim);
        int store = Map.Stores[layer];
        if (Map.IsOwner(layer))
        {
            Slot k = b.Rope(Linear(b, h, prefix + "self_attn.k_proj"), state.Rotation, Config.HeadDim);
            Slot v = Linear(b, h, prefix + "self_attn.v_proj");
            state.Stores[store] = b.Append(state.Stores[store], k, v, state.Positions, state.Sequences);
        }

        if (state.Windows.Length > 0)
        {
            state.Windows[layer] = b.RememberQueries(state.Windows[layer], q, state.Positions, state.Sequences);
        }

        Slot a = b.Attend(q, state.Stores[store], state.Positions, state.Sequences, AttentionScale);
        x = b.Add(x, Linear(b, a, prefix + "self_attn.o_proj"));
        h = b.RmsNorm(x, Weight(b, prefix + "post_attention_layernorm.weight"), epsilon);
        Slot gated = b.SwiGlu(Linear(b, h, prefix + "mlp.gate_proj"), Linear(b, h, prefix + "mlp.up_proj"));
        return b.Add(x, Linear(b, gated, prefix + "mlp.down_proj"));
    }

    /// <summary>Logits <c>[m, vocabulary]</c> of the chosen rows.</summary>
    public Slot Logits(PlanBuilder b, Slot x, Slot rows)
    {
        ArgumentNullException.ThrowIfNull(b);
        Slot h = b.RmsNorm(b.GatherRows(x, rows), Weight(b, "model.norm.weight"), (float)Config.RmsNormEps);
        return b.Linear(h, Weight(b, Config.TieWordEmbeddings ? EmbeddingName : OutputName));
    }

    private Slot Weight(PlanBuilder b, string name) => b.Input(name, _weights[name]);

    private Slot Linear(PlanBuilder b, Slot x, string name) =>
        b.Linear(x, Weight(b, name + ".weight"), _weights.ContainsKey(name + ".bias") ? Weight(b, name + ".bias") : null);

    private void DeclareWeights(Checkpoint checkpoint)
    {
        int hidden = Config.HiddenSize;
        int queries = Config.NumQueryHeads * Config.HeadDim;
        int keys = Config.NumKvHeads * Config.HeadDim;
        Declare(checkpoint, EmbeddingName, Config.VocabSize, hidden);
        if (!Config.TieWordEmbeddings)
        {
            Declare(checkpoint, OutputName, Config.VocabSize, hidden);
        }

        Declare(checkpoint, "model.norm.weight", hidden);
        for (int layer = 0; layer < Config.NumLayers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            Declare(checkpoint, prefix + "input_layernorm.weight", hidden);
            Declare(checkpoint, prefix + "post_attention_layernorm.weight", hidden);
            DeclareLinear(checkpoint, prefix + "self_attn.q_proj", queries, hidden, Config.QkvBias);
            if (Map.IsOwner(layer))
            {
                DeclareLinear(checkpoint, prefix + "self_attn.k_proj", keys, hidden, Config.QkvBias);
                DeclareLinear(checkpoint, prefix + "self_attn.v_proj", keys, hidden, Config.QkvBias);
            }

            DeclareLinear(checkpoint, prefix + "self_attn.o_proj", hidden, queries, Config.OutputBias);
            DeclareLinear(checkpoint, prefix + "mlp.gate_proj", Config.IntermediateSize, hidden, Config.MlpBias);
            DeclareLinear(checkpoint, prefix + "mlp.up_proj", Config.IntermediateSize, hidden, Config.MlpBias);
            DeclareLinear(checkpoint, prefix + "mlp.down_proj", hidden, Config.IntermediateSize, Config.MlpBias);
        }
    }

    private void DeclareLinear(Checkpoint checkpoint, string name, int outputs, int inputs, bool bias)
    {
        Declare(checkpoint, name + ".weight", outputs, inputs);
        if (bias)
        {
            Declare(checkpoint, name + ".bias", outputs);
        }
    }

    private void Declare(Checkpoint checkpoint, string name, params ReadOnlySpan<int> shape)
    {
        FileTensor tensor = checkpoint.Require(name, [.. shape.ToArray().Select(extent => (long)extent)]);
        if (tensor.Type == DType.I32)
        {
            throw new ModelFileException(
                $"{tensor.Path}: tensor {name} at byte offset {tensor.FileOffset}: weights are F32, F16 or BF16, got {tensor.StoredType}; "
                + "convert the checkpoint to one of them.");
        }

        Dim[] dims = [.. shape.ToArray().Select(extent => (Dim)extent)];
        _weights[name] = new(tensor.Type!.Value, dims);
    }
}

/// <summary>What the layers of one pass share: indices of its tokens, and the current version of every cache.</summary>
/// <param name="Positions">I32 <c>[n]</c>.</param>
/// <param name="Sequences">I32 <c>[n]</c>.</param>
/// <param name="Rotation">F32 <c>[n, head_dim]</c>.</param>
/// <param name="Stores">By store id.</param>
/// <param name="Windows">By layer; empty when no query is remembered.</param>
public sealed record LayerState(Slot Positions, Slot Sequences, Slot Rotation, Slot[] Stores, Slot[] Windows);
