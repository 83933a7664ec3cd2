using System.Text.Json;
using KvIL.Cli;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

public sealed class TokenizeCommandTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Lines_have_ids_and_pieces()
    {
        string[] lines = Lines(Tool.Output("tokenize", Tool.Model, "Once upon a time\n\u00e9<|endoftext|>", "--special"));
        Assert.Equal("494  \"Once\"", lines[0]);
        Assert.Contains(lines, line => line.EndsWith("\"\\n\"", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains("bytes C3", StringComparison.Ordinal) || line.EndsWith("\"é\"", StringComparison.Ordinal));
        Assert.Equal("  0  <|endoftext|>", lines[^1]);
        Assert.DoesNotContain("endoftext", Tool.Output("tokenize", Tool.Model, "<|endoftext|>"), StringComparison.Ordinal);
    }

    [Fact]
    public void The_text_may_come_from_the_input()
    {
        ToolRun run = Tool.Run("Once upon a time", ["tokenize", Tool.Model]);
        Assert.Equal(Tool.Output("tokenize", Tool.Model, "Once upon a time"), run.Out);
        Assert.Matches("4 tokens of 1024, byte-level BPE; a prompt starts with 0, <\\|endoftext\\|>", run.Error);
        Assert.Equal("", Tool.Output("tokenize", Tool.Model, ""));
    }

    [Fact]
    public void Json_has_the_ids_and_the_bytes()
    {
        JsonElement json = Json("tokenize", Tool.Model, "Once upon a time", "--json");
        Assert.Equal("[494,487,259,426]", json.GetProperty("ids").ToString());
        Assert.Equal("4f6e6365", json.GetProperty("tokens")[0].GetProperty("bytes").GetString());
    }

    [Fact]
    public void A_check_that_passes_says_so()
    {
        string vectors = Repo.PathOf("models/kvil-demo/tokenizer-vectors.json");
        Assert.Equal(["69 of 69 passed"], Lines(Tool.Output("tokenize", Tool.Model, "--check", vectors)));
        Assert.Equal("""{"passed":69,"total":69,"first_failure":null}""", Json("tokenize", Tool.Model, "--check", vectors, "--json").ToString());
    }

    [Fact]
    public void A_check_that_fails_shows_the_first_difference()
    {
        string vectors = _directory.Write("vectors.json", """
            [{"text":"Once","ids":[494],"more":1},{"text":"<|endoftext|>","ids":[0],"special":true},{"text":"Once ","ids":[494,7]},{"text":"x","ids":[]}]
            """);
        ToolRun run = Tool.Run("tokenize", Tool.Model, "--check", vectors);
        Assert.Equal(App.Failure, run.Code);
        string[] lines = Lines(run.Out);
        Assert.Equal("entry 2: \"Once \"", lines[0]);
        Assert.Equal("  expected 494 7", lines[1]);
        Assert.StartsWith("  got      494 ", lines[2], StringComparison.Ordinal);
        Assert.Equal("2 of 4 passed", lines[3]);
    }

    [Fact]
    public void Files_that_are_no_vectors_are_refused()
    {
        string Write(string text) => _directory.Write("vectors.json", text);
        void Refuses(string pattern, string file) => Tool.Refuses(App.Failure, pattern, "tokenize", Tool.Model, "--check", file);
        Refuses("there is no such file", _directory.PathOf("none"));
        Refuses("cannot be read as a file", _directory.Path);
        Refuses("not JSON at line 1", Write("["));
        Refuses("expected an array", Write("{}"));
        Refuses("entry 0 is not an object", Write("""[{"text":"x"}]"""));
        Refuses("entry 0 has an id that is no whole number", Write("""[{"text":"x","ids":[0.5]}]"""));
        Refuses("entry 0 has a text that is not valid Unicode", Write("""[{"text":"\ud800","ids":[]}]"""));
        Tool.Refuses(App.Usage, "leave TEXT and --special out", "tokenize", Tool.Model, "x", "--check", Write("[]"));
        Tool.Refuses(App.Failure, "no such file", "tokenize", _directory.PathOf("none"), "x");
    }

    private static string[] Lines(string text) => text.Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);

    private static JsonElement Json(params string[] args)
    {
        using JsonDocument document = JsonDocument.Parse(Tool.Output(args));
        return document.RootElement.Clone();
    }
}
