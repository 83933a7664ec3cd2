using System.Security.Cryptography;
using System.Text;
using KvIL.Cli;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary>kvil template and kvil golden.</summary>
public sealed class TemplateCommandTests : IDisposable
{
    private const string Template = "{{ bos_token }}{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";
    private const string Messages = """[{"role": "user", "content": "Hällo"}]""";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_prompt_is_printed_exactly()
    {
        string template = _directory.Write("t.jinja", Template);
        string messages = _directory.Write("m.json", $$$"""{"messages": {{{Messages}}}}""");
        Assert.Equal("user: Hällo\nassistant:", Tool.Output("template", template, "--messages", messages));
        Assert.Equal("<s>user: Hällo\n", Tool.Output("template", template, "--messages", messages, "--no-generation-prompt", "--var", "bos_token=<s>"));
        Assert.Equal("user: Hällo\nassistant:", Tool.Run(Messages, ["template", template, "--messages", "-"]).Out);
    }

    [Fact]
    public void A_model_has_its_tokens_and_variables_are_json_or_text()
    {
        _directory.Write("tokenizer_config.json", """{"chat_template": "{{ bos_token }}{{ a is false }}{{ b }}{{ strftime_now('%d %b %Y %H') }}", "bos_token": "<b>"}""");
        string messages = _directory.Write("m.json", "[]");
        Assert.Equal("<b>Truex y09 Mar 2025 14", Tool.Output(
            "template", _directory.Path, "--messages", messages, "--var", "a=false", "--var", "b=x y", "--date", "2025-03-09T14:00:00"));
    }

    [Theory]
    [InlineData(App.Failure, "refuses these messages: 'No.'", "{{ raise_exception('No.') }}", Messages)]
    [InlineData(App.Failure, "line 1: 'x' is undefined", "{{ x.y }}", Messages)]
    [InlineData(App.Failure, "not JSON", "a", "{")]
    [InlineData(App.Failure, "no list of messages", "a", "{}")]
    [InlineData(App.Failure, "has no role", "a", "[{}]")]
    [InlineData(App.Failure, "not a JSON object", "a", "[1]")]
    [InlineData(App.Usage, "--var needs NAME=VALUE", "a", "[]", "--var", "x")]
    [InlineData(App.Usage, "--date needs a date", "a", "[]", "--date", "soon")]
    public void Failures_are_one_sentence(int code, string pattern, string template, string messages, params string[] more) => Tool.Refuses(
        code, pattern, ["template", _directory.Write("t.jinja", template), "--messages", _directory.Write("m.json", messages), .. more]);

    [Fact]
    public void What_is_not_there_is_said()
    {
        string template = _directory.Write("t.jinja", Template);
        Tool.Refuses(App.Failure, "no such file", "template", template, "--messages", _directory.PathOf("none.json"));
        Tool.Refuses(App.Failure, "no such file", "template", _directory.PathOf("none.jinja"), "--messages", template);
        Tool.Refuses(App.Failure, "has no chat template", "template", _directory.Path, "--messages", template);
        Tool.Refuses(App.Usage, "--messages", "template", template);
    }

    [Fact]
    public void Golden_vectors_pass_and_mutated_ones_fail()
    {
        WriteVectors(expected: "user: Hällo\\n");
        Assert.Matches(@"all +2 +0 +0", Tool.Output("golden", _directory.Path));
        Assert.Contains("\"passed\":2,\"failed\":0,\"not_implemented\":0", Tool.Output("golden", _directory.Path, "--json"), StringComparison.Ordinal);
        WriteVectors(expected: "user: Hallo\\n");
        ToolRun run = Tool.Run("golden", _directory.Path);
        Assert.Equal(App.Failure, run.Code);
        Assert.Contains("""t/one: at character 7: expected "user: Hallo\n", got "user: Hällo\n""", run.Out, StringComparison.Ordinal);
        WriteVectors(expected: "user: Hällo\\n", message: "Other");
        Assert.Contains("t/two: expected the error \"Other\"", Tool.Run("golden", _directory.Path).Out, StringComparison.Ordinal);
    }

    [Fact]
    public void Golden_folders_that_cannot_be_checked_are_refused()
    {
        Tool.Refuses(App.Failure, "no such folder", "golden", _directory.PathOf("none"));
        Tool.Refuses(App.Failure, "known are chat-templates", "golden", _directory.Path);
        _directory.Write("vectors.json", """{"templates": {""");
        Tool.Refuses(App.Failure, "damaged at line 1", "golden", _directory.Path);
        _directory.Write("vectors.json", """{"templates": {}, "now": "2025-03-09T14:05:06"}""");
        Tool.Refuses(App.Failure, "a field is missing", "golden", _directory.Path);
        WriteVectors(expected: "x");
        _directory.Write("t.jinja", "other");
        Tool.Refuses(App.Failure, "another SHA-256", "golden", _directory.Path);
        File.Delete(_directory.PathOf("t.jinja"));
        Tool.Refuses(App.Failure, "the template is missing", "golden", _directory.Path);
    }

    private void WriteVectors(string expected, string message = "No.")
    {
        const string Source = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if stop %}{{ raise_exception('No.') }}{% endif %}";
        _directory.Write("t.jinja", Source);
        string hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Source)));
        _directory.Write("vectors.json", $$$"""
            {"now": "2025-03-09T14:05:06",
             "templates": {"t": {"file": "t.jinja", "sha256": "{{{hash}}}", "bos_token": "", "eos_token": ""}},
             "conversations": {"c": {{{Messages}}}},
             "vectors": [
              {"id": "t/one", "template": "t", "conversation": "c", "add_generation_prompt": false, "variables": {}, "expected": "{{{expected}}}"},
              {"id": "t/two", "template": "t", "conversation": "c", "add_generation_prompt": false, "variables": {"stop": true}, "error": true, "error_type": "TemplateError", "message": "{{{message}}}"}]}
            """);
    }
}
