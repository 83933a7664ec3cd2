using System.Text.Json;
using System.Text.Json.Nodes;
using KvIL.Inference.Templates;
using Xunit;

namespace KvIL.Tests.Templates;

/// <summary>The language of chat templates: the rules that templates rely on, and what is refused.</summary>
public sealed class LanguageTests
{
    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach ((string template, string expected) in LanguageCases.All)
            {
                cases.Add(template, expected);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Renders_as_python_does(string template, string expected) => Assert.Equal(expected, Render(template));

    [Theory]
    [InlineData("{{ x.y }}", "'x' is undefined")]
    [InlineData("{{ x + 1 }}", "'x' is undefined")]
    [InlineData("{{ messages[0]['role'] }}", "list has no item or attribute 0")]
    [InlineData("{{ 'a' + 1 }}", @"'\+' cannot join str and int")]
    [InlineData("a\n\n{{ 1 | nope }}", "line 3: there is no filter 'nope'")]
    [InlineData("{{ 1 is nope }}", "there is no test 'nope'")]
    [InlineData("{{ nope() }}", "'nope' is undefined")]
    [InlineData("{% nope %}", "there is no statement 'nope'")]
    [InlineData("{% include 'a' %}", "several files")]
    [InlineData("{% extends 'a' %}", "several files")]
    [InlineData("{% import 'a' as b %}", "several files")]
    [InlineData("\n{% if true %}", "line 2: the block 'if' is not closed")]
    [InlineData("{% endfor %}", "nothing is open")]
    [InlineData("{{ 1", "not closed by '}}'")]
    [InlineData("{{ (1 }}", @"expected '\)', got '}'")]
    [InlineData("{{ }}", "expected a value, got '}}'")]
    [InlineData("{{ 'a }}", "string is not closed")]
    [InlineData("{# a", "comment is not closed")]
    [InlineData("{% raw %}", "raw block is not closed")]
    [InlineData("{% break %}", "outside a loop")]
    [InlineData("{% set a, b = [1] %}", "got fewer")]
    [InlineData("{% set x.y = 1 %}", "'x' is no namespace")]
    [InlineData("{% for i in 5 %}{% endfor %}", "int has no items")]
    [InlineData("{{ l.append(1) }}", "'append' would change")]
    [InlineData("{{ 1 // 0 }}", "divided by zero")]
    [InlineData("{{ 1 < 'a' }}", "cannot compare int with str")]
    [InlineData("{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}", "takes at most 1")]
    [InlineData("{{ x | tojson }}", "Undefined cannot be written as JSON")]
    public void Refuses(string template, string pattern)
    {
        TemplateException refusal = Assert.Throws<TemplateException>(() => Render(template));
        Assert.Matches(pattern, refusal.Message);
        Assert.Null(refusal.RaisedMessage);
        Files.Refusal.IsOneSentence(refusal.Message);
    }

    [Fact]
    public void An_unknown_filter_is_no_matter_where_it_is_not_reached() => Assert.Equal("b", Render("{% if tools %}{{ 1 | nope }}{% endif %}b"));

    // Rule 10.
    [Fact]
    public void What_the_template_raises_is_kept_exactly()
    {
        TemplateException refusal = Assert.Throws<TemplateException>(() => Render("a\n{{ raise_exception('No \"x\".\\n' ~ 1) }}"));
        Assert.Equal("No \"x\".\n1", refusal.RaisedMessage);
        Assert.Equal(2, refusal.Line);
        Assert.DoesNotContain('\n', refusal.Message);
    }

    [Fact]
    public void Messages_keep_their_fields_and_reasoning_has_two_names()
    {
        ChatMessage message = ChatMessage.Parse("""{"messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": 7}]}]}"""u8, "m")[0];
        Assert.Null(message.Content);
        ChatTemplate template = ChatTemplate.Parse("{% for m in messages %}{{ m.content is none }}{{ m.tool_calls }}{{ m.thinking }}{{ bos_token }}{% endfor %}", "t");
        Assert.Equal("True[{'id': 7}]<s>Falsewhy<s>", template.Render([message, new("assistant", "a", "why")], new() { BosToken = "<s>" }));
    }

    internal static string Render(string template) => ChatTemplate.Parse(template, "t").Render([], new()
    {
        Variables = JsonSerializer.Deserialize<Dictionary<string, JsonNode?>>(LanguageCases.Variables)!,
        Now = new DateTimeOffset(2025, 3, 9, 14, 5, 6, TimeSpan.Zero),
    });
}
