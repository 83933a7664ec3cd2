namespace KvIL.Inference.Tokenization;

/// <summary>Turns text into the ids of a model's vocabulary, and back. Implementations are safe for concurrent use.</summary>
public interface ITokenizer
{
    /// <summary>One more than the largest id.</summary>
    int VocabSize { get; }

    /// <summary>The token that starts a text; null where the tokenizer's files name none.</summary>
    int? BosId { get; }

    /// <summary>The tokens that end a text, as far as the tokenizer's files name them; a model's config may name others.</summary>
    IReadOnlyList<int> EosIds { get; }

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
    int[] Encode(string text, bool addBos = true, bool parseSpecial = false);

    /// <summary>The text of <paramref name="ids"/>.</summary>
    /// <remarks>
    /// Bytes that form no character become U+FFFD. An id without a token, such as a padding row of the model's
    /// embedding, gives nothing.
    /// </remarks>
    /// <param name="ids">Ids in order.</param>
    /// <param name="skipSpecial">Leaves special tokens out.</param>
    string Decode(ReadOnlySpan<int> ids, bool skipSpecial = true);

    /// <summary>A decoder that is fed one id at a time; special tokens are left out.</summary>
    TokenStream CreateStream();
}
