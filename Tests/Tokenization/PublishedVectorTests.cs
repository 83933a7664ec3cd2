using System.Text.Json;
using KvIL.Inference.Tokenization;
using Xunit;

namespace KvIL.Tests.Tokenization;

/// <summary>The ids that llama.cpp gives for ten vocabularies, and Hugging Face's tokenizers for three.</summary>
public sealed class PublishedVectorTests
{
    private const string Vectors = "models/tokenizer-vectors/vectors-llamacpp.json";
    private const string SmolLm = "models/smollm2-135m-instruct";
    private const string Stories = "models/stories260K";
    private const string Separator = "\n__ggml_vocab_test__\n";

    private static readonly string[] Names =
    [
        "gpt-2", "deepseek-coder", "deepseek-llm", "falcon", "mpt", "refact", "starcoder", "llama-spm", "phi-3", "baichuan",
    ];

    private static readonly System.Collections.Concurrent.ConcurrentDictionary<string, ITokenizer> Loaded = new();

    public static TheoryData<string> Vocabularies => [.. Names];

    [SharedTheory(Vectors)]
    [MemberData(nameof(Vocabularies))]
    public void Vocabularies_give_the_published_cases_and_more(string name)
    {
        string path = Shared.PathOf($"models/tokenizer-vectors/ggml-vocab-{name}.gguf");
        ITokenizer tokenizer = LoadVocabulary(name);
        if (File.Exists(path + ".out"))
        {
            string[] texts = File.ReadAllText(path + ".inp").Split(Separator);
            string[] ids = File.ReadAllLines(path + ".out");
            Assert.True(ids.Length > 40, $"Found {ids.Length} cases.");
            for (int i = 0; i < ids.Length; i++)
            {
                AssertIds([.. ids[i].Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(int.Parse)], tokenizer, texts[i]);
            }
        }

        using JsonDocument more = JsonDocument.Parse(File.ReadAllBytes(Shared.PathOf(Vectors)));
        JsonElement expected = more.RootElement.GetProperty("ids").GetProperty(name);
        Assert.Equal(300, expected.GetArrayLength());
        foreach ((JsonElement text, JsonElement ids) in more.RootElement.GetProperty("texts").EnumerateArray().Zip(expected.EnumerateArray()))
        {
            AssertIds(Ids(ids), tokenizer, text.GetString()!);
        }
    }

    [SharedFact(Vectors)]
    public void Decoding_the_vectors_gives_the_texts_back()
    {
        using JsonDocument vectors = JsonDocument.Parse(File.ReadAllBytes(Shared.PathOf(Vectors)));
        string[] texts = [.. vectors.RootElement.GetProperty("texts").EnumerateArray().Select(text => text.GetString()!)];
        foreach (string name in Names)
        {
            ITokenizer tokenizer = LoadVocabulary(name);
            foreach (string text in texts)
            {
                string decoded = tokenizer.Decode(tokenizer.Encode(text));
                Assert.True(decoded == text || MissesBytes(tokenizer, text), $"{name}: {text} came back as {decoded}.");
            }
        }
    }

    [SharedTheory(SmolLm)]
    [InlineData(SmolLm, "llama_cpp", SmolLm + "/SmolLM2-135M-Instruct.Q4_1.gguf")]
    [InlineData(SmolLm, "tokenizer_json", SmolLm + "/tokenizer.json")]
    public void SmolLM2_gives_its_vectors_from_either_file(string folder, string column, string file)
    {
        ITokenizer tokenizer = Tokenizers.Load(Shared.PathOf(file));
        Assert.Equal(141, Check(tokenizer, $"{folder}/tokenizer-vectors.json"));
        using JsonDocument differences = JsonDocument.Parse(File.ReadAllBytes(Shared.PathOf($"{folder}/tokenizer-differences.json")));
        foreach (JsonElement difference in differences.RootElement.EnumerateArray())
        {
            AssertIds(Ids(difference.GetProperty(column)), tokenizer, difference.GetProperty("text").GetString()!);
        }
    }

    [SharedTheory(Stories)]
    [InlineData("tok512.bin")]
    [InlineData("hf")]
    [InlineData("stories260K-f32.gguf")]
    [InlineData("stories260K.bin")]
    [InlineData("stories260K_q80_v2.bin")]
    public void Stories260K_gives_its_vectors_from_every_file(string file)
    {
        ITokenizer tokenizer = Tokenizers.Load(Shared.PathOf($"{Stories}/{file}"));
        Assert.Equal((512, 1, true), (tokenizer.VocabSize, tokenizer.BosId, tokenizer.AddsBos));
        Assert.Equal([2], tokenizer.EosIds);
        Assert.Equal([2], tokenizer.EndOfTurnIds);
        Assert.Equal(30, Check(tokenizer, $"{Stories}/hf/tokenizer-vectors.json"));
    }

    [SharedFact(SmolLm)]
    public void SmolLM2_knows_its_marks_from_its_GGUF_file()
    {
        ITokenizer tokenizer = Tokenizers.Load(Shared.PathOf($"{SmolLm}/SmolLM2-135M-Instruct.Q4_1.gguf"));
        Assert.Equal((49152, 1, false), (tokenizer.VocabSize, tokenizer.BosId, tokenizer.AddsBos));
        Assert.Equal([2], tokenizer.EosIds);
        Assert.Equal([0, 2, 4], tokenizer.EndOfTurnIds);
        Assert.Equal(2, tokenizer.IdOf("<|im_end|>"));
        Assert.Equal("<|im_start|>", tokenizer.TokenOf(1));
        Assert.True(tokenizer.IsSpecial(1));
        Assert.False(tokenizer.IsSpecial(100));
        Assert.Equal("\u0120\u0120", tokenizer.TokenOf(256));
        Assert.Equal("  "u8.ToArray(), tokenizer.BytesOf(256).ToArray());
    }

    [SharedFact("models/tokenizer-vectors/ggml-vocab-bert-bge.gguf")]
    public void Word_pieces_are_refused_by_name()
    {
        string path = Shared.PathOf("models/tokenizer-vectors/ggml-vocab-bert-bge.gguf");
        Files.Refusal.Is("'tokenizer.ggml.model' is 'bert', word pieces, which are not supported", path, () => Tokenizers.Load(path));
    }

    [SharedFact("models/tokenizer-vectors/ggml-vocab-gpt-neox.gguf")]
    public void A_vocabulary_without_a_word_pattern_takes_the_default_one()
    {
        ITokenizer tokenizer = Tokenizers.Load(Shared.PathOf("models/tokenizer-vectors/ggml-vocab-gpt-neox.gguf"));
        string[] pieces = [.. tokenizer.Encode("a<b  1234!?").Select(id => tokenizer.Decode([id]))];
        Assert.Equal("a<b  1234!?", string.Concat(pieces));
        Assert.DoesNotContain(pieces, piece => piece.Any(char.IsAsciiDigit) && piece.Length > 3);
    }

    private static ITokenizer LoadVocabulary(string name) => Loaded.GetOrAdd(
        name, _ => Tokenizers.Load(Shared.PathOf($"models/tokenizer-vectors/ggml-vocab-{name}.gguf")));

    private static int Check(ITokenizer tokenizer, string vectors)
    {
        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Shared.PathOf(vectors)));
        foreach (JsonElement vector in document.RootElement.EnumerateArray())
        {
            string text = vector.GetProperty("text").GetString()!;
            bool special = vector.TryGetProperty("special", out JsonElement s) && s.GetBoolean();
            bool lossy = vector.TryGetProperty("lossy", out JsonElement l) && l.GetBoolean();
            int[] ids = Ids(vector.GetProperty("ids"));
            AssertIds(ids, tokenizer, text, special);
            string decoded = tokenizer.Decode(ids, skipSpecial: false);
            Assert.True(lossy || decoded == text, $"{text} came back as {decoded}.");
        }

        return document.RootElement.GetArrayLength();
    }

    private static bool MissesBytes(ITokenizer tokenizer, string text) =>
        System.Text.Encoding.UTF8.GetBytes(text).Distinct().Any(value =>
            tokenizer.IdOf(ByteSymbols.Symbol(value).ToString()) is null && tokenizer.IdOf($"<0x{value:X2}>") is null);

    private static void AssertIds(int[] expected, ITokenizer tokenizer, string text, bool special = false)
    {
        int[] ids = tokenizer.Encode(text, addBos: false, special);
        Assert.True(
            expected.SequenceEqual(ids), $"{text}: expected {string.Join(' ', expected)}, got {string.Join(' ', ids)}.");
    }

    private static int[] Ids(JsonElement ids) => [.. ids.EnumerateArray().Select(id => id.GetInt32())];
}
