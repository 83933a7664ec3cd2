using KvIL.Inference.Models.Architectures;

namespace KvIL.Inference.Files;

/// <summary>Reads the shape of a model from the metadata of a GGUF file.</summary>
/// <remarks>
/// Keys and defaults are those of llama.cpp (<c>llama-arch.cpp</c>, <c>models/*.cpp</c>). Three things differ from a Hugging Face
/// checkpoint of the same model: rows of queries and keys stand in interleaved pairs for the architectures that llama.cpp rotates
/// so; Gemma's norms are stored as 1 + w; what is missing as a tensor says whether there are biases and an output head. A sliding
/// window of Phi-3 is heeded, though llama.cpp ignores it; architecture <c>llama</c> has none.
/// </remarks>
internal static class GgufConfigReader
{
    // LLAMA_ROPE_TYPE_NORM in llama.cpp.
    private static readonly string[] Interleaved = ["llama", "granite", "smollm3"];
    private static readonly string[] HalfSplit = ["qwen2", "qwen3", "gemma2", "gemma3", "phi3", "olmo2"];

    /// <summary>Reads the config.</summary>
    /// <exception cref="ModelFileException">Metadata are missing or wrong, or describe what KvIL does not run.</exception>
    public static ModelConfig Read(GgufFile file)
    {
        GgufValue name = file.Metadata.Require("general.architecture");
        string architecture = name.String();
        string[] known = [.. Interleaved, .. HalfSplit];
        if (!known.Contains(architecture) || KnownArchitectures.OfModelType(architecture) is not { } family)
        {
            throw name.Error(
                $"found {ModelFileException.Quote(architecture)}, known are {string.Join(", ", known)}", "choose a model of one of them");
        }

        var fields = new GgufFields(file, architecture);
        if (fields.Find("expert_count") is { } experts && experts.Integer(0, int.MaxValue) > 0)
        {
            throw experts.Error("mixtures of experts are not supported", "choose a dense model");
        }

        ModelConfig plain = ReadPlain(fields, family);
        ModelConfig config = family.Describe(plain) with { NormWeightOffset = 0, AttentionScale = AttentionScale(fields, plain) };
        return architecture switch
        {
            "gemma2" => ReadGemma2(fields, config),
            "gemma3" => ReadGemma3(fields, config),
            "phi3" => config with { Layers = Slide(config, fields.Window(), _ => true) },
            "granite" => ReadGranite(fields, config),
            "smollm3" => config with { Layers = [.. config.Layers.Select((layer, i) => (i + 1) % 4 == 0 ? layer with { Rope = null } : layer)] },
            "olmo2" => ReadOlmo2(fields, config),
            _ => config,
        };
    }

    private static ModelConfig ReadPlain(GgufFields fields, Architecture family)
    {
        int hidden = fields.Size("embedding_length", ModelConfigReader.MaxChannels);
        int layers = fields.Require("block_count").Integer(1, ModelConfigReader.MaxLayers);
        int heads = fields.Size("attention.head_count", ModelConfigReader.MaxHeads);
        int headDim = ReadHeadDim(fields, hidden, heads);
        int positions = fields.Require("context_length").Integer(1, ModelConfigReader.MaxPositions);
        int vocabulary = ReadVocabulary(fields.File);
        RopeConfig rope = GgufRopeReader.Read(fields, headDim, positions);
        GgufMetadata metadata = fields.File.Metadata;
        return new()
        {
            Architecture = family.Class,
            ModelType = family.ModelType,
            HiddenSize = hidden,
            IntermediateSize = fields.Size("feed_forward_length", ModelConfigReader.MaxChannels),
            NumLayers = layers,
            NumQueryHeads = heads,
            NumKvHeads = ReadKvHeads(fields, heads),
            HeadDim = headDim,
            VocabSize = vocabulary,
            MaxPositions = RopeConfigReader.ScaledPositions(rope.Scaling, positions),
            RmsNormEps = fields.Require("attention.layer_norm_rms_epsilon").Number(0, 1),
            Layers = [.. Enumerable.Repeat(new LayerConfig(rope), layers)],
            TieWordEmbeddings = !fields.File.Tensors.ContainsKey("output.weight"),
            QkvBias = fields.Has("attn_q.bias") || fields.Has("attn_qkv.bias"),
            OutputBias = fields.Has("attn_output.bias"),
            MlpBias = fields.Has("ffn_down.bias"),
            RopePairing = Interleaved.Contains(family.ModelType) ? RopePairing.Interleaved : RopePairing.HalfSplit,
            BosTokenId = Token(metadata, "bos", vocabulary),
            EosTokenIds = [.. ((string[])["eos", "eot"]).Select(kind => Token(metadata, kind, vocabulary)).OfType<int>().Distinct()],
        };
    }

    private static int ReadHeadDim(GgufFields fields, int hidden, int heads)
    {
        if (fields.Find("attention.key_length") is { } keys)
        {
            int headDim = keys.Integer(1, ModelConfigReader.MaxHeadDim);
            if (fields.Find("attention.value_length") is { } values && values.Integer(1, ModelConfigReader.MaxHeadDim) != headDim)
            {
                throw values.Error($"keys of {headDim} channels and values of another number are not supported", "choose another model");
            }

            return headDim % 2 == 0 ? headDim : throw keys.Expected("an even number");
        }

        return hidden % (2 * heads) == 0 && hidden / heads <= ModelConfigReader.MaxHeadDim
            ? hidden / heads
            : throw fields.Require("attention.head_count").Error($"a width of {hidden} over {heads} heads gives no even size of a head");
    }

    private static int ReadKvHeads(GgufFields fields, int heads)
    {
        int kvHeads = fields.SizeOr("attention.head_count_kv", ModelConfigReader.MaxHeads, heads);
        return heads % kvHeads == 0
            ? kvHeads
            : throw fields.Require("attention.head_count_kv").Expected($"a divisor of the {heads} query heads");
    }

    private static int ReadVocabulary(GgufFile file) =>
        file.Tensors.TryGetValue("token_embd.weight", out FileTensor? embedding) && embedding.Shape is [> 0 and <= ModelConfigReader.MaxVocabSize, _]
            ? (int)embedding.Shape[0]
            : throw new ModelFileException(
                $"{file.Path}: the tensor 'token_embd.weight' is missing or no matrix of at most {ModelConfigReader.MaxVocabSize} rows; "
                + "name a file with a language model's weights.");

    // A file may name a token that its vocabulary does not have; it ends nothing then.
    private static int? Token(GgufMetadata metadata, string kind, int vocabulary) =>
        metadata.Find($"tokenizer.ggml.{kind}_token_id")?.Integer(-1L, uint.MaxValue) is { } id && id >= 0 && id < vocabulary ? (int)id : null;

    // Gemma's files have no field for it: the 27 B models, known by their layers, divide by the width over the heads.
    private static double AttentionScale(GgufFields fields, ModelConfig config) => config switch
    {
        { ModelType: "gemma2", NumLayers: 46 } or { ModelType: "gemma3", NumLayers: 62 } =>
            1 / Math.Sqrt(config.HiddenSize / config.NumQueryHeads),
        { ModelType: "gemma2" or "gemma3" } => 1 / Math.Sqrt(config.HeadDim),
        _ => fields.Factor("attention.scale") ?? (1 / Math.Sqrt(config.HeadDim)),
    };

    private static LayerConfig[] Slide(ModelConfig config, int? window, Func<int, bool> slides) =>
        [.. config.Layers.Select((layer, i) => slides(i) ? layer with { Window = window } : layer)];

    private static ModelConfig ReadGemma2(GgufFields fields, ModelConfig config) => config with
    {
        AttentionSoftCap = fields.Factor("attn_logit_softcapping") ?? 50,
        LogitsSoftCap = fields.Factor("final_logit_softcapping") ?? 30,
        Layers = Slide(config, fields.Window() ?? 4096, fields.Slides(2, config.NumLayers)),
    };

    private static ModelConfig ReadGemma3(GgufFields fields, ModelConfig config)
    {
        config = config with { LogitsSoftCap = fields.Factor("final_logit_softcapping") };
        if (fields.Window() is not { } window)
        {
            return config;
        }

        // Layers that slide have a base of their own and no scaling.
        RopeConfig local = new(GgufRopeReader.Theta(fields, "rope.freq_base_swa", 10000), config.Layers[0].Rope!.RotaryDim);
        Func<int, bool> slides = fields.Slides(6, config.NumLayers);
        return config with { Layers = [.. config.Layers.Select((layer, i) => slides(i) ? new LayerConfig(local, window) : layer)] };
    }

    private static ModelConfig ReadGranite(GgufFields fields, ModelConfig config)
    {
        // Granite writes rope.scaling.finetuned = false for a model without positions.
        bool rotates = fields.Find("rope.scaling.finetuned")?.Boolean() ?? true;
        return config with
        {
            EmbeddingScale = fields.Factor("embedding_scale") ?? 1,
            ResidualMultiplier = fields.Factor("residual_scale") ?? 1,
            LogitsDivisor = fields.Factor("logit_scale") ?? 1,
            Layers = rotates ? config.Layers : [.. config.Layers.Select(layer => layer with { Rope = null })],
        };
    }

    // OLMo 3 goes by the name of OLMo 2 and has a window; its layers that slide are not scaled.
    private static ModelConfig ReadOlmo2(GgufFields fields, ModelConfig config)
    {
        if (fields.Window() is not { } window)
        {
            return config;
        }

        RopeConfig rope = config.Layers[0].Rope! with { Scaling = null };
        Func<int, bool> slides = fields.Slides(4, config.NumLayers);
        return config with { Layers = [.. config.Layers.Select((layer, i) => slides(i) ? new LayerConfig(rope, window) : layer)] };
    }
}
