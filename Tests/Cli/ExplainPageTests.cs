using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using KvIL.Cli;
using KvIL.Cli.Explanation;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary>The page of <c>kvil explain --html</c> as text.</summary>
public sealed partial class ExplainPageTests : IDisposable
{
    private static readonly string Hostile = ExplainPage.Html(HostileTokens.Explained(60, 2, 3));

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Nothing_of_a_token_is_markup()
    {
        string[] allowed =
        [
            "!doctype", "html", "head", "meta", "title", "style", "body", "header", "h1", "p", "code", "main", "section", "h2", "div", "table", "caption", "thead",
            "tbody", "tr", "th", "td", "noscript", "label", "select", "option", "ul", "li", "span", "canvas", "script",
        ];
        string markup = Script().Replace(Hostile, "");
        Assert.All(Tag().Matches(markup), tag => Assert.Contains(tag.Groups[1].Value, allowed));
        Assert.DoesNotContain("onerror=window", Quoted().Replace(markup, ""), StringComparison.Ordinal);
        Assert.Equal(2, Regex.Count(Hostile, "<script"));
        Assert.Equal(2, Regex.Count(Hostile, "</script"));
        Assert.DoesNotContain("<!--", Hostile, StringComparison.Ordinal);
        Assert.DoesNotContain('\u202e', Hostile);
        Assert.DoesNotContain('\u001b', Hostile);
        Assert.DoesNotContain('\0', Hostile);
    }

    [Fact]
    public void The_data_is_what_the_tokens_are()
    {
        using JsonDocument data = JsonDocument.Parse(Data().Match(Hostile).Groups[1].Value);
        JsonElement tokens = data.RootElement.GetProperty("tokens");
        Assert.Equal(HostileTokens.Texts[0], tokens[0].GetString());
        Assert.Equal("⟨E296⟩", tokens[HostileTokens.Texts.Length].GetString());
        Assert.Equal("\\u{202e}evil\\u{2066}", tokens[7].GetString());
        Assert.Equal(60 * 6 * 4, Convert.FromBase64String(data.RootElement.GetProperty("scores").GetString()!).Length);
        Assert.Equal(60 * 6, Convert.FromBase64String(data.RootElement.GetProperty("reasons").GetString()!).Length);
    }

    [Fact]
    public void The_page_asks_for_nothing_and_runs_its_own_script_alone()
    {
        string script = Script().Matches(Hostile)[1].Groups[1].Value;
        string hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(script)));
        Assert.Contains($"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'", Hostile, StringComparison.Ordinal);
        Assert.DoesNotMatch(@"(?i)\s(src|href)=[""']", Hostile);
        Assert.DoesNotMatch(@"(?i)url\(|@import", Hostile);
    }

    [Fact]
    public void It_names_its_language_and_its_tables()
    {
        Assert.Contains("<html lang=\"en\">", Hostile, StringComparison.Ordinal);
        Assert.Matches("<title>[^<]+</title>", Hostile);
        Assert.Equal(3, Regex.Count(Hostile, "<table>"));
        Assert.Equal(3, Regex.Count(Hostile, "<caption>[^<]+</caption>"));
        Assert.Contains("<noscript>", Hostile, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--page", "--ink", 7)]
    [InlineData("--page", "--muted", 4.5)]
    [InlineData("--panel", "--muted", 4.5)]
    [InlineData("--bar", "--ink", 4.5)]
    [InlineData("--page", "--cut", 2)]
    [InlineData("--near", "--cut", 1.5)]
    [InlineData("--s5", "--on-pale", 4.5)]
    [InlineData("--s1", "--on-pale", 4.5)]
    [InlineData("--s6", "--on-deep", 4.5)]
    [InlineData("--s8", "--on-deep", 4.5)]
    public void Colours_are_far_enough_apart_by_day_and_by_night(string one, string other, double least)
    {
        foreach (int theme in (ReadOnlySpan<int>)[0, 1])
        {
            double a = Luminance(one, theme), b = Luminance(other, theme);
            double ratio = (Math.Max(a, b) + 0.05) / (Math.Min(a, b) + 0.05);
            Assert.True(ratio >= least, $"{one} and {other}, theme {theme}: {ratio:0.00}");
        }
    }

    [Fact]
    public void A_page_replaces_the_one_before_and_says_where_it_is()
    {
        string page = _directory.Write("page.html", "old");
        ToolRun run = Tool.Run("explain", Tool.Model, "-p", "Once upon a time there was a king", "--evict", "snapkv:window=2", "--html", page);
        Assert.Equal(App.Success, run.Code);
        Assert.Contains("open it in a browser", run.Error, StringComparison.Ordinal);
        Assert.StartsWith("<!doctype html>", File.ReadAllText(page), StringComparison.Ordinal);
        Assert.Equal([page], Directory.GetFiles(_directory.Path));
    }

    [Fact]
    public void A_prompt_that_stays_whole_has_a_page_too()
    {
        string page = _directory.PathOf("page.html");
        Tool.Output("explain", Tool.Model, "-p", "Once upon a time", "--evict", "snapkv", "--html", page);
        Assert.Contains("so everything stays.", File.ReadAllText(page), StringComparison.Ordinal);
    }

    // WCAG 2's relative luminance of a colour of the style sheet, by theme: 0 light, 1 dark.
    private static double Luminance(string name, int theme)
    {
        string hex = Regex.Matches(Hostile, $@"{name}: #([0-9a-f]{{6}})")[theme].Groups[1].Value;
        double[] linear = [.. Convert.FromHexString(hex).Select(part => part / 255.0).Select(c => c <= 0.04045 ? c / 12.92 : Math.Pow((c + 0.055) / 1.055, 2.4))];
        return (0.2126 * linear[0]) + (0.7152 * linear[1]) + (0.0722 * linear[2]);
    }

    [GeneratedRegex("<script[^>]*>(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex Script();

    [GeneratedRegex("<script type=\"application/json\" id=\"data\">(.*?)</script>", RegexOptions.Singleline)]
    private static partial Regex Data();

    [GeneratedRegex("</?([!a-zA-Z][a-zA-Z0-9]*)")]
    private static partial Regex Tag();

    [GeneratedRegex(">[^<]*<")]
    private static partial Regex Quoted();
}
