using KvIL.Inference.Tokenization;
using KvIL.Inference.Tokenization.Gguf;

namespace KvIL.Tests.Tokenization;

/// <summary>Small vocabularies of GGUF files, made for a test.</summary>
internal static class GgufVocabularies
{
    public const string Start = "<|start|>";
    public const string End = "<|im_end|>";
    public const string Word = "<word>";

    /// <summary>The 256 bytes at their own ids, then <see cref="Start"/>, <see cref="End"/>, <see cref="Word"/>, then what merges make.</summary>
    public static GgufVocabulary ByteLevel(string pre, params string[] merges)
    {
        string[] tokens =
        [
            .. Enumerable.Range(0, 256).Select(value => ByteSymbols.Symbol((byte)value).ToString()), Start, End, Word,
            .. merges.Select(merge => merge.Replace(" ", "", StringComparison.Ordinal)),
        ];
        int[] types = [.. tokens.Select(token => token switch
        {
            Start or End => (int)GgufTokenType.Control,
            Word => (int)GgufTokenType.UserDefined,
            _ => (int)GgufTokenType.Normal,
        })];
        return new() { File = "test.gguf", Model = "gpt2", Pre = pre, Tokens = tokens, Types = types, Merges = merges, Bos = 256, Eos = 257, Ends = [257] };
    }

    /// <summary>Unknown, start, end, the 256 bytes from id 3, then pieces from id 259 with their scores.</summary>
    public static GgufVocabulary SentencePiece(params (string Piece, float Score)[] pieces)
    {
        string[] tokens = ["<unk>", "<s>", "</s>", .. Enumerable.Range(0, 256).Select(value => ByteFallback.Spelling((byte)value)), .. pieces.Select(p => p.Piece)];
        int[] types = [2, 3, 3, .. Enumerable.Repeat(6, 256), .. pieces.Select(_ => 1)];
        return new()
        {
            File = "test.gguf", Model = "llama", Tokens = tokens, Types = types,
            Scores = [.. new float[259], .. pieces.Select(p => p.Score)], Bos = 1, Eos = 2, Unknown = 0, Ends = [2],
        };
    }

    /// <summary>The metadata of a file with that vocabulary.</summary>
    public static (string, object)[] Metadata(GgufVocabulary vocabulary)
    {
        List<(string, object)> metadata =
        [
            ("tokenizer.ggml.model", vocabulary.Model), ("tokenizer.ggml.tokens", vocabulary.Tokens),
            ("tokenizer.ggml.token_type", vocabulary.Types!), ("tokenizer.ggml.bos_token_id", (uint)vocabulary.Bos!),
            ("tokenizer.ggml.eos_token_id", (uint)vocabulary.Eos!),
        ];
        if (vocabulary.Pre is { } pre)
        {
            metadata.Add(("tokenizer.ggml.pre", pre));
        }

        if (vocabulary.Merges is { } merges)
        {
            metadata.Add(("tokenizer.ggml.merges", merges));
        }

        if (vocabulary.Scores is { } scores)
        {
            metadata.Add(("tokenizer.ggml.scores", scores));
        }

        return [.. metadata];
    }
}
