namespace KvIL.Inference.Tokenization;

/// <summary>Turns text into the ids of a model's vocabulary, and back. Implementations are safe for concurrent use.</summary>
public interface ITokenizer
{
    /// <summary>What kind it is, in words: <c>byte-level BPE</c>, <c>SentencePiece BPE</c>.</summary>
    string Kind { get; }

    /// <summary>One more than the largest id.</summary>
    int VocabSize { get; }

    /// <summary>The token that starts a text; null where the tokenizer's files name none.</summary>
    int? BosId { get; }

    /// <summary>The tokens that end a text, as far as the tokenizer's files name them; a model's config may name others.</summary>
    IReadOnlyList<int> EosIds { get; }

    /// <summary>
    /// The tokens after which a chat model has said what it has to say: <see cref="EosIds"/>, the ends of turns and
    /// messages that the files name, and tokens known by their spelling, such as <c>&lt;|im_end|&gt;</c>; ascending.
    /// </summary>
    IReadOnlyList<int> EndOfTurnIds { get; }

    /// <summary>Whether <see cref="Encode"/> puts <see cref="BosId"/> in front when asked to.</summary>
    bool AddsBos { get; }

    /// <summary>The ids of <paramref name="text"/>.</summary>
    /// <remarks>A lone surrogate is read as U+FFFD.</remarks>
    /// <param name="text">Any text; may be empty.</param>
    /// <param name="addBos">Puts <see cref="BosId"/> in front; without effect where <see cref="AddsBos"/> is false.</param>
    /// <param name="parseSpecial">
    /// Whether the spelling of a special token means that token. False, for text that is not trusted, makes it
    /// ordinary text.
    /// </param>
    /// <exception cref="RequestException">The tokenizer's pattern takes too long on this text.</exception>
    int[] Encode(string text, bool addBos = true, bool parseSpecial = false);

    /// <summary>The text of <paramref name="ids"/>.</summary>
    /// <remarks>
    /// Bytes that form no character become U+FFFD. An id without a token, such as a padding row of the model's
    /// embedding, gives nothing. Where encoding puts a blank before a text, decoding takes one from its start.
    /// </remarks>
    /// <param name="ids">Ids in order.</param>
    /// <param name="skipSpecial">Leaves special tokens out.</param>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecial = true);

    /// <summary>A decoder that is fed one id at a time; special tokens are left out.</summary>
    /// <param name="continues">
    /// Whether the ids continue a text, as what a model generates continues its prompt: a blank at their start is then
    /// text too.
    /// </param>
    TokenStream CreateStream(bool continues = false);

    /// <summary>The token of that spelling, as the tokenizer's files spell it; null where there is none.</summary>
    int? IdOf(string token);

    /// <summary>How the tokenizer's files spell a token; null for an id without one.</summary>
    string? TokenOf(int id);

    /// <summary>Whether a token steers the model, and is no text.</summary>
    bool IsSpecial(int id);

    /// <summary>The UTF-8 that a token stands for, often part of a character; a special token's is its spelling.</summary>
    ReadOnlyMemory<byte> BytesOf(int id);
}
