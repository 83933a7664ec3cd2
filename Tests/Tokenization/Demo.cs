using System.Text.Json;
using KvIL.Inference.Tokenization;

namespace KvIL.Tests.Tokenization;

/// <summary>The demo model's tokenizer.</summary>
internal static class Demo
{
    private static readonly Dictionary<int, byte[]> Bytes = ReadBytes();

    public static string TokenizerPath { get; } = Repo.PathOf("models/kvil-demo/tokenizer.json");

    public static ITokenizer Tokenizer { get; } = Tokenizers.Load(TokenizerPath);

    /// <summary>The bytes of a token as its file spells them; none for the special one.</summary>
    public static byte[] BytesOf(int id) => id == 0 ? [] : Bytes[id];

    private static Dictionary<int, byte[]> ReadBytes()
    {
        using JsonDocument file = JsonDocument.Parse(File.ReadAllBytes(Repo.PathOf("models/kvil-demo/tokenizer.json")));
        return file.RootElement.GetProperty("model").GetProperty("vocab").EnumerateObject()
            .ToDictionary(token => token.Value.GetInt32(), token => ByteSymbols.BytesOf(token.Name));
    }
}
