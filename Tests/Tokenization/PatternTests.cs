using System.Diagnostics;
using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using KvIL.Inference.Tokenization.Patterns;
using Xunit;

namespace KvIL.Tests.Tokenization;

/// <summary>Patterns match what .NET's regular expressions match where those can; beyond U+FFFF they know the characters.</summary>
public sealed class PatternTests
{
    private const string Llama3 =
        @"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string O200k =
        @"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + @"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
        + @"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly string[] Known =
    [
        KnownPatterns.Gpt2, Llama3, Llama3.Replace("{1,3}", "", StringComparison.Ordinal), O200k,
        @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
        @"\d{1,3}(?=(?:\d{3})*\b)", @"(?=(\d{3})+(?!\d))", @"\s?\p{P}+", @"[0-9][0-9][0-9]", @"\w+|[^\w\s]+", @"\s+\z", "\\s*[\\r\\n]|x??y",
    ];

    private static readonly Gen<string> AnyPattern = Patterns(3);

    [Fact]
    public void Known_patterns_match_what_NET_matches() => Prop.ForAll(Texts.BasicPlane, text =>
    {
        // .NET has other word characters beyond ASCII: no enclosing marks and letter numbers, but joiners.
        bool plain = text.All(c => char.IsAscii(c) || char.IsLetterOrDigit(c) || char.IsWhiteSpace(c));
        return Known.Where(pattern => plain || !(pattern.Contains(@"\w", StringComparison.Ordinal) || pattern.Contains(@"\b", StringComparison.Ordinal)))
            .All(pattern => Ours(pattern, text, 32).SequenceEqual(Theirs(pattern, text)));
    }).Check(Properties.Config(100));

    [Fact]
    public void Any_patterns_match_what_NET_matches_however_much_is_remembered() => Prop.ForAll(
        Arb.From(AnyPattern), Arb.From(Gen.Elements("a", "b", "ab", "c", "\n", "aa").ArrayOf().Select(string.Concat)),
        (pattern, text) =>
        {
            try
            {
                Pattern.Parse(pattern);
            }
            catch (PatternException refusal)
            {
                return refusal.Message.Contains("repetition of this kind", StringComparison.Ordinal);
            }

            string[] theirs = [.. Theirs(pattern, text)];
            return Ours(pattern, text, 32).SequenceEqual(theirs) && Ours(pattern, text, 0).SequenceEqual(theirs);
        }).Check(Properties.Config(1000));

    [Theory]
    [InlineData(KnownPatterns.Gpt2, "a 𝒜𝒷 x", "a| 𝒜𝒷| x")]
    [InlineData(KnownPatterns.Gpt2, "7𝟘𝟙 𐄇", "7𝟘𝟙| 𐄇")]
    [InlineData(KnownPatterns.Gpt2, "hi😀😀!you", "hi|😀😀!|you")]
    [InlineData(KnownPatterns.Gpt2, "  \U00020000", " | \U00020000")]
    [InlineData(Llama3, "it'S 1234𝟘 a\n\n b", "it|'S| |123|4𝟘| a|\n\n| b")]
    [InlineData(Llama3, "x'\u017f", "x|'\u017f")] // the long s is an s in another case
    [InlineData(O200k, "CamelCASEWord's ÉCOLEété 12345/", "Camel|CASEWord's| ÉCOLEété| |123|45|/")]
    [InlineData(O200k, "e\u0301a \u0915\u093f", "e\u0301a| \u0915\u093f")]
    [InlineData(@"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))", "1234567", "1|234|567")]
    [InlineData(@"[^\r\n\p{L}\p{N}]?+\p{L}+", " ab", " ab")]
    [InlineData("[\\x{1F600}-\\x{1F64F}]+", "😀😁", "😀😁")]
    [InlineData(@"[\p{L}&&[^a-z]]+", "ABÉ", "ABÉ")]
    [InlineData("(?i)straße|K", "STRAßE\u212A", "STRAßE|\u212A")]
    [InlineData("a{2}|[]b]", "aa]b", "aa|]|b")]
    public void Characters_have_their_own_kinds(string pattern, string text, string matches) =>
        Assert.Equal(matches.Split('|'), Ours(pattern, text, 32).Select(match => text[Range(match)]));

    [Theory]
    [InlineData("(?<=a)b", "a group of this kind")]
    [InlineData("(?>a)", "a group of this kind")]
    [InlineData("(?<n>a)", "a group of this kind")]
    [InlineData("(?s:a)", "a group of this kind")]
    [InlineData(@"(a)\1", "this escape")]
    [InlineData(@"\p{Han}", "the property 'Han'")]
    [InlineData(@"\pL", "without its braces")]
    [InlineData("[[:alpha:]]", "a POSIX class")]
    [InlineData("a**", "a repetition of this kind")]
    [InlineData("(a*)*", "a repetition of this kind")]
    [InlineData("(ab)++", "a repetition of this kind")]
    [InlineData("*a", "a repetition of nothing")]
    [InlineData("a{", "that is not a count")]
    [InlineData("a{5,2}", "this count")]
    [InlineData("a{2000}", "this count")]
    [InlineData("(((a{1000}){1000}){1000})", "are too many")]
    [InlineData("(a", "without '\\)'")]
    [InlineData("a)", "without '\\('")]
    [InlineData("[a", "without ']'")]
    [InlineData("[b-a]", "this range")]
    [InlineData("a\\", "a backslash at the end")]
    [InlineData(@"\x{110000}", "this character number")]
    [InlineData(@"\ud800", "this character number")]
    public void What_is_not_supported_is_named(string pattern, string message) =>
        Assert.Matches(message, Assert.Throws<PatternException>(() => Pattern.Parse(pattern)).Message);

    [Fact]
    public void Deep_and_long_patterns_are_refused()
    {
        Assert.Throws<PatternException>(() => Pattern.Parse(new string('(', 10_000)));
        Assert.Throws<PatternException>(() => Pattern.Parse(new string('[', 10_000)));
        Assert.Throws<PatternException>(() => Pattern.Parse(new string('a', 1_000_000)));
    }

    [Theory]
    [InlineData("(?:a|a)*b", 'a')]
    [InlineData("(?:a+)+b", 'a')]
    [InlineData("a*a*a*a*b", 'a')]
    [InlineData(@"\s+$", ' ')]
    public void Hostile_pairs_of_pattern_and_text_take_linear_time(string pattern, char letter)
    {
        var watch = Stopwatch.StartNew();
        Assert.Empty(Ours(pattern, new string(letter, 50_000) + "x", 32));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"It took {watch.Elapsed}.");
    }

    [Fact]
    public void Replacing_leaves_the_rest()
    {
        Assert.Equal("xbxc", Pattern.Parse("a+").Replace("aabac", "x"));
        Assert.Equal("bc", Pattern.Parse("a").Replace("bc", "x"));
        Assert.Equal("a.b", Pattern.Parse(Pattern.Escape("*")).Replace("a*b", "."));
    }

    private static Gen<string> Patterns(int depth)
    {
        Gen<string> atom = Gen.Elements("a", "b", "c", "[ab]", "[^a]", ".", "\\n", "\\b");
        if (depth == 0)
        {
            return atom;
        }

        Gen<string> inner = Patterns(depth - 1);
        return Gen.Frequency(
            (3, atom),
            (3, inner.SelectMany(left => inner.Select(right => left + right))),
            (2, inner.SelectMany(left => inner.Select(right => $"(?:{left}|{right})"))),
            (3, inner.SelectMany(part => Gen.Elements("?", "*", "+", "??", "*?", "+?", "{2}", "{1,2}", "{1,}").Select(r => $"(?:{part}){r}"))),
            (1, inner.Select(part => $"(?={part})")),
            (1, inner.Select(part => $"(?!{part})")));
    }

    private static List<string> Ours(string pattern, string text, int freeForks)
    {
        var matches = new List<string>();
        PatternMatcher matcher = Pattern.Parse(pattern).Match(text, freeForks);
        while (matcher.Next(out int start, out int end))
        {
            matches.Add($"{start}-{end}");
        }

        return matches;
    }

    // .NET takes an empty match right after another match; Oniguruma, as HF uses it, does not.
    private static IEnumerable<string> Theirs(string pattern, string text)
    {
        int lastEnd = -1;
        foreach (Match match in Regex.Matches(text, pattern, RegexOptions.CultureInvariant))
        {
            int end = match.Index + match.Length;
            if (match.Length > 0 || end != lastEnd)
            {
                yield return $"{match.Index}-{end}";
            }

            lastEnd = end;
        }
    }

    private static Range Range(string match) => int.Parse(match.Split('-')[0])..int.Parse(match.Split('-')[1]);
}
