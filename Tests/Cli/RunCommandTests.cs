using System.Diagnostics;
using System.Text.Json;
using KvIL.Cli;
using KvIL.Inference.Evaluation;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

public sealed class RunCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Streams_the_text_that_json_reports()
    {
        string[] args = ["run", Tool.Model, "-p", "Once upon a time", "--max-tokens", "12"];
        ToolRun streamed = Tool.Launch(args);
        ToolRun reported = Tool.Launch([.. args, "--json"]);
        Assert.Equal(0, streamed.Code);
        JsonElement json = Parse(reported.Out);
        Assert.Equal(json.GetProperty("text").GetString(), streamed.Out);
        Assert.Equal(12, json.GetProperty("ids").GetArrayLength());
        Assert.Equal(streamed.Out, Tokenization.Demo.Tokenizer.Decode([.. json.GetProperty("ids").EnumerateArray().Select(id => id.GetInt32())]));
        Assert.Matches(
            @"^load .* s, weights 7.26 MiB \| stopped: --max-tokens\r?\nprefill 5 tokens in .*/s \| decode 12 tokens in .*/s\r?\nfull cache: KV peak .*, held .* of .*\r?\n$",
            streamed.Error);
    }

    [Fact]
    public void Json_has_every_figure()
    {
        JsonElement json = Parse(Tool.Output("run", Tool.Model, "-p", LongPrompt(), "--max-tokens", "4", "--evict", "snapkv:window=16", "--budget", "10%", "--json"));
        Assert.Equal(911, json.GetProperty("prompt_tokens").GetInt32());
        Assert.Equal(4, json.GetProperty("generated_tokens").GetInt32());
        Assert.All(["load", "prefill", "decode"], name => Assert.True(json.GetProperty("seconds").GetProperty(name).GetDouble() > 0));
        Assert.All(["prefill", "decode"], name => Assert.True(json.GetProperty("tokens_per_second").GetProperty(name).GetDouble() > 0));
        Assert.Equal(7_608_832, json.GetProperty("weight_bytes").GetInt64());
        JsonElement kv = json.GetProperty("kv_bytes");
        (long peak, long held, long rows, long full) = (Bytes("peak"), Bytes("held"), Bytes("rows"), Bytes("full"));
        // 91 rows of the prompt and 3 of the answer; a row is 32 · (2 + 2) + 4 bytes; 4 heads, 6 stores
        Assert.Equal((91 + 3) * 132 * 4 * 6, rows);
        Assert.True(rows < held && held < peak && peak < full, kv.ToString());
        Assert.Equal("snapkv:window=16", json.GetProperty("policy").GetString());
        Assert.Equal("10%", json.GetProperty("budget").GetString());
        Assert.Equal("max_tokens", json.GetProperty("stop").GetString());

        long Bytes(string name) => kv.GetProperty(name).GetInt64();
    }

    [Fact]
    public void A_budget_in_the_policy_is_a_budget_beside_it()
    {
        string[] args = ["run", Tool.Model, "-p", LongPrompt()[..800], "--max-tokens", "4", "--json", "--evict"];
        JsonElement inside = Parse(Tool.Output([.. args, "ada-snapkv:budget=30%"]));
        JsonElement beside = Parse(Tool.Output([.. args, "ada-snapkv", "--budget", "30%"]));
        Assert.Equal(inside.GetProperty("ids").ToString(), beside.GetProperty("ids").ToString());
        Assert.Equal(inside.GetProperty("kv_bytes").ToString(), beside.GetProperty("kv_bytes").ToString());
        Assert.Equal("30%", inside.GetProperty("budget").GetString());
    }

    [Fact]
    public void Rows_of_f32_take_more_than_rows_of_f16()
    {
        string[] args = ["run", Tool.Model, "-p", "Hello", "--max-tokens", "2", "--json", "--device", "cpu", "--memory-limit", "1GiB", "--kv"];
        Assert.Equal(260.0 / 132, Rows("f32") / Rows("f16"), 12);

        double Rows(string type) => Parse(Tool.Output([.. args, type])).GetProperty("kv_bytes").GetProperty("rows").GetInt64();
    }

    [Fact]
    public void The_same_seed_gives_the_same_text_and_another_seed_another()
    {
        string[] args = ["run", Tool.Model, "-p", "The king", "--max-tokens", "16", "--temp", "1.2", "--top-k", "50", "--top-p", "0.98", "--min-p", "0.001", "--seed"];
        string text = Tool.Output([.. args, "7"]);
        Assert.Equal(text, Tool.Output([.. args, "7"]));
        Assert.NotEqual(text, Tool.Output([.. args, "8"]));
    }

    [Fact]
    public void Sampling_options_sample_without_a_temperature_too()
    {
        string[] args = ["run", Tool.Model, "-p", "The king", "--max-tokens", "12", "--seed", "3"];
        string greedy = Tool.Output(args);
        Assert.NotEqual(greedy, Tool.Output([.. args, "--top-k", "500"]));
        Assert.Equal(greedy, Tool.Output([.. args, "--top-k", "500", "--temp", "0"]));
    }

    [Fact]
    public void Threads_and_the_chunk_change_nothing()
    {
        string[] args = ["run", Tool.Model, "-p", LongPrompt()[..1200], "--max-tokens", "8", "--evict", "ada-snapkv:window=16,budget=10%"];
        string text = Tool.Output([.. args, "--threads", "1"]);
        Assert.Equal(text, Tool.Output([.. args, "--threads", "2"]));
        Assert.Equal(text, Tool.Output([.. args, "--threads", "2", "--chunk", "100"]));
        Assert.NotEqual("", text);
    }

    [Fact]
    public void A_file_comes_before_the_prompt_on_a_line_of_its_own()
    {
        string file = _directory.Write("prompt.txt", "\ufeffOnce upon a time");
        string[] args = ["--max-tokens", "1", "--json"];
        string whole = Ids("-p", "Once upon a time\nThe end");
        Assert.Equal(whole, Ids("-f", file, "-p", "The end"));
        Assert.Equal(whole, Ids("-f", _directory.Write("line.txt", "Once upon a time\n"), "-p", "The end"));
        ToolRun input = Tool.Run("Once upon a time\n", ["run", Tool.Model, .. args, "-f", "-", "-p", "The end"]);
        Assert.Equal(whole, Figures(input.Out));

        string Ids(params string[] prompt) => Figures(Tool.Output(["run", Tool.Model, .. args, .. prompt]));

        static string Figures(string json) => $"{Parse(json).GetProperty("prompt_tokens")} {Parse(json).GetProperty("ids")}";
    }

    [Fact]
    public void A_prompt_that_looks_like_a_response_file_is_a_prompt() =>
        Assert.Equal(0, Tool.Run("run", Tool.Model, "-p", "@home", "--max-tokens", "1").Code);

    [Fact]
    public void Print_plan_prints_both_plans_and_needs_no_prompt()
    {
        Assert.Matches(@"^plan forward.*\n(.*\n)*.*Attend.*\n(.*\n)*$", Tool.Output("run", Tool.Model, "--print-plan"));
        string plans = Tool.Output("run", Tool.Model, "--print-plan", "--evict", "ada-snapkv");
        Assert.Contains("plan evict ada-snapkv", plans, StringComparison.Ordinal);
        Assert.Contains("AllocateHeads", plans, StringComparison.Ordinal);
        Assert.DoesNotContain("WindowScores", Tool.Output("run", Tool.Model, "--print-plan", "--evict", "sliding"), StringComparison.Ordinal);
    }

    [Fact]
    public void No_tokens_asked_for_is_a_prefill_alone()
    {
        JsonElement json = Parse(Tool.Output("run", Tool.Model, "-p", "Hello", "--max-tokens", "0", "--json"));
        Assert.Equal("", json.GetProperty("text").GetString());
        Assert.Equal(0, json.GetProperty("generated_tokens").GetInt32());
        Assert.Equal(0, json.GetProperty("tokens_per_second").GetProperty("decode").GetDouble());
    }

    [Fact]
    public void A_reader_that_has_enough_ends_it_quietly_and_soon()
    {
        using Process process = Tool.Start("run", Tool.Model, "-p", "Once upon a time", "--max-tokens", "2000");
        Assert.NotEqual(-1, process.StandardOutput.Read());
        process.StandardOutput.Close();
        Assert.Equal(App.Success, Tool.ExitCode(process));
        Assert.Equal("", process.StandardError.ReadToEnd());
    }

    private static string LongPrompt() => EvaluationSet.Load(Repo.PathOf(Tool.Set), 1)[0].Prompt;

    private static JsonElement Parse(string json)
    {
        using JsonDocument document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
