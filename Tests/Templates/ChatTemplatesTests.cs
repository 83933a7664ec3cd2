using KvIL.Cli.Golden;
using KvIL.Inference.Templates;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Templates;

public sealed class ChatTemplatesTests : IDisposable
{
    private const string Config = "tokenizer_config.json";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Without_a_template_there_is_none()
    {
        Assert.Null(ChatTemplates.Find(_directory.Path));
        _directory.Write(Config, """{"bos_token": "<s>", "chat_template": null}""");
        Assert.Null(ChatTemplates.Find(_directory.Path));
    }

    [Theory]
    [InlineData("""{"chat_template": "a{{ bos_token }}", "bos_token": "<s>", "eos_token": {"content": "</s>"}}""")]
    [InlineData("""{"chat_template": [{"name": "x", "template": "no"}, {"name": "default", "template": "a{{ bos_token }}"}], "bos_token": {"content": "<s>"}, "eos_token": "</s>"}""")]
    public void The_tokenizer_has_it(string config)
    {
        _directory.Write(Config, config);
        ModelChatTemplate found = ChatTemplates.Find(_directory.Path)!;
        Assert.Equal(("<s>", "</s>"), (found.BosToken, found.EosToken));
        Assert.Equal("a<s>", found.Template.Render([], new() { BosToken = found.BosToken }));
    }

    [Fact]
    public void A_file_of_its_own_comes_first()
    {
        _directory.Write(Config, """{"chat_template": "no", "eos_token": "</s>"}""");
        _directory.Write("chat_template.jinja", "yes\n");
        ModelChatTemplate found = ChatTemplates.Find(_directory.Path)!;
        Assert.Equal((null, "</s>", "yes"), (found.BosToken, found.EosToken, found.Template.Render([])));
    }

    [Theory]
    [InlineData("""{"chat_template": 5}""", "'chat_template': expected a string")]
    [InlineData("""{"chat_template": [{"name": "x", "template": "a"}]}""", "none of the templates is named 'default'")]
    [InlineData("""{"chat_template": [{"name": "default"}]}""", "'template' is missing")]
    [InlineData("""{"chat_template": "a", "bos_token": 7}""", "'bos_token': expected an object")]
    [InlineData("{", "not JSON")]
    public void A_bad_config_is_refused(string config, string pattern)
    {
        string path = _directory.Write(Config, config);
        Refusal.Is(pattern, path, () => ChatTemplates.Find(_directory.Path));
    }

    [Fact]
    public void A_template_that_is_no_text_is_refused()
    {
        string path = _directory.Write("chat_template.jinja", [0x61, 0xff]);
        Refusal.Is("byte 1 is not UTF-8", path, () => ChatTemplates.Find(_directory.Path));
    }

    [SharedFact("golden/chat-templates/vectors.json")]
    public void Published_templates_render_as_transformers_renders_them()
    {
        GoldenResult report = new ChatTemplateFormat().Run(Shared.PathOf("golden/chat-templates"), new GoldenOptions(CancellationToken.None));
        Assert.Empty(report.Failures);
        Assert.Equal((1404, 0, 0), (report.Passed, report.Failed, report.NotImplemented));
    }
}
