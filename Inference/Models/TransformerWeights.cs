using KvIL.Inference.Files;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Inference.Models;

/// <summary>The weights that a model's plans name: found in the checkpoint, their shapes checked, fused ones taken apart as views.</summary>
internal sealed class TransformerWeights
{
    private readonly Checkpoint _checkpoint;
    private readonly ModelConfig _config;
    private readonly Dictionary<string, FileTensor> _tensors = [];
    private readonly Dictionary<string, TensorSpec> _specs = [];

    /// <exception cref="ModelFileException">A weight is missing or has another shape.</exception>
    public TransformerWeights(Checkpoint checkpoint, ModelConfig config, SharingMap map)
    {
        (_checkpoint, _config) = (checkpoint, config);
        Declare(Names.Embedding, _config.VocabSize, _config.HiddenSize);
        if (!_config.TieWordEmbeddings)
        {
            Declare(Names.Output, _config.VocabSize, _config.HiddenSize);
        }

        Declare(Names.FinalNorm, _config.HiddenSize);
        DeclareStreams();
        for (int layer = 0; layer < _config.NumLayers; layer++)
        {
            DeclareLayer(layer, map.IsOwner(layer));
        }
    }

    /// <summary>Where each weight lies.</summary>
    public IReadOnlyDictionary<string, FileTensor> Tensors => _tensors;

    /// <summary>What each weight is.</summary>
    public IReadOnlyDictionary<string, TensorSpec> Specs => _specs;

    private void DeclareLayer(int layer, bool isOwner)
    {
        string prefix = Names.Layer(layer);
        int hidden = _config.HiddenSize;
        int queries = _config.QueryWidthOf(layer);
        int keys = _config.KvWidthOf(layer);
        int headDim = _config.HeadDimOf(layer);
        (BlockNorms attention, BlockNorms mlp) = Names.Norms(_config.NormPlacement);
        foreach (string norm in new[] { attention.Before, attention.After, mlp.Before, mlp.After }.OfType<string>())
        {
            Declare($"{prefix}{norm}.weight", hidden);
        }

        Part[] projections = [new("q_proj", queries, true), new("k_proj", keys, isOwner), new("v_proj", keys, isOwner && !_config.Layers[layer].KeysAreValues)];
        DeclareLinears(prefix + "self_attn.", "qkv_proj", projections, hidden, _config.QkvBias);
        if (_config.QueryKeyNorm != QueryKeyNorm.None)
        {
            bool perHead = _config.QueryKeyNorm == QueryKeyNorm.PerHead;
            Declare($"{prefix}{Names.QueryNorm(_config)}.weight", perHead ? headDim : queries);
            if (isOwner || _config.NormAfterRope)
            {
                Declare($"{prefix}{Names.KeyNorm(_config)}.weight", perHead ? headDim : keys);
            }
        }

        DeclareLinear(prefix + "self_attn.o_proj", hidden, queries, _config.OutputBias);
        int channels = _config.IntermediateSizeOf(layer);
        Part[] gates = [new("gate_proj", channels, true), new("up_proj", channels, true)];
        DeclareLinears(prefix + "mlp.", "gate_up_proj", gates, hidden, _config.MlpBias);
        DeclareLinear(prefix + "mlp.down_proj", hidden, channels, _config.MlpBias);
        DeclareStreamsOf(prefix);
    }

    private void DeclareStreams()
    {
        int hidden = _config.HiddenSize;
        if (_config.PerLayerInputs is { } inputs)
        {
            int width = checked(_config.NumLayers * inputs.Width);
            Declare(Names.PerLayerEmbedding, inputs.VocabSize, width);
            Declare(Names.PerLayerModel, width, hidden);
            Declare(Names.PerLayerNorm, inputs.Width);
        }

        for (int j = 1; j < (_config.AltUp?.Streams ?? 1); j++)
        {
            Declare(Names.AltUpProjection(j), hidden, hidden);
            Declare(Names.AltUpUnembedding(j), hidden, hidden);
        }
    }

    private void DeclareStreamsOf(string prefix)
    {
        int hidden = _config.HiddenSize;
        if (_config.LayerScalar)
        {
            Declare(prefix + "layer_scalar", 1);
        }

        if (_config.PerLayerInputs is { } inputs)
        {
            Declare(prefix + "per_layer_input_gate.weight", inputs.Width, hidden);
            Declare(prefix + "per_layer_projection.weight", hidden, inputs.Width);
            Declare(prefix + "post_per_layer_input_norm.weight", hidden);
        }

        if (_config.AltUp is { } altUp)
        {
            (int streams, string altup, string laurel) = (altUp.Streams, prefix + "altup.", prefix + "laurel.");
            Declare(altup + "router_norm.weight", hidden);
            Declare(altup + "modality_router.weight", streams, hidden);
            Declare(altup + "prediction_coefs.weight", streams * streams, streams);
            Declare(altup + "correction_coefs.weight", streams, streams);
            RefuseBeyond(altup + "correction_coefs.weight", altUp.CoefficientLimit);
            if (altUp.ScalesCorrected)
            {
                Declare(altup + "correct_output_scale", hidden);
            }

            Declare(laurel + "linear_left.weight", altUp.LaurelRank, hidden);
            Declare(laurel + "linear_right.weight", hidden, altUp.LaurelRank);
            Declare(laurel + "post_laurel_norm.weight", hidden);
        }
    }

    // The library clips these coefficients; here a coefficient that there is to clip is refused.
    private void RefuseBeyond(string name, double? limit)
    {
        if (limit is double most && !_tensors[name].Floats().All(value => Math.Abs(value) <= most))
        {
            throw new ModelFileException(
                FormattableString.Invariant($"{_tensors[name].Path}: the tensor {name} has a number beyond altup_coef_clip {most}, ")
                + "which is not supported; download the checkpoint again or choose another.");
        }
    }

    // Projections of one input: tensors of their own, or rows of a fused one in this order.
    private void DeclareLinears(string prefix, string fused, Part[] parts, int inputs, bool bias)
    {
        int rows = parts.Sum(part => part.Rows);
        int first = 0;
        foreach (Part part in parts)
        {
            if (part.IsUsed && !_config.FusedProjections)
            {
                DeclareLinear(prefix + part.Name, part.Rows, inputs, bias);
            }
            else if (part.IsUsed)
            {
                Add($"{prefix}{part.Name}.weight", Require($"{prefix}{fused}.weight", rows, inputs).Rows(first, part.Rows));
                if (bias)
                {
                    Add($"{prefix}{part.Name}.bias", Require($"{prefix}{fused}.bias", rows).Rows(first, part.Rows));
                }
            }

            first += part.Rows;
        }
    }

    private void DeclareLinear(string name, int outputs, int inputs, bool bias)
    {
        Declare(name + ".weight", outputs, inputs);
        if (bias)
        {
            Declare(name + ".bias", outputs);
        }
    }

    private void Declare(string name, params ReadOnlySpan<int> shape) => Add(name, Require(name, shape));

    // Matrices may be quantised; norms and biases are plain.
    private FileTensor Require(string name, params ReadOnlySpan<int> shape)
    {
        FileTensor tensor = _checkpoint.Require(name, [.. shape.ToArray().Select(extent => (long)extent)]);
        bool quantised = tensor.Type!.Value.IsQuantized();
        return tensor.Type != DType.I32 && (shape.Length > 1 || !quantised)
            ? tensor
            : throw new ModelFileException(
                $"{tensor.Path}: tensor {name} at byte offset {tensor.FileOffset}: {(shape.Length > 1 ? "weights" : "norms and biases")} are "
                + $"F32, F16 or BF16, got {tensor.StoredType}; convert the checkpoint to one of them.");
    }

    private void Add(string name, FileTensor tensor)
    {
        Dim[] dims = [.. tensor.Shape.Select(extent => (Dim)checked((int)extent))];
        (_tensors[name], _specs[name]) = (tensor, new(tensor.Type!.Value, dims));
    }

    private readonly record struct Part(string Name, int Rows, bool IsUsed);
}

/// <summary>Names of weights, as Hugging Face checkpoints have them.</summary>
internal static class Names
{
    public const string Embedding = "model.embed_tokens.weight";
    public const string Output = "lm_head.weight";
    public const string FinalNorm = "model.norm.weight";

    public const string PerLayerEmbedding = "model.embed_tokens_per_layer.weight";
    public const string PerLayerModel = "model.per_layer_model_projection.weight";
    public const string PerLayerNorm = "model.per_layer_projection_norm.weight";

    public static string Layer(int layer) => $"model.layers.{layer}.";

    /// <summary>Makes stream <paramref name="j"/>, above 0, from the embedding.</summary>
    public static string AltUpProjection(int j) => $"model.altup_projections.{j - 1}.weight";

    /// <summary>Brings stream <paramref name="j"/>, above 0, back.</summary>
    public static string AltUpUnembedding(int j) => $"model.altup_unembed_projections.{j - 1}.weight";

    /// <summary>The norm of queries.</summary>
    public static string QueryNorm(ModelConfig config) => config.NormAfterRope ? "self_attn.query_layernorm" : "self_attn.q_norm";

    /// <summary>The norm of keys.</summary>
    public static string KeyNorm(ModelConfig config) => config.NormAfterRope ? "self_attn.key_layernorm" : "self_attn.k_norm";

    /// <summary>The norms around each of a layer's two blocks.</summary>
    public static (BlockNorms Attention, BlockNorms Mlp) Norms(NormPlacement placement) => placement switch
    {
        NormPlacement.Before => (new("input_layernorm", null), new("post_attention_layernorm", null)),
        NormPlacement.After => (new(null, "post_attention_layernorm"), new(null, "post_feedforward_layernorm")),
        _ => (new("input_layernorm", "post_attention_layernorm"), new("pre_feedforward_layernorm", "post_feedforward_layernorm")),
    };
}

/// <summary>The norms before and after a block; null for none.</summary>
internal readonly record struct BlockNorms(string? Before, string? After);
