using System.Text.Json;
using System.Text.Json.Nodes;
using KvIL.Cli.Golden;
using KvIL.Conformance.Golden.Eviction;
using KvIL.Inference.Files;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>Damaged sets of recorded numbers: one sentence, never another exception, and no difference goes unseen.</summary>
public sealed class GoldenDamageTests : IDisposable
{
    private static readonly string s_golden = Repo.PathOf("golden/eviction");

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void No_manifest() => Refused("no manifest.json");

    [Theory]
    [InlineData("", "not valid JSON")]
    [InlineData("{\"format\":\"kvil-golden/1\"", "not valid JSON")]
    [InlineData("[]", "expected a JSON object")]
    [InlineData("{}", "kvil-golden/1")]
    [InlineData("""{"format":"kvil-golden/2","cases":[]}""", "kvil-golden/1")]
    [InlineData("""{"format":"kvil-golden/1"}""", "'cases'")]
    [InlineData("""{"format":"kvil-golden/1","cases":[1]}""", "'cases'")]
    [InlineData("""{"format":"kvil-golden/1","cases":[{}]}""", "number 0 lacks 'id'")]
    [InlineData("""{"format":"kvil-golden/1","cases":[{"id":"a","group":"g","kind":"topk","method":"Knorm","inputs":{"k":"in.k"}}]}""", "'in.k'")]
    [InlineData("""{"format":"kvil-golden/1","cases":[{"id":"a","group":"g","kind":"topk","method":"Knorm"}]}""", "lacks 'tensors.scores'")]
    public void A_damaged_manifest(string manifest, string says)
    {
        _directory.Write("manifest.json", manifest);
        Refused(says);
    }

    [Theory]
    [InlineData("{\"integer_tables\":[{}]}")]
    [InlineData("{\"integer_tables\":3}")]
    [InlineData("{\"integer_tables\":[{\"num_layers\":2000000000,\"beta\":1,\"seq_len\":9}]}")]
    [InlineData("{\"kvpress_n_kept\":{\"rows\":[[1e300,0,0]]}}")]
    [InlineData("{\"kvpress_tables\":[null]}")]
    public void Damaged_tables(string tables)
    {
        _directory.Write("manifest.json", """{"format":"kvil-golden/1","cases":[]}""");
        _directory.Write("layer_budgets.json", tables);
        Refused("layer_budgets.json");
    }

    [Fact]
    public void A_truncated_file_of_tensors()
    {
        _directory.Write("manifest.json", """{"format":"kvil-golden/1","cases":[]}""");
        _directory.Write("inputs.safetensors", File.ReadAllBytes(Path.Combine(s_golden, "inputs.safetensors"))[..5000]);
        Refused("inputs.safetensors");
    }

    [Fact]
    public void A_tensor_in_two_files()
    {
        _directory.Write("manifest.json", """{"format":"kvil-golden/1","cases":[]}""");
        byte[] file = File.ReadAllBytes(Path.Combine(s_golden, "prefixkv.safetensors"));
        _directory.Write("a.safetensors", file);
        _directory.Write("b.safetensors", file);
        Refused("two files");
    }

    [Fact]
    public void Any_leaf_replaced_is_refused_or_seen_or_harmless()
    {
        KeyValuePair<string, GoldenTensor>[] tensors = EvictionGoldenFolder.Tensors(s_golden);
        JsonArray cases = Manifest()["cases"]!.AsArray();
        var random = new Random(5);
        (int refused, int seen) = (0, 0);
        for (int round = 0; round < 150; round++)
        {
            JsonObject c = cases[random.Next(cases.Count)]!.DeepClone().AsObject();
            string leaf = Damage(c, random);
            try
            {
                seen += Run(c, tensors).Failed;
            }
            catch (GoldenFormatException e)
            {
                refused++;
                AssertSentence(e.Message);
            }
            catch (Exception e)
            {
                Assert.Fail($"{leaf} of {c["id"]}: {e}");
            }
        }

        Assert.True(refused > 20 && seen > 5, $"{refused} refused, {seen} seen");
    }

    [Fact]
    public void A_recorded_number_that_differs_is_named()
    {
        KeyValuePair<string, GoldenTensor>[] tensors = EvictionGoldenFolder.Tensors(s_golden);
        JsonObject c = Manifest()["cases"]!.AsArray().First(e => (string)e!["kind"]! == "ada" && e["expected"]!["raw_counts"] is not null)!
            .DeepClone().AsObject();
        Assert.Equal(0, Run(c, tensors).Failed);
        c["expected"]!["budgets"]![0] = (int)c["expected"]!["budgets"]![0]! + 1;
        EvictionGoldenReport report = Run(c, tensors);
        Assert.Contains("budgets[0]: recorded", Assert.Single(report.Groups[0].Differences));

        string scores = (string)c["tensors"]!["scores"]!;
        GoldenTensor damaged = tensors.First(t => t.Key == scores).Value;
        double[] values = [.. damaged.Values];
        values[3] += 1e-5 * values.Max();
        report = Run(c, [.. tensors.Where(t => t.Key != scores), KeyValuePair.Create(scores, damaged with { Values = values })]);
        Assert.Contains("scores[0, 3]: recorded", Assert.Single(report.Groups[0].Differences));
    }

    private static JsonNode Manifest() => JsonNode.Parse(File.ReadAllText(Path.Combine(s_golden, "manifest.json")))!;

    private static EvictionGoldenReport Run(JsonObject c, IEnumerable<KeyValuePair<string, GoldenTensor>> tensors)
    {
        JsonObject manifest = new() { ["format"] = GoldenSet.Format, ["cases"] = new JsonArray(c.DeepClone()) };
        return EvictionGolden.Run(GoldenSet.Read(manifest.ToJsonString(), null, tensors));
    }

    // Replaces a random value anywhere in the case, or removes it; says which.
    private static string Damage(JsonObject c, Random random)
    {
        JsonNode at = c;
        while (true)
        {
            string[] keys = at is JsonObject o ? [.. o.Select(p => p.Key).Where(k => k != "source")] : [.. Enumerable.Range(0, ((JsonArray)at).Count).Select(i => $"{i}")];
            if (keys.Length == 0) return at.GetPath();
            string key = keys[random.Next(keys.Length)];
            JsonNode? child = at is JsonObject parent ? parent[key] : ((JsonArray)at)[int.Parse(key, System.Globalization.CultureInfo.InvariantCulture)];
            if (child is JsonObject or JsonArray && random.Next(8) > 0)
            {
                at = child;
                continue;
            }

            JsonNode?[] values = [null, -1, 0, 1, 3, int.MaxValue, 1e300, 0.37, "x", true, new JsonArray(), new JsonArray(1, -5), new JsonObject()];
            bool nudge = child?.GetValueKind() == JsonValueKind.Number && random.Next(3) > 0;
            JsonNode? value = nudge ? child!.GetValue<double>() + 1 : values[random.Next(values.Length)];
            if (at is JsonObject owner) owner[key] = value;
            else ((JsonArray)at)[int.Parse(key, System.Globalization.CultureInfo.InvariantCulture)] = value;
            return $"{at.GetPath()}.{key} = {value}";
        }
    }

    private void Refused(string says)
    {
        Exception e = Assert.ThrowsAny<Exception>(() => EvictionGolden.Run(EvictionGoldenFolder.Open(_directory.Path)));
        Assert.True(e is GoldenFormatException or ModelFileException, e.ToString());
        Assert.Contains(says, e.Message);
        AssertSentence(e.Message);
    }

    private static void AssertSentence(string message)
    {
        Assert.EndsWith(".", message);
        Assert.DoesNotContain('\n', message);
    }
}
