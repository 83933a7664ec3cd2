using KvIL.Inference.Files;
using Xunit;

namespace KvIL.Tests.Files;

public sealed class SafeTensorsErrorTests : IDisposable
{
    private const string Fine = """{"dtype":"U8","shape":[4],"data_offsets":[0,4]}""";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("", "invalid JSON in the header near byte offset 8")]
    [InlineData("{", "invalid JSON in the header")]
    [InlineData("[]", "an array instead of an object at byte offset 8")]
    [InlineData("{} x", "invalid JSON in the header near byte offset 11")]
    [InlineData("{\"\\ud800\":1}", "invalid JSON in the header")]
    [InlineData("""{"a":1}""", "tensor 'a': found a number instead of an object at byte offset 13")]
    [InlineData("""{"a":{}}""", "tensor 'a': found an entry without dtype, shape and two data_offsets at byte offset 9")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4]}}""", "'a': found an entry without")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[4]}}""", "'a': found an entry without")]
    [InlineData("""{"a":{"dtype":"Q4","shape":[4],"data_offsets":[0,4]}}""", "unknown dtype 'Q4' at byte offset 22")]
    [InlineData("""{"a":{"dtype":8,"shape":[4],"data_offsets":[0,4]}}""", "a number instead of a string")]
    [InlineData("""{"a":{"dtype":"U8","shape":4,"data_offsets":[0,4]}}""", "a number instead of an array")]
    [InlineData("""{"a":{"dtype":"U8","shape":[-4],"data_offsets":[0,4]}}""", "other than a whole number")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4.5],"data_offsets":[0,4]}}""", "other than a whole number")]
    [InlineData("""{"a":{"dtype":"U8","shape":["4"],"data_offsets":[0,4]}}""", "other than a whole number")]
    [InlineData("""{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,4]}}""", "other than a whole number")]
    [InlineData("""{"a":{"dtype":"U8","shape":[[4]],"data_offsets":[0,4]}}""", "invalid JSON in the header")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"strides":[1]}}""", "unknown or repeated field 'strides'")]
    [InlineData("""{"a":{"dtype":"U8","dtype":"I8","shape":[4],"data_offsets":[0,4]}}""", "unknown or repeated field 'dtype'")]
    [InlineData("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,4]}}""", @"F32 \[4\] takes 16 bytes, but data_offsets \[0, 4\] hold 4")]
    [InlineData("""{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,2]}}""", @"the shape \[3\] has no size in bytes")]
    [InlineData("""{"a":{"dtype":"F64","shape":[4611686018427387904,4],"data_offsets":[0,4]}}""", "has no size in bytes")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}""", "has no size in bytes")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}}""", @"\[4, 0\] do not lie within the 4 bytes of data")]
    [InlineData("""{"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}}""", @"\[1, 5\] do not lie within the 4 bytes of data")]
    [InlineData("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}}""", "'a'.*a hole before the data at byte offset 62")]
    [InlineData("""{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}}""", "1 bytes at byte offset 64 that belong to no tensor")]
    [InlineData("{}", "4 bytes at byte offset 10 that belong to no tensor")]
    [InlineData($$"""{"a":{{Fine}},"a":{{Fine}} }""", "tensor 'a': found a second entry of the same name at byte offset 61")]
    [InlineData($$"""{"a":{{Fine}},"b":{{Fine}} }""", "an overlap before the data")]
    [InlineData($$"""{"a":{{Fine}},"__metadata__":{"n":1} }""", "__metadata__: found a number instead of a string")]
    [InlineData($$"""{"a":{{Fine}},"__metadata__":[]}""", "__metadata__: found an array instead of an object")]
    [InlineData($$"""{"a":{{Fine}},"__metadata__":{"n":"1","n":"2"} }""", "__metadata__: found a second 'n'")]
    [InlineData($$"""{"__metadata__":{},"a":{{Fine}},"__metadata__":{} }""", "__metadata__: found a second entry")]
    public void A_header_that_breaks_a_rule_is_refused(string header, string pattern)
    {
        string path = _directory.Write("bad.safetensors", SafeTensorsBytes.Of(header, 4));
        Refusal.Is(pattern, path, () => SafeTensorsFile.Open(path));
    }

    [Theory]
    [InlineData(7UL, "invalid JSON")]
    [InlineData(53UL, "invalid JSON")]
    [InlineData(59UL, "at most 58 are possible")]
    [InlineData(100_000_001UL, "100000001 bytes, but at most 58")]
    [InlineData(ulong.MaxValue, "at byte offset 0 says 18446744073709551615")]
    public void A_wrong_header_length_is_refused(ulong length, string pattern)
    {
        string path = _directory.Write("bad.safetensors", SafeTensorsBytes.Of($$"""{"a":{{Fine}} }""", 4, length));
        Refusal.Is(pattern, path, () => SafeTensorsFile.Open(path));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(8)]
    [InlineData(9)]
    public void A_file_too_short_for_a_header_is_refused(int length)
    {
        string path = _directory.Write("bad.safetensors", new byte[length]);
        Refusal.Is($"found {length} bytes, too few", path, () => SafeTensorsFile.Open(path));
    }

    [Fact]
    public void A_header_beyond_the_limit_of_the_format_is_refused_before_it_is_read()
    {
        string path = _directory.PathOf("large.safetensors");
        using (FileStream stream = File.Create(path))
        {
            stream.Write(BitConverter.GetBytes(100_000_001L));
            stream.SetLength(200_000_000);
        }

        Refusal.Is("at most 100000000 are possible", path, () => SafeTensorsFile.Open(path));
    }

    [Fact]
    public void Text_of_the_file_is_shown_on_one_line_and_clipped()
    {
        string name = new string('x', 200) + "\\n\\u0007";
        string path = _directory.Write("bad.safetensors", SafeTensorsBytes.Of($$"""{"a\n'{{name}}":1}""", 4));
        Refusal.Is(@"tensor 'a\\u000a\\u0027x+…'", path, () => SafeTensorsFile.Open(path));
    }
}
