using System.Text;

namespace KvIL.Inference.Tokenization;

/// <summary>How the tokens of a vocabulary are spelled, and so which bytes each stands for.</summary>
internal sealed class TokenSpelling
{
    private readonly Vocabulary _vocabulary;
    private readonly Func<string, byte[]> _bytesOf;
    private readonly HashSet<int> _literal = [];

    private TokenSpelling(Vocabulary vocabulary, Func<string, byte[]> bytesOf) => (_vocabulary, _bytesOf) = (vocabulary, bytesOf);

    /// <summary>Whether encoding puts a blank before a text, which decoding takes away again.</summary>
    public bool DropsBlank { get; init; }

    /// <summary>Characters stand for bytes, as <see cref="ByteSymbols"/> says.</summary>
    public static TokenSpelling ByteLevel(Vocabulary vocabulary) => new(vocabulary, ByteSymbols.BytesOf);

    /// <summary>Tokens are text after some replacements, but those of <see cref="ByteFallback"/>.</summary>
    public static TokenSpelling Plain(
        Vocabulary vocabulary, IReadOnlyList<(string From, string To)> replacements, bool byteFallback, bool dropsBlank) =>
        new(vocabulary, spelling =>
        {
            if (byteFallback && ByteFallback.ByteOf(spelling) is { } value)
            {
                return [value];
            }

            foreach ((string from, string to) in replacements)
            {
                spelling = spelling.Replace(from, to, StringComparison.Ordinal);
            }

            return Encoding.UTF8.GetBytes(spelling);
        })
        { DropsBlank = dropsBlank };

    /// <summary>Makes a token stand for its own spelling.</summary>
    public void MarkLiteral(int id) => _literal.Add(id);

    /// <summary>The bytes of a token; none for an id without one.</summary>
    public byte[] BytesOf(int id) => _vocabulary.SpellingOf(id) is not { } spelling ? []
        : _literal.Contains(id) ? Encoding.UTF8.GetBytes(spelling)
        : _bytesOf(spelling);
}
