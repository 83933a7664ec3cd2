using KvIL.Inference.Files;
using KvIL.Inference.Tokenization.Bpe;

namespace KvIL.Inference.Tokenization.Json;

/// <summary>Reads a Hugging Face tokenizer.json; refuses by name what KvIL does not do.</summary>
/// <remarks>Gives the ids that the <c>tokenizers</c> library gives.</remarks>
internal static class TokenizerJson
{
    private const int MaxFileBytes = 1 << 29;
    private const int MaxConfigBytes = 1 << 24;

    /// <summary>Reads the file, and the tokenizer_config.json beside it for the tokens that start and end a text.</summary>
    /// <exception cref="ModelFileException">The file cannot be read, or names a part that KvIL does not have.</exception>
    public static Tokenizer Load(string path)
    {
        JsonValue root = JsonValue.Load(path, MaxFileBytes);
        JsonValue model = root.Require("model");
        IReadOnlyList<Func<string, string>> normalizer = NormalizerJson.Read(root.Find("normalizer"));
        IReadOnlyList<IWordCut> cuts = PreTokenizerJson.Read(root.Find("pre_tokenizer"));
        bool byteLevel = cuts.Any(cut => cut is ByteSpelling);

        Vocabulary vocabulary = BpeJson.ReadVocabulary(model);
        TokenSpelling spelling = DecoderJson.Read(root.Find("decoder"), vocabulary, byteLevel);
        NormalizingCutter cutter = AddedTokensJson.Read(root.Find("added_tokens"), vocabulary, spelling, normalizer);
        var encoder = new BpeEncoder(cuts, BpeJson.Read(model, vocabulary));

        int? first = PostProcessorJson.ReadFirstToken(root.Find("post_processor"), vocabulary);
        (int? bos, int? eos) = ReadMarks(path, vocabulary);
        var marks = new TokenMarks(first ?? bos, eos, AddsBos: first is not null, eos is { } end ? [end] : []);
        string kind = byteLevel ? "byte-level BPE" : "BPE with byte fallback";
        return new Tokenizer(kind, vocabulary, cutter, encoder, spelling, marks);
    }

    private static (int? Bos, int? Eos) ReadMarks(string path, Vocabulary vocabulary)
    {
        string config = Path.Combine(Path.GetDirectoryName(path) ?? "", "tokenizer_config.json");
        if (!File.Exists(config))
        {
            return (null, null);
        }

        JsonValue root = JsonValue.Load(config, MaxConfigBytes);
        return (ReadMark(root, "bos_token", vocabulary), ReadMark(root, "eos_token", vocabulary));
    }

    private static int? ReadMark(JsonValue root, string field, Vocabulary vocabulary)
    {
        if (root.Find(field) is not { } mark)
        {
            return null;
        }

        string content = mark.IsString ? mark.String() : mark.Require("content").String();
        return vocabulary.Find(content)
            ?? throw mark.Error($"the tokenizer has no token {ModelFileException.Quote(content)}");
    }
}
