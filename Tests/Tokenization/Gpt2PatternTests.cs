using System.Text;
using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using KvIL.Inference.Tokenization;
using Xunit;

namespace KvIL.Tests.Tokenization;

public sealed partial class Gpt2PatternTests
{
    [Fact]
    public void Words_are_what_the_pattern_matches() => Prop.ForAll(
        Texts.BasicPlane,
        text => Words(text).SequenceEqual(Pattern().Matches(text).Select(match => match.Value)))
        .Check(Properties.Config(100));

    [Theory]
    [InlineData("a 𝒜𝒷 x", "a| 𝒜𝒷| x")]
    [InlineData("7𝟘𝟙 𐄇", "7𝟘𝟙| 𐄇")]
    [InlineData("hi😀😀!you", "hi|😀😀!|you")]
    [InlineData("  \U00020000", " | \U00020000")]
    public void Characters_beyond_the_basic_plane_have_their_own_kinds(string text, string words) =>
        Assert.Equal(words.Split('|'), Words(text));

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")]
    private static partial Regex Pattern();

    private static List<string> Words(string text)
    {
        var words = new List<string>();
        ReadOnlySpan<byte> rest = Encoding.UTF8.GetBytes(text);
        while (!rest.IsEmpty)
        {
            int length = Gpt2Pattern.WordLength(rest);
            words.Add(Encoding.UTF8.GetString(rest[..length]));
            rest = rest[length..];
        }

        return words;
    }
}
