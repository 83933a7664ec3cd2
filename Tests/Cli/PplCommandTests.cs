using System.Text.Json;
using KvIL.Cli;
using KvIL.Inference.Evaluation;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

public sealed class PplCommandTests : IDisposable
{
    private const string Text = "models/kvil-demo/text-grimm.txt";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    // Mean of the reference: 38 windows of BOS and 511 ids, float32; the first three windows apart.
    [Fact]
    public void Agrees_with_the_reference()
    {
        using JsonDocument json = JsonDocument.Parse(Tool.Output("ppl", Tool.Model, "--text", Repo.PathOf(Text), "--bos", "--json"));
        JsonElement result = json.RootElement;
        Assert.Equal(19_642, result.GetProperty("text_tokens").GetInt32());
        Assert.Equal(38, result.GetProperty("windows").GetInt32());
        Assert.Equal(19_418, result.GetProperty("scored").GetInt32());
        Assert.Equal(2.980533, result.GetProperty("mean_nll").GetDouble(), 1e-5);
        double[] windows = [.. result.GetProperty("window_mean_nll").EnumerateArray().Select(mean => mean.GetDouble())];
        Assert.Equal(38, windows.Length);
        Assert.All(windows.Zip([2.712592, 2.811383, 3.43499]), pair => Assert.Equal(pair.Second, pair.First, 1e-5));
    }

    [Fact]
    public void Line_ends_and_the_limit_follow_the_protocol()
    {
        string file = _directory.Write("text.txt", File.ReadAllText(Repo.PathOf(Text)).Replace("\n", "\r\n", StringComparison.Ordinal));
        string[] limited = ["--window", "64", "--limit", "200", "--json"];
        Assert.Equal(Tool.Output(["ppl", Tool.Model, "--text", Repo.PathOf(Text), .. limited]), Tool.Output(["ppl", Tool.Model, "--text", file, .. limited]));
        string table = Tool.Output("ppl", Tool.Model, "--text", file, "--window", "64", "--limit", "200");
        Assert.Matches(@"189 scored in 3 windows of 64\r?\nmean negative log likelihood \d\.\d{6} ± \d\.\d{4} nats a token, perplexity ", table);
    }

    [Fact]
    public void What_cannot_be_measured_is_refused()
    {
        string file = _directory.Write("text.txt", "too short");
        Tool.Refuses(App.Failure, "too few for one window", "ppl", Tool.Model, "--text", file);
        Tool.Refuses(App.Failure, "no such file", "ppl", Tool.Model, "--text", file + "x");
        Tool.Refuses(App.Failure, "context of 2048", "ppl", Tool.Model, "--text", Repo.PathOf(Text), "--window", "4096");
        Tool.Refuses(App.Usage, "at least 2", "ppl", Tool.Model, "--text", file, "--window", "1");
    }

    [Fact]
    public void Windows_are_consecutive_and_complete()
    {
        int[] ids = [.. Enumerable.Range(1, 10)];
        Assert.Equal([[1, 2, 3, 4], [5, 6, 7, 8]], Perplexity.Cut(ids, 4, bos: null));
        Assert.Equal([[0, 1, 2, 3], [0, 4, 5, 6], [0, 7, 8, 9]], Perplexity.Cut(ids, 4, bos: 0));
        Assert.Empty(Perplexity.Cut(ids, 12, bos: 0));
    }

    [Fact]
    public void Log_sum_exp_neither_overflows_nor_loses_the_largest() =>
        Assert.Equal(1000 + Math.Log(2), LogProbability.LogSumExp([1000, 1000, -1000]), 1e-12);
}
