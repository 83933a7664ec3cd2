using KvIL.Inference.Models.Architectures;

namespace KvIL.Inference.Files;

/// <summary>Reads <c>config.json</c> and <c>generation_config.json</c>.</summary>
internal static class ModelConfigReader
{
    private const int MaxFileBytes = 1 << 24;

    // Far above any model, and low enough that the product of two of them fits 64 bits with room to spare.
    internal const int MaxChannels = 1 << 24;
    internal const int MaxLayers = 1 << 14;
    internal const int MaxHeads = 1 << 16;
    internal const int MaxHeadDim = 1 << 16;
    internal const int MaxVocabSize = 1 << 24;
    internal const int MaxPositions = 1 << 30;

    public static ModelConfig Read(string path)
    {
        JsonValue top = JsonValue.Load(path, MaxFileBytes);
        (Architecture architecture, bool isNested) = ReadArchitecture(top);
        JsonValue root = isNested ? top.Require("text_config") : top;
        ConfigDefaults defaults = architecture.Defaults;
        if ((top.Find("quantization_config") ?? root.Find("quantization_config")) is { } quantization)
        {
            throw quantization.Error("quantized weights are not supported", "choose the checkpoint with plain weights");
        }

        int hiddenSize = root.Require("hidden_size").Integer(1, MaxChannels);
        int numLayers = root.Require("num_hidden_layers").Integer(1, MaxLayers);
        int numQueryHeads = root.Require("num_attention_heads").Integer(1, MaxHeads);
        int headDim = ReadHeadDim(root, hiddenSize, numQueryHeads, defaults.HeadDim);
        int vocabSize = root.Require("vocab_size").Integer(1, MaxVocabSize);
        int positions = root.Require("max_position_embeddings").Integer(1, MaxPositions);
        RopeConfig rope = architecture.ReadRope(root, headDim, positions);
        ModelConfig plain = new()
        {
            Architecture = architecture.Class,
            ModelType = root.Find("model_type")?.String() ?? architecture.ModelType,
            HiddenSize = hiddenSize,
            IntermediateSize = architecture.ReadIntermediateSize(root.Require("intermediate_size")),
            NumLayers = numLayers,
            NumQueryHeads = numQueryHeads,
            NumKvHeads = ReadNumKvHeads(root, numQueryHeads, defaults.KvHeads),
            HeadDim = headDim,
            VocabSize = vocabSize,
            MaxPositions = RopeConfigReader.ScaledPositions(rope.Scaling, positions),
            RmsNormEps = root.Find("rms_norm_eps")?.Number(0, 1) ?? defaults.Eps,
            Layers = [.. Enumerable.Repeat(new LayerConfig(rope), numLayers)],
            TieWordEmbeddings = (root.Find("tie_word_embeddings") ?? top.Find("tie_word_embeddings"))?.Boolean() ?? defaults.Tied,
            BosTokenId = root.Find("bos_token_id")?.Integer(0, vocabSize - 1),
            EosTokenIds = ReadEosTokenIds(root, vocabSize) ?? ReadEosTokenIds(top, vocabSize) ?? [],
            WeightPrefix = isNested ? "model.language_model." : "model.",
            TorchDtype = (root.Find("torch_dtype") ?? root.Find("dtype"))?.String(),
        };
        return architecture.Read(root, architecture.Describe(plain) with { Activation = ReadActivation(root, defaults) });
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

    private static (Architecture Family, bool IsNested) ReadArchitecture(JsonValue root)
    {
        JsonValue architectures = root.Require("architectures");
        string[] names = [.. architectures.Items().Select(name => name.String())];
        string known = string.Join(", ", KnownArchitectures.All.Select(architecture => architecture.Class));
        if (names is not [string only])
        {
            string found = names.Length == 0 ? "none" : ModelFileException.Quote(string.Join(", ", names));
            throw architectures.Error($"found {found}, expected one of {known}", "choose a checkpoint of one of them");
        }

        if (KnownArchitectures.All.FirstOrDefault(architecture => architecture.NestedClass == only) is { } nested)
        {
            return (nested, true);
        }

        return (KnownArchitectures.OfClass(only) ?? throw architectures.Error(
            $"found {ModelFileException.Quote(only)}, which is not known; the nearest known is "
            + $"{KnownArchitectures.Nearest(only, architecture => architecture.Class)}, of {known}",
            "choose a checkpoint of one of them"), false);
    }

    private static Activation ReadActivation(JsonValue root, ConfigDefaults defaults)
    {
        JsonValue? field = root.Find(defaults.ActivationField);
        return (field?.String() ?? defaults.Activation) switch
        {
            "silu" => Activation.Silu,
            "gelu_pytorch_tanh" => Activation.GeluTanh,
            string other => throw field!.Value.Error(
                $"found {ModelFileException.Quote(other)}, known are 'silu' and 'gelu_pytorch_tanh'", "choose another checkpoint"),
        };
    }

    private static int ReadNumKvHeads(JsonValue root, int numQueryHeads, int? absent)
    {
        if (root.Find("num_key_value_heads") is not { } field)
        {
            return root.Has("num_key_value_heads") || absent is not int heads ? numQueryHeads
                : numQueryHeads % heads == 0 ? heads
                : throw root.Error($"num_key_value_heads is absent, and its default {heads} does not divide {numQueryHeads}");
        }

        int numKvHeads = field.Integer(1, MaxHeads);
        return numQueryHeads % numKvHeads == 0
            ? numKvHeads
            : throw field.Expected($"a divisor of num_attention_heads ({numQueryHeads})");
    }

    private static int ReadHeadDim(JsonValue root, int hiddenSize, int numQueryHeads, int? absent)
    {
        if (root.Find("head_dim") is { } field)
        {
            int headDim = field.Integer(1, MaxHeadDim);
            return headDim % 2 == 0 ? headDim : throw field.Expected("an even number");
        }

        if (absent is int fixedDim && !root.Has("head_dim"))
        {
            return fixedDim;
        }

        return hiddenSize % (2 * numQueryHeads) == 0 && hiddenSize / numQueryHeads <= MaxHeadDim
            ? hiddenSize / numQueryHeads
            : throw root.Error($"hidden_size {hiddenSize} over {numQueryHeads} heads gives no even head_dim");
    }
}
