using System.Diagnostics;
using FsCheck;
using FsCheck.Fluent;
using KvIL.Inference.Templates;
using Xunit;

namespace KvIL.Tests.Templates;

/// <summary>Whatever a template says, it ends soon, takes little memory, and fails in one way.</summary>
public sealed class SandboxTests
{
    private static readonly string[] Pieces =
    [
        "{% for i in l %}", "{% endfor %}", "{% if x %}", "{% else %}", "{% endif %}", "{{ ", " }}", "{%- ", " -%}", "{# ", " #}", "\n", "  ", "'", "(", ")", "[", "]", "{", "}",
        "l", "d", "s", "x", "loop", "ns", "1", "-1", "2.5", "'a'", "none", " + ", " - ", " * ", " ** ", " % ", " // ", " ~ ", " in ", " is ", " not ", " and ", " if ", " else ", "|", ".", ",", ":", "=",
        "join", "sort", "map", "list", "tojson", "length", "split", "format", "range", "string", "defined", "{% set x = ", "{% macro m(a) %}", "{% endmacro %}", "{% raw %}", "{% endraw %}", "{% set ns = namespace() %}",
    ];

    public static TheoryData<string> Hostile => new()
    {
        "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
        "{{ range(10 ** 9) }}",
        "{{ 'a' * 10 ** 9 }}",
        "{{ [1] * 10 ** 9 }}",
        "{{ 'a' | center(10 ** 9) }}{{ 'a'.zfill(10 ** 9) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '{:1000000000}'.format(1) }}",
        "{{ 9 ** 99999 }}",
        "{{ [1] | tojson(indent=10 ** 9) }}",
        "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
        "{% set ns = namespace(x=1) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        "{% set ns = namespace(x=1) %}{% for i in range(99) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}{{ ns.x | string | length }}",
        "{% set ns = namespace(x='a') %}{% for i in range(99) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(99999) %}{% set ns.x = ns.x | map('string') %}{% endfor %}{{ ns.x | list }}",
        "{% set ns = namespace() %}{% set ns.x = ns %}{{ ns }}",
        "{% set x = 'a' * 9999999 %}{% for i in range(99999) %}{{ 'b' in x }}{% endfor %}",
        Deep("{{ ", "(", 100_000),
        Deep("{{ ", "-", 100_000),
        Deep("{{ ", "not ", 100_000),
        Deep("{{ 1", " + 1", 20_000) + " }}",
        Deep("{{ x", ".a", 20_000) + " }}",
        Deep("", "{% if 1 %}", 20_000),
    };

    [Theory]
    [MemberData(nameof(Hostile))]
    public void A_hostile_template_is_stopped(string template)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        Stopwatch clock = Stopwatch.StartNew();
        TemplateException refusal = Assert.Throws<TemplateException>(() => LanguageTests.Render(template));
        Files.Refusal.IsOneSentence(refusal.Message);
        Assert.InRange(clock.Elapsed, TimeSpan.Zero, TimeSpan.FromSeconds(20)); // milliseconds to a second, on an idle machine
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 4L << 30); // in all, not at once
    }

    [Fact]
    public void Nonsense_renders_or_is_refused()
    {
        Gen<string> text = Gen.Elements(Pieces).ListOf().Select(string.Concat);
        Check.One(Properties.Config(2000), Prop.ForAll(text.ToArbitrary(), RendersOrIsRefused));
    }

    [Fact]
    public void Damaged_templates_render_or_are_refused()
    {
        string[] templates = [.. LanguageCases.All.Select(row => row.Template)];
        Gen<string> damaged =
            from template in Gen.Elements(templates)
            from at in Gen.Choose(0, template.Length)
            from length in Gen.Choose(0, 5)
            from piece in Gen.Elements([.. Pieces, ""])
            select template[..at] + piece + template[Math.Min(at + length, template.Length)..];
        Check.One(Properties.Config(2000), Prop.ForAll(damaged.ToArbitrary(), RendersOrIsRefused));
    }

    // '-' is the same as no white space there; without tags a template is its text, less one newline at the end.
    [Fact]
    public void Signs_take_white_space_and_nothing_else()
    {
        Gen<string> blank = Gen.Elements(" ", "\n", "\t", "\u00a0", "\u001c", "").ListOf().Select(string.Concat);
        Gen<(string, string)> blanks = from a in blank from b in blank select (a, b);
        Check.One(Properties.Config(300), Prop.ForAll(blanks.ToArbitrary(), pair =>
            LanguageTests.Render($"x{pair.Item1}{{{{- 1 -}}}}{pair.Item2}y") == "x1y"
            && LanguageTests.Render($"x{pair.Item1}{{%- if true -%}}{pair.Item2}y{{% endif %}}") == "xy"
            && LanguageTests.Render($"x{pair.Item1}{{#- a -#}}{pair.Item2}y") == "xy"
            && LanguageTests.Render($"x{pair.Item1}{{{{ 1 }}}}{pair.Item2}y") == $"x{pair.Item1}1{pair.Item2}y"
            && LanguageTests.Render($"x{pair.Item1}\n") == $"x{pair.Item1}"));
    }

    private static bool RendersOrIsRefused(string template)
    {
        try
        {
            LanguageTests.Render(template);
            return true;
        }
        catch (TemplateException refusal)
        {
            return refusal.Line >= 1 && !refusal.Message.Contains('\n', StringComparison.Ordinal);
        }
    }

    private static string Deep(string start, string piece, int count) => start + string.Concat(Enumerable.Repeat(piece, count));
}
