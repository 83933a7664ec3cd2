using System.Text.Json;
using KvIL.Cli;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

public sealed class EvalCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Json_is_the_object_of_the_manual()
    {
        string set = _directory.Write("set.jsonl", Item("the old king ") + Item("a little girl "));
        string text = Tool.Output(
            "eval", Tool.Model, "--set", set, "--evict", "sliding", "--evict", "snapkv:window=16",
            "--budget", "5%,20.0%", "--limit", "2", "--json", "--threads", "2", "--chunk", "50", "--kv", "f32");
        using JsonDocument json = JsonDocument.Parse(text);
        JsonElement[] results = [.. json.RootElement.GetProperty("results").EnumerateArray()];
        Assert.Equal(
            ["full 100%", "sliding 5%", "sliding 20.0%", "snapkv:window=16 5%", "snapkv:window=16 20.0%"],
            results.Select(r => $"{r.GetProperty("policy")} {r.GetProperty("budget")}"));
        Assert.All(results, r => Assert.Equal(["policy", "budget", "correct", "total", "kl", "short"], r.EnumerateObject().Select(p => p.Name)));
        Assert.All(results, r => Assert.Equal(2, r.GetProperty("total").GetInt32()));
        Assert.Equal(0, results[0].GetProperty("kl").GetDouble());
        Assert.All(results[1..], r => Assert.True(r.GetProperty("kl").GetDouble() > 0));
        JsonElement[] pairs = [.. json.RootElement.GetProperty("pairs").EnumerateArray()];
        Assert.All(pairs, p => Assert.Equal(["a", "b", "budget", "only_a", "only_b", "p"], p.EnumerateObject().Select(x => x.Name)));
        Assert.Equal(
            ["sliding snapkv:window=16 5%", "sliding snapkv:window=16 20.0%"],
            pairs.Select(p => $"{p.GetProperty("a")} {p.GetProperty("b")} {p.GetProperty("budget")}"));
    }

    [Fact]
    public void Budgets_below_the_window_are_counted_and_explained()
    {
        string set = _directory.Write("set.jsonl", Item("the old king "));
        string[] args = ["eval", Tool.Model, "--set", set, "--evict", "snapkv", "--budget", "8"];
        using JsonDocument json = JsonDocument.Parse(Tool.Output([.. args, "--json"]));
        Assert.Equal(1, json.RootElement.GetProperty("results")[1].GetProperty("short").GetInt32());
        string table = Tool.Output(args);
        Assert.Matches(@"(?m)^snapkv at 8: .* below the window", table);
        Assert.DoesNotMatch(@"(?m)[ \t]$", table);
    }

    [Fact]
    public void The_full_cache_needs_no_policy()
    {
        string set = _directory.Write("set.jsonl", """{"prompt": "Once upon a time", "answer": ", there"}""");
        Assert.Matches(@"(?m)^\s*full\s+1  0\.000$", Tool.Output("eval", Tool.Model, "--set", set));
        Assert.Matches(@"(?m)^\s*full\s+1  0\.000$", Tool.Output("eval", Tool.Model, "--set", set, "--evict", "full"));
    }

    [Fact]
    public void A_policy_alone_has_the_default_budget()
    {
        string set = _directory.Write("set.jsonl", """{"prompt": "Once upon a time", "answer": ", there"}""");
        using JsonDocument json = JsonDocument.Parse(Tool.Output("eval", Tool.Model, "--set", set, "--evict", "sliding", "--json"));
        Assert.Equal("20%", json.RootElement.GetProperty("results")[1].GetProperty("budget").GetString());
    }

    [Theory]
    [InlineData("", "empty|no items")]
    [InlineData("\n\n", "no items")]
    [InlineData("""{"prompt": "x"}""", "answer")]
    [InlineData("""{"prompt": 3, "answer": "x"}""", "prompt")]
    [InlineData("not json", "not JSON")]
    [InlineData("""{"prompt": "x", "answer": ""}""", "answer tokens")]
    public void A_bad_set_is_refused(string text, string pattern) =>
        Tool.Refuses(App.Failure, pattern, "eval", Tool.Model, "--set", _directory.Write("set.jsonl", text));

    [Fact]
    public void What_does_not_fit_is_refused()
    {
        string set = Repo.PathOf(Tool.Set);
        Tool.Refuses(App.Failure, "no such file", "eval", Tool.Model, "--set", _directory.PathOf("none.jsonl"));
        Tool.Refuses(App.Failure, "context of 2048", "eval", Tool.Model, "--set", set, "--evict", "snapkv", "--budget", "5%,2049");
        Tool.Refuses(App.Failure, "memory limit", "eval", Tool.Model, "--set", set, "--limit", "1", "--memory-limit", "10M");
        Tool.Refuses(App.Failure, "no tokenizer", "eval", ModelCopy.WithoutTokenizer(_directory), "--set", set, "--limit", "1");
        string longSet = _directory.Write("long.jsonl", Item("the old king ", 1000));
        Tool.Refuses(App.Failure, "Line 1.*context", "eval", Tool.Model, "--set", longSet);
    }

    private static string Item(string words, int times = 30) =>
        $$"""{"prompt": "{{string.Concat(Enumerable.Repeat(words, times))}}", "answer": " The king"}""" + "\n";
}
