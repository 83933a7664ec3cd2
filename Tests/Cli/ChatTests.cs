using System.Text.Json;
using KvIL.Cli;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary><c>kvil run --chat</c>, on copies of the demo model with templates of our own.</summary>
public sealed class ChatTests : IDisposable
{
    private const string Template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}[assistant]{% endif %}\n";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_prompt_is_what_the_template_makes()
    {
        string model = WithTemplate(Template);
        JsonElement chat = Run(model, "-p", "Who is there?", "--chat", "--system", "Be brief.");
        JsonElement plain = Run(model, "-p", "[system] Be brief.\n[user] Who is there?\n[assistant]");
        Assert.Equal(plain.GetProperty("prompt_tokens").GetInt32(), chat.GetProperty("prompt_tokens").GetInt32());
        Assert.Equal(plain.GetProperty("ids").ToString(), chat.GetProperty("ids").ToString());
    }

    [Fact]
    public void The_start_token_stands_once_whoever_writes_it()
    {
        int plain = Run(WithTemplate("{{ messages[0].content }}"), "-p", "Hello", "--chat").GetProperty("prompt_tokens").GetInt32();
        int written = Run(WithTemplate("{{ bos_token }}{{ messages[0].content }}"), "-p", "Hello", "--chat").GetProperty("prompt_tokens").GetInt32();
        Assert.Equal(Run(Tool.Model, "-p", "Hello").GetProperty("prompt_tokens").GetInt32(), plain);
        Assert.Equal(plain, written);
    }

    [Fact]
    public void What_cannot_be_a_chat_is_refused()
    {
        Tool.Refuses(App.Failure, "has no chat template", "run", Tool.Model, "-p", "x", "--chat");
        Tool.Refuses(App.Usage, "add --chat", "run", Tool.Model, "-p", "x", "--system", "y");
        Tool.Refuses(App.Failure, "no cats", "run", WithTemplate("{{ raise_exception('no cats') }}"), "-p", "x", "--chat");
        Tool.Refuses(App.Failure, "line 2", "run", WithTemplate("a\n{% if %}"), "-p", "x", "--chat");
    }

    private static JsonElement Run(string model, params string[] args) =>
        JsonDocument.Parse(Tool.Output(["run", model, .. args, "--max-tokens", "8", "--json"])).RootElement;

    private string WithTemplate(string template)
    {
        string copy = ModelCopy.Whole(_directory);
        File.Copy(Path.Combine(Tool.Model, "tokenizer_config.json"), Path.Combine(copy, "tokenizer_config.json"));
        File.WriteAllText(Path.Combine(copy, "chat_template.jinja"), template);
        return copy;
    }
}
