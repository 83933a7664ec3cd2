using System.Text;
using FsCheck;
using FsCheck.Fluent;
using KvIL.Inference.Tokenization;
using Xunit;

namespace KvIL.Tests.Tokenization;

public sealed class TokenStreamTests
{
    // Ids 2 to 257 of the demo are the single bytes, so random ids are mostly broken UTF-8.
    private static readonly Arbitrary<int[]> AnyIds = Arb.From(
        Gen.OneOf(Gen.Choose(0, 1100), Gen.Choose(0, 257), Gen.Choose(190, 257)).ArrayOf());

    [Fact]
    public void Pieces_put_together_are_the_whole() => Prop.ForAll(AnyIds, ids => Stream(ids) == Demo.Tokenizer.Decode(ids))
        .Check(Properties.Config(100));

    [Fact]
    public void Pieces_of_valid_text_are_valid_and_come_as_soon_as_they_are_complete() => Prop.ForAll(
        Texts.Valid,
        text =>
        {
            TokenStream stream = Demo.Tokenizer.CreateStream();
            var bytes = new List<byte>();
            var sofar = new StringBuilder();
            foreach (int id in Demo.Tokenizer.Encode(text))
            {
                bytes.AddRange(Demo.BytesOf(id));
                sofar.Append(stream.Append(id));
                if (sofar.ToString() != CompletePart([.. bytes]))
                {
                    return false;
                }
            }

            return stream.Flush().Length == 0 && sofar.ToString() == text;
        }).Check(Properties.Config(100));

    [Fact]
    public void Half_a_character_is_held_back_until_the_rest_or_the_end()
    {
        TokenStream stream = new(id => new[] { (byte)id });
        Assert.Equal("", stream.Append(0xF0));
        Assert.Equal("", stream.Append(0x9F));
        Assert.Equal("", stream.Append(0x98));
        Assert.Equal("😀", stream.Append(0x80));
        Assert.Equal("", stream.Append(0xE2));
        Assert.Equal("\ufffd", stream.Flush());
        Assert.Equal("", stream.Flush());
        Assert.Equal("a", stream.Append('a'));
    }

    [Fact]
    public void Special_tokens_are_left_out() => Assert.Equal("", Demo.Tokenizer.CreateStream().Append(0));

    private static string Stream(int[] ids)
    {
        TokenStream stream = Demo.Tokenizer.CreateStream();
        return string.Concat(ids.Select(stream.Append)) + stream.Flush();
    }

    private static string CompletePart(byte[] utf8)
    {
        int length = utf8.Length;
        while (length > 0 && Rune.DecodeLastFromUtf8(utf8.AsSpan(0, length), out _, out _) != System.Buffers.OperationStatus.Done)
        {
            length--;
        }

        return Encoding.UTF8.GetString(utf8, 0, length);
    }
}
