using KvIL.Inference.Files;
using KvIL.Inference.Tokenization.Bpe;

namespace KvIL.Inference.Tokenization.Gguf;

/// <summary>Makes a tokenizer of what a GGUF file says, as llama.cpp reads it.</summary>
internal static class GgufTokenizer
{
    private const char Blank = '\u2581';

    /// <summary>The tokenizer.</summary>
    /// <exception cref="ModelFileException">Its kind is not supported, or a part of it is missing.</exception>
    public static Tokenizer Create(GgufVocabulary file)
    {
        switch (file.Model)
        {
            case "gpt2":
                return CreateByteLevel(file);
            case "llama":
                return CreateSentencePiece(file);
            case "gemma4":
                return CreatePlain(file);
            default:
                throw Refuse(file, "tokenizer.ggml.model", file.Model, file.Model switch
                {
                    "bert" => "word pieces, which are",
                    "t5" => "a unigram model, which is",
                    "rwkv" => "RWKV's greedy tokenizer, which is",
                    _ => "a tokenizer that is",
                });
        }
    }

    private static Tokenizer CreateByteLevel(GgufVocabulary file)
    {
        IReadOnlyList<IWordCut> cuts = GgufWordCuts.Find(file.Pre)
            ?? throw Refuse(file, "tokenizer.ggml.pre", file.Pre!, "a way of cutting text into words that is");
        Vocabulary vocabulary = ReadTokens(file);
        BpeModel model = GgufMerges.Read(
            file, vocabulary, new MissingCharacters(null, null, false, Separates: true), GgufWordCuts.TakesWholeWords(file.Pre));
        TokenSpelling spelling = TokenSpelling.ByteLevel(vocabulary);
        return Assemble(
            "byte-level BPE", file, vocabulary, new BpeEncoder([.. cuts, new ByteSpelling()], model), spelling,
            addsBos: GgufWordCuts.AddsBos(file.Pre));
    }

    private static Tokenizer CreateSentencePiece(GgufVocabulary file)
    {
        Vocabulary vocabulary = ReadTokens(file);
        var pieces = new Dictionary<string, int>(file.Tokens.Length);
        for (int id = 0; id < file.Tokens.Length; id++)
        {
            if (file.Tokens[id].Length > 0 && !vocabulary.IsSpecial(id) && file.TypeOf(id) != GgufTokenType.Byte)
            {
                pieces.TryAdd(file.Tokens[id], id);
            }
        }

        float[] scores = file.Scores ?? new float[file.Tokens.Length];
        if (Array.Exists(scores, float.IsNaN))
        {
            throw new ModelFileException(
                $"{file.File}: 'tokenizer.ggml.scores': a score is not a number; download the file again or convert the model again.");
        }

        bool addsBlank = file.AddsBlank ?? true;
        var encoder = new SentencePieceEncoder(
            new SentencePieceVocabulary(pieces, scores), ByteFallback.Find(vocabulary), file.Unknown, Blank, addsBlank);
        TokenSpelling spelling = TokenSpelling.Plain(vocabulary, [(Blank.ToString(), " ")], byteFallback: true, addsBlank);
        return Assemble(
            "SentencePiece BPE", file with { Bos = file.Bos ?? Default(file, 1), Eos = file.Eos ?? Default(file, 2) }, vocabulary,
            encoder, spelling, addsBos: true);
    }

    // Merges over plain characters with byte fallback: blanks spelled as in SentencePiece, lines apart.
    private static Tokenizer CreatePlain(GgufVocabulary file)
    {
        Vocabulary vocabulary = ReadTokens(file);
        var missing = new MissingCharacters(ByteFallback.Find(vocabulary), null, false, Separates: true);
        BpeModel model = GgufMerges.Read(file, vocabulary, missing, takesWholeWords: false);
        IWordCut[] cuts = [new BlankCut(Blank), new PatternCut(Patterns.Pattern.Parse(@"[^\n]+|\n+"))];
        TokenSpelling spelling = TokenSpelling.Plain(vocabulary, [(Blank.ToString(), " ")], byteFallback: true, dropsBlank: false);
        return Assemble(
            "BPE with byte fallback", file, vocabulary, new BpeEncoder(cuts, model), spelling,
            addsBos: true);
    }

    private static int? Default(GgufVocabulary file, int id) => id < file.Tokens.Length ? id : null;

    private static Vocabulary ReadTokens(GgufVocabulary file)
    {
        var vocabulary = new Vocabulary(file.Tokens.Length);
        for (int id = 0; id < file.Tokens.Length; id++)
        {
            vocabulary.Add(file.Tokens[id], id);
            if (file.TypeOf(id) is GgufTokenType.Control or GgufTokenType.Unknown)
            {
                vocabulary.MarkSpecial(id);
            }
        }

        // Some files say that tokens which end a turn are text.
        foreach (string end in EndOfTurn.Spellings)
        {
            if (vocabulary.Find(end) is { } id)
            {
                vocabulary.MarkSpecial(id);
            }
        }

        return vocabulary;
    }

    private static Tokenizer Assemble(
        string kind, GgufVocabulary file, Vocabulary vocabulary, ITextEncoder encoder, TokenSpelling spelling, bool addsBos)
    {
        var cut = new List<CutToken>();
        bool isPhi3 = file.Name.Contains("phi-3", StringComparison.OrdinalIgnoreCase)
            || file.Name.Contains("phi3", StringComparison.OrdinalIgnoreCase);
        for (int id = 0; id < file.Tokens.Length; id++)
        {
            string token = file.Tokens[id];
            bool special = vocabulary.IsSpecial(id);
            if (token.Length > 0 && (special || file.TypeOf(id) == GgufTokenType.UserDefined))
            {
                spelling.MarkLiteral(id);
                bool strips = isPhi3 && token is not ("<unk>" or "<s>" or "<|endoftext|>");
                cut.Add(new CutToken(token, id, special, StripsLeft: false, strips));
            }
        }

        var marks = new TokenMarks(file.Bos, file.Eos, file.AddsBos ?? addsBos, file.Ends);
        return new Tokenizer(kind, vocabulary, new LongestFirstCutter(cut), encoder, spelling, marks);
    }

    private static ModelFileException Refuse(GgufVocabulary file, string key, string found, string what) => new(
        $"{file.File}: {ModelFileException.Quote(key)} is {ModelFileException.Quote(found)}, {what} not supported; choose another checkpoint.");
}
