using System.Text.Json;
using KvIL.Cli;
using KvIL.Eviction;
using KvIL.Inference.Evaluation;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary>What <c>kvil explain</c> says, and that it is consistent.</summary>
public sealed class ExplainCommandTests : IDisposable
{
    private const int Layers = 6, Heads = 4;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("sliding:sinks=4")]
    [InlineData("snapkv:window=16")]
    [InlineData("ada-snapkv:window=16")]
    [InlineData("ada-snapkv:window=16,alloc=pure")]
    [InlineData("ada-snapkv:window=16,alloc=floor,sinks=2")]
    [InlineData("ada-snapkv:window=16,alloc=mask,floor=0.4")]
    [InlineData("ada-snapkv:window=16,mass=kept")]
    [InlineData("pyramidkv:window=16")]
    [InlineData("ada-pyramid:window=16")]
    [InlineData("global-snapkv:window=16")]
    [InlineData("ada-criticalkv:window=16")]
    [InlineData("prefixkv")]
    [InlineData("ada-knorm")]
    [InlineData("h2o:window=16")]
    [InlineData("snapkv:window=16,heads=4:3:2:1/1:1:1:1/1:2:3:4/5:5:5:5/0:0:1:1/9:1:1:1")]
    public void Every_row_has_one_reason_and_the_counts_are_the_budgets(string policy)
    {
        JsonElement json = Explain("-f", Prompt(130), "--evict", policy, "--budget", "20%");
        int tokens = json.GetProperty("prompt_tokens").GetInt32();
        int budget = EvictionPolicy.Parse(policy).WithBudget(Budget.Parse("20%")).Budget.RowsFor(tokens);
        Assert.Equal(budget * Heads * Layers, json.GetProperty("rows").GetInt32());
        Assert.Equal(tokens * Heads * Layers, json.GetProperty("all_rows").GetInt32());
        int[] keptBy = new int[tokens];
        foreach (JsonElement store in json.GetProperty("stores").EnumerateArray())
        {
            JsonElement[] heads = [.. store.GetProperty("heads").EnumerateArray()];
            Assert.Equal(store.GetProperty("rows").GetInt32(), heads.Sum(head => head.GetProperty("rows").GetInt32()));
            Assert.All(heads, head => IsConsistent(head, store, keptBy));
            if (store.GetProperty("by_score").GetBoolean())
            {
                Assert.Equal(heads.Select(head => head.GetProperty("rows").GetInt32()), Rounded(heads));
            }
        }

        Assert.Equal(keptBy, json.GetProperty("tokens").EnumerateArray().Select(token => token.GetProperty("kept_by").GetInt32()));
        Assert.Equal(Layers, json.GetProperty("stores").EnumerateArray().Sum(store => store.GetProperty("costs").GetArrayLength()));
        Assert.All(json.GetProperty("stores").EnumerateArray().SelectMany(store => store.GetProperty("costs").EnumerateArray()), cost =>
            Assert.InRange(cost.GetProperty("loss").GetDouble(), 0, cost.GetProperty("epsilon").GetDouble()));
    }

    [Fact]
    public void Json_is_the_object_of_the_manual()
    {
        JsonElement json = Explain("-f", Prompt(120), "--evict", "ada-snapkv:window=8", "--question", "Why?", "--layer", "3");
        Assert.Equal(
            ["model", "policy", "budget", "floor", "prompt_tokens", "question_tokens", "evicted", "rows", "all_rows", "shown_layer", "tokens", "question", "stores"],
            Names(json));
        Assert.Equal(3, json.GetProperty("shown_layer").GetInt32());
        Assert.Equal(json.GetProperty("question_tokens").GetInt32(), json.GetProperty("question").GetArrayLength());
        Assert.All(json.GetProperty("question").EnumerateArray(), token => Assert.Equal(Heads * Layers, token.GetProperty("kept_by").GetInt32()));
        Assert.Equal(["position", "id", "text", "bytes", "kept_by"], Names(json.GetProperty("tokens")[0]));
        JsonElement store = json.GetProperty("stores")[0];
        Assert.Equal(
            ["store", "layers", "by_score", "split", "quota", "rows", "all_rows", "sinks", "window", "score_share", "costs", "heads"], Names(store));
        Assert.Equal(["layer", "loss", "theta", "epsilon_head", "epsilon"], Names(store.GetProperty("costs")[0]));
        Assert.Equal(
            ["head", "quota", "adaptive", "uniform", "guaranteed", "rows", "ranked", "cut", "positions", "scores", "ranks", "reasons"],
            Names(store.GetProperty("heads")[0]));
        Assert.Equal(["exact", "value"], Names(store.GetProperty("quota")));
        Assert.InRange(store.GetProperty("score_share").GetDouble(), 0, 1);
    }

    [Fact]
    public void The_pyramids_rows_are_exact_fractions()
    {
        JsonElement json = Explain("-f", Prompt(130), "--evict", "pyramidkv:window=16", "--budget", "64");
        string[] quotas = [.. json.GetProperty("stores").EnumerateArray().Select(store => store.GetProperty("quota").GetProperty("exact").GetString()!)];
        // w + x_l of 48 rows beyond the window, beta 20: low = 48/20, high = 2 · 48 - low
        Assert.Equal(["109.6", "91.36", "73.12", "54.88", "36.64", "18.4"], quotas);
    }

    [Fact]
    public void Protected_tokens_are_kept_by_every_head_and_say_so()
    {
        JsonElement json = Explain("-f", Prompt(200), "--evict", "ada-snapkv:window=8", "--protect", "40..44", "--protect", "50..51");
        foreach (JsonElement head in json.GetProperty("stores").EnumerateArray().SelectMany(store => store.GetProperty("heads").EnumerateArray()))
        {
            string[] reasons = Strings(head, "reasons");
            Assert.Equal([40, 41, 42, 43, 50], Enumerable.Range(0, reasons.Length).Where(row => reasons[row] == "protected"));
        }
    }

    [Fact]
    public void A_prompt_within_the_budget_stays_and_is_told_so()
    {
        string[] args = ["explain", Tool.Model, "-p", "Once upon a time", "--evict", "snapkv"];
        Assert.Equal("snapkv at 20%: the prompt's 5 tokens do not exceed the budget or the window, so everything stays.", Tool.Output(args).Trim());
        using JsonDocument json = JsonDocument.Parse(Tool.Output([.. args, "--json"]));
        Assert.False(json.RootElement.GetProperty("evicted").GetBoolean());
        Assert.All(
            json.RootElement.GetProperty("stores").EnumerateArray().SelectMany(store => store.GetProperty("heads").EnumerateArray()),
            head => Assert.All(Strings(head, "reasons"), reason => Assert.Equal("whole", reason)));
    }

    [Fact]
    public void Text_fits_100_columns_and_names_the_cut()
    {
        string text = Tool.Output("explain", Tool.Model, "-f", Prompt(400), "--evict", "ada-snapkv:window=16,sinks=4", "--budget", "10%");
        Assert.All(text.Split('\n'), line => Assert.InRange(line.Length, 0, 100));
        Assert.Matches(@"(?m)^ada-snapkv: 10% of \d+ tokens is [\d.]+ rows a head, in 6 layers of 4 KV heads\.$", text);
        Assert.Matches(@"(?m)^Layer \d, whose heads' budgets differ most: \d+ of \d,\d+ rows\.$", text);
        Assert.Contains("quota = 0.8 f + 0.2 u;", text, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^\d+ of \d+ tokens are kept by no head", text);
        string shown = Tool.Output("explain", Tool.Model, "-f", Prompt(400), "--evict", "pyramidkv:window=16", "--budget", "10%", "--layer", "5");
        Assert.Matches(@"(?m)^Layer 5: \d+ of \d,\d+ rows\.$", shown);
        Assert.All(shown.Split('\n'), line => Assert.InRange(line.Length, 0, 100));
    }

    [Fact]
    public void What_means_nothing_is_refused()
    {
        Tool.Refuses(App.Usage, "no policy to explain; name one", "explain", Tool.Model, "-p", "x");
        Tool.Refuses(App.Usage, "full keeps everything", "explain", Tool.Model, "-p", "x", "--evict", "full");
        Tool.Refuses(App.Usage, "There is no prompt", "explain", Tool.Model, "--evict", "snapkv");
        Tool.Refuses(App.Usage, "--protect expects", "explain", Tool.Model, "-p", "x", "--evict", "snapkv", "--protect", "9");
        Tool.Refuses(App.Failure, "no layer 6; the model has the layers 0 to 5", "explain", Tool.Model, "-p", "x", "--evict", "snapkv", "--layer", "6");
        Tool.Refuses(App.Failure, "none of the prompt's", "explain", Tool.Model, "-p", "x", "--evict", "snapkv", "--protect", "5..99");
        string deep = _directory.PathOf("deep.txt");
        File.WriteAllText(deep, string.Concat(Enumerable.Repeat("the old king ", 2000)));
        Tool.Refuses(App.Failure, "the model's context is 2048; shorten", "explain", Tool.Model, "-f", deep, "--evict", "snapkv");
    }

    [Fact]
    public void A_page_that_cannot_be_written_is_refused_before_the_work()
    {
        string[] args = ["explain", "no-such-model", "-p", "x", "--evict", "snapkv", "--html"];
        Tool.Refuses(App.Failure, "this is a directory; name a file to write", [.. args, _directory.Path]);
        Tool.Refuses(App.Failure, "there is no directory .*; make it first", [.. args, _directory.PathOf("no/such/page.html")]);
        Tool.Refuses(App.Usage, "--html is empty", [.. args, ""]);
    }

    private string Prompt(int words)
    {
        string text = EvaluationSet.Load(Repo.PathOf(Tool.Set), 1)[0].Prompt;
        return _directory.Write($"{words}.txt", string.Join(' ', text.Split(' ').Take(words)));
    }

    private static JsonElement Explain(params string[] args)
    {
        using JsonDocument json = JsonDocument.Parse(Tool.Output(["explain", Tool.Model, .. args, "--json"]));
        return json.RootElement.Clone();
    }

    private static void IsConsistent(JsonElement head, JsonElement store, int[] keptBy)
    {
        string[] reasons = Strings(head, "reasons");
        int?[] ranks = [.. head.GetProperty("ranks").EnumerateArray().Select(rank => rank.ValueKind == JsonValueKind.Null ? (int?)null : rank.GetInt32())];
        JsonElement[] scores = [.. head.GetProperty("scores").EnumerateArray()];
        int rows = head.GetProperty("rows").GetInt32();
        Assert.Equal(rows, reasons.Count(reason => reason != "dropped"));
        if (reasons.All(reason => reason == "whole")) return;

        Assert.Equal(Enumerable.Range(0, reasons.Length), head.GetProperty("positions").EnumerateArray().Select(p => p.GetInt32()));
        Assert.Equal(store.GetProperty("window").GetInt32(), reasons.Count(reason => reason == "window"));
        Assert.Equal(store.GetProperty("sinks").GetInt32(), reasons.Count(reason => reason == "sink"));
        int ranked = head.GetProperty("ranked").GetInt32();
        int byRank = rows - reasons.Count(reason => reason is "window" or "sink" or "protected");
        Assert.Equal(Enumerable.Range(1, ranked), ranks.OfType<int>().Order());
        string kept = store.GetProperty("by_score").GetBoolean() ? "score" : "recent";
        for (int row = 0; row < reasons.Length; row++)
        {
            Assert.Equal(ranks[row] is null, reasons[row] is "window" or "sink" or "protected");
            Assert.Equal(ranks[row] is null, scores[row].ValueKind == JsonValueKind.Null);
            if (ranks[row] is int rank)
            {
                Assert.Equal(rank <= byRank ? kept : "dropped", reasons[row]);
                Assert.Equal(rank <= byRank, byRank > 0 && (Score(scores[row]) > Score(head.GetProperty("cut")) || (Score(scores[row]) == Score(head.GetProperty("cut")) && rank <= byRank)));
            }

            keptBy[row] += reasons[row] == "dropped" ? 0 : 1;
        }
    }

    // The quotas of the heads, rounded by the largest remainder; whole ones stay.
    private static int[] Rounded(JsonElement[] heads)
    {
        Ratio[] quotas = [.. heads.Select(head => Ratio.Parse(head.GetProperty("quota").GetProperty("exact").GetString()!))];
        int[] rows = [.. quotas.Select(quota => (int)quota.Floor(1))];
        int spare = heads.Sum(head => head.GetProperty("rows").GetInt32()) - rows.Sum();
        foreach (int h in Enumerable.Range(0, rows.Length)
            .OrderByDescending(h => ((decimal)quotas[h].Numerator / quotas[h].Denominator) - rows[h]).ThenBy(h => h).Take(spare))
        {
            rows[h]++;
        }

        return rows;
    }

    private static double Score(JsonElement score) =>
        score.ValueKind == JsonValueKind.Number ? score.GetDouble() : score.GetString() == "Infinity" ? double.PositiveInfinity : double.NegativeInfinity;

    private static string[] Strings(JsonElement element, string name) => [.. element.GetProperty(name).EnumerateArray().Select(item => item.GetString()!)];

    private static string[] Names(JsonElement element) => [.. element.EnumerateObject().Select(property => property.Name)];
}
