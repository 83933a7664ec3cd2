namespace KvIL.Inference.Files.Synthesis;

/// <summary>A byte-level BPE vocabulary of any size that encodes every text: control tokens, the 256 bytes, then words of lower-case letters.</summary>
/// <remarks>Words of two letters, then of three, and so on; the merge of each is that of the word without its last letter and this letter.</remarks>
internal sealed class SyntheticVocabulary
{
    public const int Eos = 0;
    public const int Bos = 1;
    public const int MinSize = 512;

    private const int ControlType = 3;
    private const int NormalType = 1;
    private const string Letters = "etaoinshrdlucmfwypvbgkqjxz";

    private static readonly string[] Control = ["<|end|>", "<|start|>"];

    private readonly List<string> _tokens = [.. Control];
    private readonly List<string> _merges = [];

    public SyntheticVocabulary(int size)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(size, MinSize);
        string bytes = ByteSymbols();
        _tokens.AddRange(bytes.Select(symbol => symbol.ToString()));
        string[] words = [.. Letters.Select(letter => letter.ToString())];
        while (_tokens.Count < size)
        {
            // As few words of a length as there is room for; the next length grows from all of them, so it is reached only when they fit.
            words = [.. words.SelectMany(word => Letters.Select(letter => word + letter)).Take(size - _tokens.Count)];
            _tokens.AddRange(words);
            _merges.AddRange(words.Select(word => $"{word[..^1]} {word[^1]}"));
        }
    }

    /// <summary>The tokens by id.</summary>
    public string[] Tokens => [.. _tokens];

    /// <summary>ggml's kind of each token.</summary>
    public int[] Types => [.. _tokens.Select((_, id) => id < Control.Length ? ControlType : NormalType)];

    /// <summary>The merges, the earliest first.</summary>
    public string[] Merges => [.. _merges];

    // GPT-2's symbols: printable Latin-1 for itself, the other bytes from U+0100 on.
    private static string ByteSymbols()
    {
        int others = 0;
        return string.Concat(Enumerable.Range(0, 256).Select(value =>
            value is (>= '!' and <= '~') or (>= 0xa1 and <= 0xac) or >= 0xae ? (char)value : (char)(0x100 + others++)));
    }
}
