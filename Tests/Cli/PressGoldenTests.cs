using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvIL.Cli;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary>kvil golden on recordings of kvpress on whole models.</summary>
public sealed class PressGoldenTests : IDisposable
{
    private const string Folder = "golden/kvpress-models";
    private const string Recording = "demo-recall";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [SharedFact($"{Folder}/{Recording}.json")]
    public void Rows_scores_and_logits_of_a_recording_agree()
    {
        ToolRun run = Tool.Run("golden", Shared.PathOf(Folder), "--only", $"{Recording}/full", "--only", $"{Recording}/snapkv_w16",
            "--only", $"{Recording}/ada_knorm", "--only", $"{Recording}/lagkv", "--only", $"{Recording}/critical_ada_snapkv_w16", "--json");
        Assert.True(run.Code == App.Success, run.Out + run.Error);
        using JsonDocument json = JsonDocument.Parse(run.Out);
        Assert.Equal(0, json.RootElement.GetProperty("failed").GetInt32());
        Assert.Equal(
            ["full 1", "snapkv_w16 3", "ada_knorm 3", "lagkv 3", "critical_ada_snapkv_w16 3"],
            json.RootElement.GetProperty("groups").EnumerateArray().Select(g => $"{g.GetProperty("name")} {g.GetProperty("passed")}"));
        Assert.Contains(json.RootElement.GetProperty("notes").EnumerateArray(), note => note.GetString()!.StartsWith("snapkv_w16: rows equal in 3 of 3 cases", StringComparison.Ordinal));
    }

    [SharedFact($"{Folder}/{Recording}.json")]
    public void One_exchanged_row_changes_the_logits_and_four_the_rows()
    {
        Copy(exchanged: 1);
        Fails(@"snapkv_w16\.50: after teacher token \d+");
        Copy(exchanged: 4);
        Fails("4 positions exchanged, 3 allowed; first in layer 2, head 1");
    }

    [SharedFact($"{Folder}/{Recording}.json")]
    public void A_changed_logit_or_score_fails()
    {
        Copy(change: (Tensor("snapkv_w16.90.top_logits"), at => Add(at, 5, 0.01f)));
        Fails(@"snapkv_w16\.90: after teacher token 1, token \d+: recorded");
        Copy(change: (Tensor("score.snapkv_w16"), at => Add(at, 300, 0.01f)));
        Fails(@"snapkv_w16\.\d+: scores of layer 0, head 0, position 300: recorded");
    }

    [SharedFact($"{Folder}/{Recording}.json")]
    public void Damaged_recordings_are_refused()
    {
        Copy(change: (Tensor("snapkv_w16.90.kept"), bytes => bytes[3] ^= 1));
        Refused("keeps .* positions in layer 0, head 0");
        Copy();
        byte[] file = File.ReadAllBytes(_directory.PathOf($"{Recording}.safetensors"));
        File.WriteAllBytes(_directory.PathOf($"{Recording}.safetensors"), file[..^9]);
        Refused("data_offsets");
        Copy(json => json["tokens"] = 1 << 24);
        Refused("'input_ids' is I32");
        Copy(json => json["layers"] = 1 << 30);
        Refused("'layers'");
        Copy(json => json["file"] = "../x.safetensors");
        Refused("'file': expected the name of a file in the same folder");
        Copy(json => json["cases"]![0]!["ratio"] = -1);
        Refused("ratio");
        Copy(json => json["model"] = "no-such-model");
        Refused("The model no-such-model, with which this was recorded, is not in");
        _directory.Write($"{Recording}.json", """{"score_layers": [0], "cases": """);
        Refused("not JSON");
    }

    [SharedFact($"{Folder}/{Recording}.json")]
    public void Another_model_is_refused()
    {
        Copy();
        Tool.Refuses(App.Failure, "recorded of a model with 6 layers", "golden", _directory.Path, "--model", Repo.PathOf("models/tiny-random/olmo2"));
    }

    [SharedFact($"{Folder}/{Recording}.json")]
    public void Presses_that_are_not_known_are_counted_and_named()
    {
        Copy(json =>
        {
            json["cases"]![0]!["press"] = "no_such_press";
            json["cases"]![1]!["press"] = "random";
            json["cases"]![2]!["params"]!["cross_scoring"] = true;
            json["cases"] = new JsonArray([.. json["cases"]!.AsArray().Take(3).Select(c => c!.DeepClone())]);
        });
        ToolRun run = Tool.Run("golden", _directory.Path);
        Assert.Equal(App.Success, run.Code);
        Assert.Matches("all +1 +0 +3", run.Out);
        Assert.Contains("no_such_press not compared, as KvIL has no such method", run.Out, StringComparison.Ordinal);
        Assert.Contains("random not compared, as its generator was not seeded", run.Out, StringComparison.Ordinal);
        Assert.Contains("KvIL has no 'cross_scoring' of true", run.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Questions_with_ids_are_answered_and_counted()
    {
        // Nobody guesses these answers.
        string[] args = ["golden", _directory.Path, "--model", Tool.Model];
        string[] only = [.. args, "--only", "/streaming_llm"];
        _directory.Write("questions.json", Prompts(right: 0));
        Assert.Contains("answers right 0, recorded 0, of 6", Tool.Output(only), StringComparison.Ordinal);
        _directory.Write("questions.json", Prompts(right: 1));
        ToolRun run = Tool.Run(only);
        Assert.Equal(App.Failure, run.Code);
        Assert.Contains("questions/streaming_llm.50 aware: 0 answers right, recorded 3, of 3 prompts; 2 apart allowed", run.Out, StringComparison.Ordinal);
        Assert.Contains("questions/streaming_llm.50 agnostic: 0", run.Out, StringComparison.Ordinal);
        Assert.Matches("questions/0: mean NLL: recorded 1, computed", Tool.Run(args).Out);
        _directory.Write("questions.json", """[{"id": 0, "half": "x", "context_ids": [1], "question_ids": [], "answer_ids": [2], "full": [[1, 0]], "results": {}}]""");
        Tool.Refuses(App.Failure, "without ids of context, question or answer|--only|no recordings", args);
        _directory.Write("questions.json", """[{"id": 0, "half": "x", "context_ids": [1], "question_ids": [1], "answer_ids": [99999999], "full": [[1, 0]], "results": {"tova.50": [1, 0, 1, 0]}}]""");
        Tool.Refuses(App.Failure, "vocabulary", args);
    }

    [Fact]
    public void Options_that_mean_nothing_are_refused()
    {
        Tool.Refuses(App.Usage, "runs no model", "golden", Repo.PathOf("golden/eviction"), "--only", "x");
        _directory.Write("a.json", """[{"id": 0, "half": "x", "context_ids": [1], "question_ids": [1], "answer_ids": [1], "full": [[1, 0]], "results": {"tova.50": [1, 0, 1, 0]}}]""");
        Tool.Refuses(App.Failure, "--only names nothing", "golden", _directory.Path, "--only", "b");
        Tool.Refuses(App.Usage, "--model is a path", "golden", _directory.Path, "--model", "x=");
        Tool.Refuses(App.Failure, "no such file|not a model|there is no", "golden", _directory.Path, "--model", _directory.PathOf("none"));
    }

    [Trait("Length", "Long")]
    [SharedFact($"{Folder}/{Recording}.json")]
    public void Every_recording_of_the_demo_model_agrees()
    {
        ToolRun run = Tool.Run("golden", Shared.PathOf(Folder), "--only", "demo-needle", "--only", Recording, "--only", "demo-recall-quality");
        Assert.True(run.Code == App.Success, run.Out + run.Error);
    }

    [Trait("Length", "Long")]
    [SharedFact($"{Folder}/smol-700.json")]
    public void A_recording_of_SmolLM2_agrees()
    {
        ToolRun run = Tool.Run("golden", Shared.PathOf(Folder), "--only", "smol-700");
        Assert.True(run.Code == App.Success, run.Out + run.Error);
    }

    private static string Prompts(int right)
    {
        JsonArray Ids(int from, int count) => [.. Enumerable.Range(from, count).Select(i => (JsonNode)((i * 37 % 900) + 5))];
        JsonArray prompts = [.. Enumerable.Range(0, 3).Select(i => (JsonNode)new JsonObject
        {
            ["id"] = i,
            ["half"] = "own",
            ["context_ids"] = Ids(100 * i, 40),
            ["question_ids"] = Ids((100 * i) + 40, 4),
            ["answer_ids"] = Ids((100 * i) + 44, 2),
            ["full"] = new JsonArray(new JsonArray(0, 1.0), new JsonArray(0, 1.0)),
            ["results"] = new JsonObject { ["streaming_llm.50"] = new JsonArray(right, 1.0, right, 1.0) },
        })];
        return prompts.ToJsonString();
    }

    private void Fails(string pattern)
    {
        ToolRun run = Tool.Run("golden", _directory.Path, "--only", "/snapkv_w16");
        Assert.Equal((App.Failure, ""), (run.Code, run.Error));
        Assert.Matches(pattern, run.Out);
    }

    private void Refused(string pattern)
    {
        Stopwatch clock = Stopwatch.StartNew();
        Tool.Refuses(App.Failure, pattern, "golden", _directory.Path, "--only", "/snapkv_w16");
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 60);
    }

    // Where a tensor lies in the file.
    private static (int Begin, int End) Tensor(string name)
    {
        byte[] file = File.ReadAllBytes(Shared.PathOf($"{Folder}/{Recording}.safetensors"));
        int header = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        JsonNode offsets = JsonNode.Parse(Encoding.UTF8.GetString(file, 8, header))![name]!["data_offsets"]!;
        return (8 + header + (int)offsets[0]!, 8 + header + (int)offsets[1]!);
    }

    private static void Add(Span<byte> tensor, int element, float difference)
    {
        Span<byte> at = tensor.Slice(4 * element, 4);
        BinaryPrimitives.WriteSingleLittleEndian(at, BinaryPrimitives.ReadSingleLittleEndian(at) + difference);
    }

    private delegate void Damage(Span<byte> tensor);

    private void Copy(Action<JsonNode>? amend = null, ((int Begin, int End) At, Damage Damage)? change = null, int exchanged = 0)
    {
        JsonNode json = JsonNode.Parse(File.ReadAllText(Shared.PathOf($"{Folder}/{Recording}.json")))!;
        amend?.Invoke(json);
        _directory.Write($"{Recording}.json", json.ToJsonString());
        byte[] file = File.ReadAllBytes(Shared.PathOf($"{Folder}/{Recording}.safetensors"));
        change?.Damage(file.AsSpan(change.Value.At.Begin, change.Value.At.End - change.Value.At.Begin));
        if (exchanged > 0)
        {
            Exchange(file, exchanged);
        }

        _directory.Write($"{Recording}.safetensors", file);
    }

    // In layer 2, head 1 the last kept rows before the window give way to the first that are not kept.
    private static void Exchange(Span<byte> file, int count)
    {
        const int Tokens = 589, Heads = 4, Bytes = (Tokens + 7) / 8;
        (int begin, _) = Tensor("snapkv_w16.50.kept");
        Span<byte> bits = file.Slice(begin + (((2 * Heads) + 1) * Bytes), Bytes);
        int from = Tokens - 20, to = 0;
        for (int i = 0; i < count; i++)
        {
            while ((bits[from / 8] >> (from % 8) & 1) == 0) from--;
            while ((bits[to / 8] >> (to % 8) & 1) != 0) to++;
            bits[from / 8] ^= (byte)(1 << (from % 8));
            bits[to / 8] ^= (byte)(1 << (to % 8));
        }
    }
}
