namespace KvIL.Inference.Files;

/// <summary>Reads <c>config.json</c> and <c>generation_config.json</c>.</summary>
internal static class ModelConfigReader
{
    private const string Llama = "LlamaForCausalLM";
    private const int MaxFileBytes = 1 << 24;

    // Far above any model, and low enough that the product of two of them fits 64 bits with room to spare.
    private const int MaxChannels = 1 << 24;
    private const int MaxLayers = 1 << 14;
    private const int MaxHeads = 1 << 16;
    private const int MaxHeadDim = 1 << 16;
    private const int MaxVocabSize = 1 << 24;
    private const int MaxPositions = 1 << 30;

    public static ModelConfig Read(string path)
    {
        JsonValue root = JsonValue.Load(path, MaxFileBytes);
        string architecture = ReadArchitecture(root);
        CheckSupported(root);
        int hiddenSize = root.Require("hidden_size").Integer(1, MaxChannels);
        int numQueryHeads = root.Require("num_attention_heads").Integer(1, MaxHeads);
        int vocabSize = root.Require("vocab_size").Integer(1, MaxVocabSize);
        return new ModelConfig
        {
            Architecture = architecture,
            ModelType = root.Find("model_type")?.String() ?? "llama",
            HiddenSize = hiddenSize,
            IntermediateSize = root.Require("intermediate_size").Integer(1, MaxChannels),
            NumLayers = root.Require("num_hidden_layers").Integer(1, MaxLayers),
            NumQueryHeads = numQueryHeads,
            NumKvHeads = ReadNumKvHeads(root, numQueryHeads),
            HeadDim = ReadHeadDim(root, hiddenSize, numQueryHeads),
            VocabSize = vocabSize,
            MaxPositions = root.Require("max_position_embeddings").Integer(1, MaxPositions),
            RmsNormEps = root.Find("rms_norm_eps")?.Number(0, 1) ?? 1e-6,
            RopeTheta = ReadRopeTheta(root),
            TieWordEmbeddings = root.Find("tie_word_embeddings")?.Boolean() ?? false,
            AttentionBias = root.Find("attention_bias")?.Boolean() ?? false,
            MlpBias = root.Find("mlp_bias")?.Boolean() ?? false,
            BosTokenId = root.Find("bos_token_id")?.Integer(0, vocabSize - 1),
            EosTokenIds = ReadEosTokenIds(root, vocabSize) ?? [],
            TorchDtype = (root.Find("torch_dtype") ?? root.Find("dtype"))?.String(),
        };
    }

    /// <summary>The end tokens that <c>generation_config.json</c> names; null where it names none.</summary>
    public static int[]? ReadGenerationEos(string path, int vocabSize) =>
        ReadEosTokenIds(JsonValue.Load(path, MaxFileBytes), vocabSize);

    private static int[]? ReadEosTokenIds(JsonValue root, int vocabSize) => root.Find("eos_token_id") switch
    {
        null => null,
        { IsArray: true } ids => [.. ids.Items().Select(id => id.Integer(0, vocabSize - 1))],
        { } id => [id.Integer(0, vocabSize - 1)],
    };

    private static string ReadArchitecture(JsonValue root)
    {
        JsonValue architectures = root.Require("architectures");
        string[] names = [.. architectures.Items().Select(name => name.String())];
        return names is [Llama]
            ? Llama
            : throw architectures.Error(
                $"found {(names.Length == 0 ? "none" : ModelFileException.Quote(string.Join(", ", names)))}, "
                + $"supported is {Llama}", "choose a checkpoint of that architecture");
    }

    private static void CheckSupported(JsonValue root)
    {
        if (root.Find("hidden_act") is { } activation && activation.String() != "silu")
        {
            throw activation.Error(
                $"found {ModelFileException.Quote(activation.String())}, supported is 'silu'", "choose another checkpoint");
        }

        if (root.Find("quantization_config") is { } quantization)
        {
            throw quantization.Error("quantized weights are not supported", "choose the checkpoint with plain weights");
        }

        CheckWholeRotation(root);
    }

    private static int ReadNumKvHeads(JsonValue root, int numQueryHeads)
    {
        if (root.Find("num_key_value_heads") is not { } field)
        {
            return numQueryHeads;
        }

        int numKvHeads = field.Integer(1, MaxHeads);
        return numQueryHeads % numKvHeads == 0
            ? numKvHeads
            : throw field.Expected($"a divisor of num_attention_heads ({numQueryHeads})");
    }

    private static int ReadHeadDim(JsonValue root, int hiddenSize, int numQueryHeads)
    {
        if (root.Find("head_dim") is { } field)
        {
            int headDim = field.Integer(1, MaxHeadDim);
            return headDim % 2 == 0 ? headDim : throw field.Expected("an even number");
        }

        return hiddenSize % (2 * numQueryHeads) == 0 && hiddenSize / numQueryHeads <= MaxHeadDim
            ? hiddenSize / numQueryHeads
            : throw root.Error($"hidden_size {hiddenSize} over {numQueryHeads} heads gives no even head_dim");
    }

    private static double ReadRopeTheta(JsonValue root)
    {
        const double minTheta = 1;
        const double maxTheta = 1e12;
        double theta = root.Find("rope_theta")?.Number(minTheta, maxTheta) ?? 10000;
        if (root.Find("rope_scaling") is { } scaling)
        {
            CheckUnscaled(scaling);
        }

        if (root.Find("rope_parameters") is { } parameters)
        {
            CheckUnscaled(parameters);
            CheckWholeRotation(parameters);
            theta = parameters.Find("rope_theta")?.Number(minTheta, maxTheta) ?? theta;
        }

        return theta;
    }

    private static void CheckUnscaled(JsonValue rope)
    {
        string type = (rope.Find("rope_type") ?? rope.Find("type") ?? rope.Require("rope_type")).String();
        if (type != "default")
        {
            throw rope.Error(
                $"found rotary positions of type {ModelFileException.Quote(type)}, supported is 'default'",
                "choose a checkpoint without scaled positions");
        }
    }

    private static void CheckWholeRotation(JsonValue fields)
    {
        if (fields.Find("partial_rotary_factor") is { } factor && factor.Number(0, 1) != 1)
        {
            throw factor.Expected("1, since Llama rotates whole heads");
        }
    }
}
