using KvIL.Inference.Files;

namespace KvIL.Inference.Tokenization.Gguf;

/// <summary>The types of a GGUF file's tokens, as <c>tokenizer.ggml.token_type</c> numbers them.</summary>
internal enum GgufTokenType
{
    /// <summary>Said to be none of the others.</summary>
    Undefined,

    /// <summary>Text.</summary>
    Normal,

    /// <summary>Stands for what no token spells.</summary>
    Unknown,

    /// <summary>Steers the model.</summary>
    Control,

    /// <summary>Text that is looked for before merging.</summary>
    UserDefined,

    /// <summary>Without use.</summary>
    Unused,

    /// <summary>A byte.</summary>
    Byte,
}

/// <summary>What the metadata of a GGUF file say of its tokenizer, their sizes checked against each other.</summary>
internal sealed record GgufVocabulary
{
    private const string Prefix = "tokenizer.ggml.";

    /// <summary>The file, for messages.</summary>
    public required string File { get; init; }

    /// <summary>The kind, <c>tokenizer.ggml.model</c>.</summary>
    public required string Model { get; init; }

    /// <summary>How text is cut into words, <c>tokenizer.ggml.pre</c>; null where it is not said.</summary>
    public string? Pre { get; init; }

    /// <summary>The model's name, <c>general.name</c>.</summary>
    public string Name { get; init; } = "";

    /// <summary>Spellings by id.</summary>
    public required string[] Tokens { get; init; }

    /// <summary>Scores by id; null where there are none.</summary>
    public float[]? Scores { get; init; }

    /// <summary>Types by id; null for all normal.</summary>
    public int[]? Types { get; init; }

    /// <summary>Merges, each two spellings with a blank between; null where there are none.</summary>
    public string[]? Merges { get; init; }

    /// <summary>The token that starts a text.</summary>
    public int? Bos { get; init; }

    /// <summary>The token that ends a text.</summary>
    public int? Eos { get; init; }

    /// <summary>The token in place of what no token spells.</summary>
    public int? Unknown { get; init; }

    /// <summary>Tokens that end a turn or a message.</summary>
    public IReadOnlyList<int> Ends { get; init; } = [];

    /// <summary>Whether encoding puts <see cref="Bos"/> in front; null where it is not said.</summary>
    public bool? AddsBos { get; init; }

    /// <summary>Whether encoding puts a blank before a text; null where it is not said.</summary>
    public bool? AddsBlank { get; init; }

    /// <summary>The type of a token.</summary>
    public GgufTokenType TypeOf(int id) => Types is null ? GgufTokenType.Normal : (GgufTokenType)Types[id];

    /// <summary>Reads the metadata.</summary>
    /// <exception cref="ModelFileException">They are missing, or do not fit each other.</exception>
    public static GgufVocabulary Read(GgufFile file)
    {
        GgufMetadata metadata = file.Metadata;
        GgufValue list = metadata.Require(Prefix + "tokens");
        if (list.Count is 0 or > Vocabulary.MaxId)
        {
            throw list.Error($"the vocabulary has {list.Count} tokens; from 1 to {Vocabulary.MaxId} are supported");
        }

        string[] tokens = list.Strings();
        int? Id(string key) => metadata.Find(Prefix + key) is { } value && value.Integer(-1L, uint.MaxValue) is var id && id >= 0 && id < tokens.Length
            ? (int)id
            : null; // files are there that name tokens they do not have; they mean none

        return new GgufVocabulary
        {
            File = file.Path,
            Model = metadata.Require(Prefix + "model").String(),
            Pre = metadata.Find(Prefix + "pre")?.String(),
            Name = metadata.Find("general.name")?.String() ?? "",
            Tokens = tokens,
            Scores = ReadList(metadata.Find(Prefix + "scores"), tokens.Length, value => value.Floats()),
            Types = ReadList(metadata.Find(Prefix + "token_type"), tokens.Length, value => value.Integers()),
            Merges = metadata.Find(Prefix + "merges")?.Strings(),
            Bos = Id("bos_token_id"),
            Eos = Id("eos_token_id"),
            Unknown = Id("unknown_token_id"),
            Ends = [.. ((int?[])[Id("eos_token_id"), Id("eot_token_id"), Id("eom_token_id")]).OfType<int>()],
            AddsBos = metadata.Find(Prefix + "add_bos_token")?.Boolean(),
            AddsBlank = metadata.Find(Prefix + "add_space_prefix")?.Boolean(),
        };
    }

    private static T[]? ReadList<T>(GgufValue? value, int tokens, Func<GgufValue, T[]> read)
    {
        if (value is null)
        {
            return null;
        }

        T[] list = read(value);
        return list.Length >= tokens
            ? list
            : throw value.Error($"it has {list.Length} elements for {tokens} tokens");
    }
}
