namespace KvIL.Cli.Commands;

/// <summary>What <c>kvil inspect --json</c> prints.</summary>
internal sealed record Inspection
{
    public required string Path { get; init; }

    /// <summary><c>safetensors</c>, <c>gguf v3</c>, <c>llama2.c v0</c>.</summary>
    public required string Format { get; init; }

    public required string Architecture { get; init; }

    public required int Layers { get; init; }

    public required int HiddenSize { get; init; }

    public required int IntermediateSize { get; init; }

    public required int QueryHeads { get; init; }

    public required int KvHeads { get; init; }

    public required int HeadDim { get; init; }

    public required int VocabSize { get; init; }

    public required int Context { get; init; }

    public required double RopeTheta { get; init; }

    public required double RmsNormEps { get; init; }

    public required bool TiedEmbeddings { get; init; }

    public required long Parameters { get; init; }

    public required long WeightBytes { get; init; }

    public required IReadOnlyList<TensorTypeInfo> Tensors { get; init; }

    /// <summary>Null where the model has none.</summary>
    public required TokenizerInfo? Tokenizer { get; init; }

    /// <summary>Null where the model has none.</summary>
    public required ChatTemplateInfo? ChatTemplate { get; init; }

    public required IReadOnlyList<int> Eos { get; init; }

    /// <summary>By layer, the sliding window; null for a layer that sees everything.</summary>
    public required IReadOnlyList<int?> Windows { get; init; }

    public required KvInfo Kv { get; init; }

    /// <summary>By layer, the store that it reads.</summary>
    public required IReadOnlyList<int> Stores { get; init; }

    /// <summary>Which layer reads which store, and what the stores take.</summary>
    public required SharingInfo Sharing { get; init; }

    /// <summary>Each tensor, in the order of the file; null unless asked for.</summary>
    public IReadOnlyList<TensorInfo>? TensorList { get; init; }

    /// <summary>The metadata of a GGUF file; null unless asked for.</summary>
    public IReadOnlyList<MetadataInfo>? Metadata { get; init; }
}

/// <summary>All tensors of one stored type.</summary>
internal sealed record TensorTypeInfo(string Type, int Count, long Bytes);

/// <summary>One tensor; its name is the one that KvIL goes by.</summary>
internal sealed record TensorInfo(string Name, string Type, IReadOnlyList<long> Shape, long Bytes, string File, long Offset);

/// <summary>One value of the metadata, a long one abbreviated.</summary>
internal sealed record MetadataInfo(string Key, string Type, string Value);

/// <summary>A chat template.</summary>
internal sealed record ChatTemplateInfo(int Length, string FirstLine);

/// <summary>A tokenizer.</summary>
internal sealed record TokenizerInfo(string Kind, int Size, int? Bos, bool AddsBos);

/// <summary>Bytes with keys and values in either type.</summary>
internal sealed record TypedBytes(long F16, long F32);

/// <summary>Bytes of the cache: of one row, of a token in one store and in all, and of a full context.</summary>
internal sealed record KvInfo(string Formula, TypedBytes RowBytes, TypedBytes BytesPerTokenAndStore, TypedBytes BytesPerToken, TypedBytes BytesOfContext);
