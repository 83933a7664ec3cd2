using KvIL.Inference.Files;
using KvIL.Inference.Tokenization.Bpe;

namespace KvIL.Inference.Tokenization.Gguf;

/// <summary>Reads the merges of a GGUF file.</summary>
/// <remarks>
/// As in llama.cpp, the parts and the result of a merge need not be tokens. A symbol that is none when merging ends gives
/// the tokens of its ASCII characters.
/// </remarks>
internal sealed class GgufMerges
{
    private readonly Vocabulary _vocabulary;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids;
    private readonly Dictionary<string, int> _symbols = [];
    private readonly Dictionary<int, int[]> _expansions = [];

    private GgufMerges(Vocabulary vocabulary)
    {
        _vocabulary = vocabulary;
        _ids = vocabulary.Ids.GetAlternateLookup<ReadOnlySpan<char>>();
    }

    /// <summary>The model of the file's tokens and merges.</summary>
    /// <exception cref="ModelFileException">There are no merges, or one is not two spellings.</exception>
    public static BpeModel Read(GgufVocabulary file, Vocabulary vocabulary, MissingCharacters missing, bool takesWholeWords)
    {
        string[] list = file.Merges ?? throw Error(file, "is missing");
        var reader = new GgufMerges(vocabulary);
        var merges = new MergeTable(list.Length);
        char[] both = [];
        for (int rank = 0; rank < list.Length; rank++)
        {
            // A blank at the very start is the first part's own.
            string pair = list[rank];
            int blank = pair.Length < 3 ? -1 : pair.IndexOf(' ', 1);
            if (blank < 0 || blank == pair.Length - 1)
            {
                throw Error(file, $"its element {rank}, {ModelFileException.Quote(pair)}, is not two tokens");
            }

            if (both.Length < pair.Length)
            {
                both = new char[2 * pair.Length];
            }

            pair.AsSpan(0, blank).CopyTo(both);
            pair.AsSpan(blank + 1).CopyTo(both.AsSpan(blank));
            merges.Add(
                reader.Symbol(pair.AsSpan(0, blank)), reader.Symbol(pair.AsSpan(blank + 1)),
                reader.Symbol(both.AsSpan(0, pair.Length - 1)), rank, replace: false);
        }

        return new BpeModel(vocabulary, merges, missing, reader._expansions) { TakesWholeWords = takesWholeWords };
    }

    private static ModelFileException Error(GgufVocabulary file, string problem) => new(
        $"{file.File}: 'tokenizer.ggml.merges' {problem}; download the file again or convert the model again.");

    private int Symbol(ReadOnlySpan<char> spelling)
    {
        if (_ids.TryGetValue(spelling, out int id))
        {
            return id;
        }

        string text = spelling.ToString();
        if (!_symbols.TryGetValue(text, out int symbol))
        {
            symbol = _vocabulary.Size + _symbols.Count;
            _symbols.Add(text, symbol);
            _expansions.Add(symbol, [.. text.Where(char.IsAscii).Select(c => _vocabulary.Find(c.ToString())).OfType<int>()]);
        }

        return symbol;
    }
}
