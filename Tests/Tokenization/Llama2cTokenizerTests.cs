using System.Text;
using KvIL.Inference.Tokenization;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Tokenization;

public sealed class Llama2cTokenizerTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    /// <summary>The file of 3 marks, 256 bytes, and some pieces.</summary>
    public static byte[] FileOf(params (string Piece, float Score)[] pieces)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        writer.Write(16);
        string[] first = ["<unk>", "\n<s>\n", "\n</s>\n", .. Enumerable.Range(0, 256).Select(value => ByteFallback.Spelling((byte)value))];
        foreach ((string piece, float score) in first.Select(token => (token, 0f)).Concat(pieces))
        {
            byte[] utf8 = Encoding.UTF8.GetBytes(piece);
            writer.Write(score);
            writer.Write(utf8.Length);
            writer.Write(utf8);
        }

        return stream.ToArray();
    }

    [Fact]
    public void Pieces_merge_by_score_and_bytes_fill_in()
    {
        string path = _directory.Write("tokenizer.bin", FileOf((" ", -1), ("a", -2), (" a", -3), ("b", -4), ("ab", -0.5f)));
        ITokenizer tokenizer = Tokenizers.Load(path);
        Assert.Equal([1, 261], tokenizer.Encode("a"));
        Assert.Equal([1, 259, 263], tokenizer.Encode("ab"));
        Assert.Equal([1, 261, 3 + 0xC3, 3 + 0xA9], tokenizer.Encode("aé"));
        Assert.Equal("aé b", tokenizer.Decode(tokenizer.Encode("aé b")));
        Assert.Equal([1, 259, 3 + 0xE2, 3 + 0x96, 3 + 0x81], tokenizer.Encode("\u2581"));
        Assert.Equal((264, 1), (tokenizer.VocabSize, tokenizer.BosId));
        Assert.Equal([2], tokenizer.EosIds);
        Assert.Equal([1, 261], Tokenizers.Load(_directory.Path).Encode("a"));
    }

    [Fact]
    public void A_model_takes_the_tokenizer_beside_it()
    {
        byte[] header = [.. new[] { 64, 172, 5, 8, 4, 260, 512, 0, 0, 0 }.SelectMany(BitConverter.GetBytes)];
        string model = _directory.Write("model.bin", header);
        Refusal.Is("not a tokenizer of llama2.c", model, () => Tokenizers.Load(model));
        _directory.Write("tokenizer.bin", FileOf(("a", 0)));
        Assert.Equal(260, Tokenizers.Load(model).VocabSize);
        _directory.Write("tok260.bin", FileOf(("b", 0)));
        Assert.Equal("b", Tokenizers.Load(model).TokenOf(259));
    }

    [Fact]
    public void Bad_files_are_refused()
    {
        byte[] good = FileOf(("a", 0));
        void Refused(string pattern, byte[] bytes)
        {
            string path = _directory.Write("bad.bin", bytes);
            Refusal.Is(pattern, path, () => Tokenizers.Load(path));
        }

        Refused("the file is too short", [1, 2]);
        Refused("the most bytes of a token are 0", [0, 0, 0, 0, .. good[4..]]);
        Refused("token 259 is cut off", good[..^5]);
        Refused("token 0 has the score 0 and 2147483647 bytes", [.. good[..8], 255, 255, 255, 127, .. good[12..]]);
        Refused("has the score NaN", [.. good[..4], 0, 0, 192, 127, .. good[8..]]);
        Refused("fewer than the 259", good[..(4 + 8 + 5)]);
        string other = _directory.Write("notes.txt", "x");
        Refusal.Is("found no tokenizer in it", other, () => Tokenizers.Load(other));
        string empty = Directory.CreateDirectory(_directory.PathOf("empty")).FullName;
        Refusal.Is("found no tokenizer.json", empty, () => Tokenizers.Load(empty));
        File.WriteAllText(Path.Combine(empty, "tokenizer.model"), "x");
        Refusal.Is("tokenizer.model alone, which is not supported", empty, () => Tokenizers.Load(empty));
    }
}
