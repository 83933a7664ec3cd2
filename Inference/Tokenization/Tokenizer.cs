using System.Text;

namespace KvIL.Inference.Tokenization;

/// <summary>A tokenizer, put together from what its file says; <see cref="Tokenizers"/> reads the files.</summary>
/// <remarks>
/// The text is cut at the tokens that are looked for as such; what is left goes through the text encoder. Apart from bytes
/// that the vocabulary lacks, and where a normalizer changed the text, decoding what was encoded gives the text back.
/// </remarks>
public sealed class Tokenizer : ITokenizer
{
    private readonly Vocabulary _vocabulary;
    private readonly ITokenCutter _cutter;
    private readonly ITextEncoder _encoder;
    private readonly TokenSpelling _spelling;

    internal Tokenizer(string kind, Vocabulary vocabulary, ITokenCutter cutter, ITextEncoder encoder, TokenSpelling spelling, TokenMarks marks)
    {
        Kind = kind;
        (_vocabulary, _cutter, _encoder, _spelling) = (vocabulary, cutter, encoder, spelling);
        BosId = marks.Bos;
        EosIds = marks.Eos is { } eos ? [eos] : [];
        AddsBos = marks.AddsBos && BosId is not null;
        EndOfTurnIds = EndOfTurn.Find(vocabulary, marks.Ends);
    }

    /// <inheritdoc/>
    public string Kind { get; }

    /// <inheritdoc/>
    public int VocabSize => _vocabulary.Size;

    /// <inheritdoc/>
    public int? BosId { get; }

    /// <inheritdoc/>
    public IReadOnlyList<int> EosIds { get; }

    /// <inheritdoc/>
    public IReadOnlyList<int> EndOfTurnIds { get; }

    /// <inheritdoc/>
    public bool AddsBos { get; }

    /// <inheritdoc/>
    public int[] Encode(string text, bool addBos = true, bool parseSpecial = false)
    {
        ArgumentNullException.ThrowIfNull(text);
        List<int> ids = addBos && AddsBos ? [BosId!.Value] : [];
        TextPlace place = TextPlace.Start;
        foreach (TextPart part in _cutter.Cut(Valid(text), parseSpecial))
        {
            if (part.TokenId is { } id)
            {
                ids.Add(id);
            }
            else
            {
                _encoder.Encode(part.Text, place, ids);
            }

            place = TextPlace.AfterToken;
        }

        return [.. ids];
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = true)
    {
        var stream = new TokenStream(id => BytesOf(id, skipSpecial), _spelling.DropsBlank);
        var text = new StringBuilder();
        foreach (int id in ids)
        {
            text.Append(stream.Append(id));
        }

        return text.Append(stream.Flush()).ToString();
    }

    /// <inheritdoc/>
    public TokenStream CreateStream(bool continues = false) =>
        new(id => BytesOf(id, skipSpecial: true), _spelling.DropsBlank && !continues);

    /// <inheritdoc/>
    public int? IdOf(string token) => _vocabulary.Find(token);

    /// <inheritdoc/>
    public string? TokenOf(int id) => _vocabulary.SpellingOf(id);

    /// <inheritdoc/>
    public bool IsSpecial(int id) => _vocabulary.IsSpecial(id);

    /// <inheritdoc/>
    public ReadOnlyMemory<byte> BytesOf(int id) => _spelling.BytesOf(id);

    private ReadOnlyMemory<byte> BytesOf(int id, bool skipSpecial) =>
        skipSpecial && IsSpecial(id) ? default : _spelling.BytesOf(id);

    // Text with U+FFFD in place of lone surrogates.
    private static string Valid(string text)
    {
        foreach (char c in text)
        {
            if (char.IsSurrogate(c))
            {
                return string.Concat(text.EnumerateRunes());
            }
        }

        return text;
    }
}

/// <summary>The tokens that a tokenizer's files name for a purpose.</summary>
/// <param name="Bos">Starts a text.</param>
/// <param name="Eos">Ends a text.</param>
/// <param name="AddsBos">Whether encoding puts <paramref name="Bos"/> in front.</param>
/// <param name="Ends">All that end a text, a turn or a message.</param>
internal sealed record TokenMarks(int? Bos, int? Eos, bool AddsBos, IReadOnlyList<int> Ends);
