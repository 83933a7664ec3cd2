using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using KvIL.Inference.Files;
using KvIL.Inference.Tokenization;
using KvIL.Tests.Tokenization;
using Xunit;

namespace KvIL.Tests.Files;

/// <summary>Damaged files either load or are refused in one sentence, soon and without much memory.</summary>
public sealed class ModelFileFuzzTests : IDisposable
{
    private const int Mutations = 3000;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Safetensors_headers()
    {
        string original = Repo.PathOf("models/kvil-demo/model.safetensors");
        long length = new FileInfo(original).Length;
        byte[] header = new byte[8 + HeaderLength(original)];
        using (FileStream stream = File.OpenRead(original))
        {
            stream.ReadExactly(header);
        }

        Fuzz(header, seed: 1, mutated =>
        {
            string path = _directory.PathOf("model.safetensors");
            using (FileStream stream = File.Create(path))
            {
                stream.Write(mutated);
                // The data stay where the file's end says they are, as a hole that costs no disk.
                stream.SetLength(Math.Max(mutated.Length, length - header.Length + mutated.Length));
            }

            return () =>
            {
                using SafeTensorsFile file = SafeTensorsFile.Open(path);
                foreach (FileTensor tensor in file.Tensors.Values)
                {
                    Assert.InRange(tensor.FileOffset, 10, new FileInfo(path).Length - tensor.Data.LengthBytes);
                    Assert.True(tensor.Data.LengthBytes == 0 || tensor.Data.Slice(tensor.Data.LengthBytes - 1, 1).AsSpan()[0] == 0);
                }
            };
        });
    }

    [Fact]
    public void Configs() => Fuzz(
        File.ReadAllBytes(Repo.PathOf("models/kvil-demo/config.json")), seed: 2,
        mutated =>
        {
            string path = _directory.Write("config.json", mutated);
            return () => Assert.Equal(0, ModelConfig.Parse(path).NumQueryHeads % ModelConfig.Parse(path).NumKvHeads);
        });

    [Theory]
    [InlineData("hunyuan-cla")]
    [InlineData("gemma3n")]
    [InlineData("gemma4-nested")]
    public void Configs_of_models_that_share(string folder) => Fuzz(
        File.ReadAllBytes(Repo.PathOf($"models/tiny-random/{folder}/config.json")), seed: 6,
        mutated =>
        {
            string path = _directory.Write("config.json", mutated);
            return () => Assert.True(ModelConfig.Parse(path) is var config && (config.Sharing?.NumLayers ?? config.NumLayers) == config.Layers.Count);
        });

    [Fact]
    public void Tokenizers()
    {
        Fuzz(File.ReadAllBytes(Demo.TokenizerPath), seed: 3, mutated =>
        {
            string path = _directory.Write("tokenizer.json", mutated);
            return () => LoadAndUse(path);
        });
    }

    [Fact]
    public void Tokenizers_made_of_few_parts()
    {
        JsonObject file = TokenizerFile.Of("a b");
        file["added_tokens"]!.AsArray().Add(TokenizerFile.Added(300, "<s>", lstrip: true));
        file["model"]!["vocab"] = new JsonObject { ["a"] = 0, ["b"] = 1, ["ab"] = 2 };
        Fuzz(Encoding.UTF8.GetBytes(file.ToJsonString()), seed: 4, mutated =>
        {
            string path = _directory.Write("tokenizer.json", mutated);
            return () => LoadAndUse(path);
        });
    }

    [Fact]
    public void Indexes()
    {
        File.Copy(Repo.PathOf("models/kvil-demo/config.json"), _directory.PathOf("config.json"));
        _directory.Write("model-00001-of-00002.safetensors", SafeTensorsBytes.OfNames("a.weight", "b.weight"));
        _directory.Write("model-00002-of-00002.safetensors", SafeTensorsBytes.OfNames("c.weight"));
        const string index = """
            {
              "metadata": { "total_size": 24 },
              "weight_map": {
                "a.weight": "model-00001-of-00002.safetensors",
                "b.weight": "model-00001-of-00002.safetensors",
                "c.weight": "model-00002-of-00002.safetensors"
              }
            }
            """;
        Fuzz(Encoding.UTF8.GetBytes(index), seed: 5, mutated =>
        {
            _directory.Write("model.safetensors.index.json", mutated);
            return () => Checkpoint.Open(_directory.Path).Dispose();
        });
    }

    [Fact]
    public void Random_bytes()
    {
        var random = new Random(6);
        for (int i = 0; i < Mutations; i++)
        {
            byte[] bytes = new byte[random.Next(1, 200)];
            random.NextBytes(bytes);
            if (i % 2 == 0 && bytes.Length > 8)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)random.Next(bytes.Length));
            }

            string path = _directory.Write("bytes", bytes);
            LoadsOrIsRefused(i, bytes.Length, () => SafeTensorsFile.Open(path).Dispose());
            LoadsOrIsRefused(i, bytes.Length, () => ModelConfig.Parse(path));
        }
    }

    [Fact]
    public void Hostile_sizes()
    {
        // As many names, or as deep a value, as a megabyte holds.
        string names = string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"\"{i}\":{i}"));
        string same = string.Join(',', Enumerable.Repeat("\"a\":1", 150_000));
        string deep = string.Concat(Enumerable.Repeat("[", 1_000_000));
        string digits = new('9', 1_000_000);
        int number = 0;
        foreach (string text in (string[])[$"{{{names}}}", $"{{{same}}}", deep, digits, $"{{\"a\":{digits}}}", $"{{\"{digits}\":{deep}"])
        {
            byte[] bytes = SafeTensorsBytes.Of(text, 0);
            string weights = _directory.Write("hostile.safetensors", bytes);
            LoadsOrIsRefused(number, bytes.Length, () => SafeTensorsFile.Open(weights).Dispose());
            string json = _directory.Write("hostile.json", text);
            LoadsOrIsRefused(number, bytes.Length, () => ModelConfig.Parse(json));
            string vocabulary = _directory.Write("tokenizer.json", $$$"""
                {"pre_tokenizer":{"type":"ByteLevel"},"model":{"vocab":{{{text}}},"merges":[]} }
                """);
            LoadsOrIsRefused(number++, bytes.Length, () => Inference.Tokenization.Tokenizers.Load(vocabulary));
        }
    }

    private static int HeaderLength(string path)
    {
        using FileStream stream = File.OpenRead(path);
        Span<byte> length = stackalloc byte[8];
        stream.ReadExactly(length);
        return checked((int)BinaryPrimitives.ReadUInt64LittleEndian(length));
    }

    private static void LoadAndUse(string path)
    {
        ITokenizer tokenizer = Inference.Tokenization.Tokenizers.Load(path);
        int[] ids = tokenizer.Encode("ab a<s> <|endoftext|> é😀", parseSpecial: true);
        Assert.All(ids, id => Assert.InRange(id, 0, tokenizer.VocabSize - 1));
        tokenizer.Decode(ids);
    }

    private static void Fuzz(byte[] original, int seed, Func<byte[], Action> write)
    {
        write(original)();
        var mutator = new Mutator(seed);
        int loaded = 0;
        for (int i = 0; i < Mutations; i++)
        {
            byte[] mutated = mutator.Mutate(original);
            loaded += LoadsOrIsRefused(i, mutated.Length, write(mutated)) ? 1 : 0;
        }

        Assert.InRange(loaded, 1, Mutations - 1);
    }

    private static bool LoadsOrIsRefused(int number, int bytes, Action load)
    {
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        var watch = Stopwatch.StartNew();
        bool loaded = false;
        try
        {
            load();
            loaded = true;
        }
        catch (ModelFileException refusal)
        {
            Refusal.IsOneSentence(refusal.Message);
        }
        catch (Exception failure)
        {
            Assert.Fail($"Case {number}: {failure}");
        }

        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        // A fixed part for opening a file and throwing, and a token's worth of tables for each few bytes.
        Assert.True(allocated < 500_000 + (64L * bytes), $"Case {number}: {allocated} bytes allocated for a file of {bytes}.");
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(10), $"Case {number}: it took {watch.Elapsed}.");
        return loaded;
    }
}
