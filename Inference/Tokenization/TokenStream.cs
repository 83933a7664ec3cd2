using System.Text;

namespace KvIL.Inference.Tokenization;

/// <summary>Decodes ids one at a time; the pieces, put together, are what decoding all ids at once gives.</summary>
/// <remarks>Not safe for concurrent use.</remarks>
/// <param name="bytesOf">The UTF-8 bytes of a token; empty for a token that shows nothing.</param>
/// <param name="dropsBlank">Whether a blank at the start is left out, once.</param>
public sealed class TokenStream(Func<int, ReadOnlyMemory<byte>> bytesOf, bool dropsBlank = false)
{
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private bool _started = !dropsBlank;

    /// <summary>The text that <paramref name="id"/> completes; empty while a character is incomplete.</summary>
    public string Append(int id)
    {
        ReadOnlySpan<byte> utf8 = bytesOf(id).Span;
        if (!_started && !utf8.IsEmpty)
        {
            _started = true;
            utf8 = utf8[0] == ' ' ? utf8[1..] : utf8;
        }

        return Read(utf8, flush: false);
    }

    /// <summary>The rest: U+FFFD for an incomplete character, otherwise nothing. The stream then starts afresh.</summary>
    public string Flush()
    {
        _started = !dropsBlank;
        return Read([], flush: true);
    }

    private string Read(ReadOnlySpan<byte> utf8, bool flush)
    {
        char[] chars = new char[_decoder.GetCharCount(utf8, flush)];
        return new string(chars, 0, _decoder.GetChars(utf8, chars, flush));
    }
}
