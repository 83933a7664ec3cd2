using System.Text;
using KvIL.Inference.Files;

namespace KvIL.Inference.Tokenization;

/// <summary>Byte-level byte-pair encoding, as a Hugging Face <c>tokenizer.json</c> describes it.</summary>
/// <remarks>
/// Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.2. The text is cut at the
/// added tokens, each part into words by GPT-2's pattern, and each word, as UTF-8 bytes, is merged pair by pair.
/// Gives the ids that the <c>tokenizers</c> library gives with special tokens parsed. As there, a byte that the
/// vocabulary lacks is left out; apart from that, and from the space that some tokenizers put in front, decoding what
/// was encoded gives the text back.
/// </remarks>
public sealed class ByteLevelBpeTokenizer : ITokenizer
{
    private readonly BpeModel _model;
    private readonly AddedTokens _added;
    private readonly Dictionary<int, byte[]> _bytes = [];
    private readonly HashSet<int> _special = [];
    private readonly bool _addPrefixSpace;
    private readonly bool _useRegex;

    private ByteLevelBpeTokenizer(string path)
    {
        JsonValue root = TokenizerJson.Load(path);
        (_addPrefixSpace, _useRegex) = TokenizerJson.ReadPreTokenizer(root);
        _model = BpeModel.Read(root.Require("model"));
        foreach ((string token, int id) in _model.Ids)
        {
            _bytes[id] = ByteSymbols.BytesOf(token);
        }

        _added = AddedTokens.Read(root.Find("added_tokens"), _model.Ids);
        foreach (AddedToken token in _added.All)
        {
            _bytes[token.Id] = token.Utf8;
            if (token.Special)
            {
                _special.Add(token.Id);
            }
        }

        VocabSize = _bytes.Keys.Max() + 1;
        JsonValue? postProcessor = root.Find("post_processor");
        int? prepended = TokenizerJson.ReadPrependedToken(postProcessor);
        if (prepended is { } first && !_bytes.ContainsKey(first))
        {
            throw postProcessor!.Value.Error($"the tokenizer has no token of id {first}");
        }

        (int? bos, int? eos) = TokenizerJson.ReadMarks(path, _model.Ids);
        _added.RemoveFrom(_model.Ids);
        AddsBos = prepended is not null;
        BosId = prepended ?? bos;
        EosIds = eos is { } last ? [last] : [];
    }

    /// <inheritdoc/>
    public int VocabSize { get; }

    /// <inheritdoc/>
    public int? BosId { get; }

    /// <inheritdoc/>
    public IReadOnlyList<int> EosIds { get; }

    /// <inheritdoc/>
    public bool AddsBos { get; }

    /// <summary>Reads a <c>tokenizer.json</c>, and the <c>tokenizer_config.json</c> beside it for the end token.</summary>
    /// <exception cref="ModelFileException">The file cannot be read, or names a part that KvIL does not have.</exception>
    public static ByteLevelBpeTokenizer Load(string tokenizerJsonPath) => new(tokenizerJsonPath);

    /// <inheritdoc/>
    public int[] Encode(string text, bool addBos = true, bool parseSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        List<int> ids = addBos && AddsBos ? [BosId!.Value] : [];
        BytePairMerger merger = _model.CreateMerger();
        foreach (Segment segment in _added.Split(utf8, parseSpecial))
        {
            if (segment.TokenId is { } id)
            {
                ids.Add(id);
            }
            else
            {
                EncodeText(utf8.AsSpan(segment.Start, segment.Length), merger, ids);
            }
        }

        return [.. ids];
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = true)
    {
        using var utf8 = new MemoryStream();
        foreach (int id in ids)
        {
            utf8.Write(BytesOf(id, skipSpecial).Span);
        }

        return Encoding.UTF8.GetString(utf8.GetBuffer(), 0, (int)utf8.Length);
    }

    /// <inheritdoc/>
    public TokenStream CreateStream() => new(id => BytesOf(id, skipSpecial: true));

    private ReadOnlyMemory<byte> BytesOf(int id, bool skipSpecial) =>
        skipSpecial && _special.Contains(id) ? default : _bytes.GetValueOrDefault(id);

    private void EncodeText(ReadOnlySpan<byte> text, BytePairMerger merger, List<int> ids)
    {
        if (_addPrefixSpace && text[0] != ' ')
        {
            text = (byte[])[(byte)' ', .. text];
        }

        while (!text.IsEmpty)
        {
            int length = _useRegex ? Gpt2Pattern.WordLength(text) : text.Length;
            _model.Encode(text[..length], merger, ids);
            text = text[length..];
        }
    }
}
