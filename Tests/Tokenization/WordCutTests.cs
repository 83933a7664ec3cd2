using KvIL.Inference.Tokenization.Bpe;
using KvIL.Inference.Tokenization.Gguf;
using KvIL.Inference.Tokenization.Patterns;
using Xunit;

namespace KvIL.Tests.Tokenization;

/// <summary>How text is cut into words, for the names of GGUF files and the parts of tokenizer.json.</summary>
public sealed class WordCutTests
{
    [Theory]
    [InlineData("gpt-2", "I'll  be 1234 \n", "I|'ll| | be| 1234| \n")]
    [InlineData("command-r", "a  12 's", "a|  |1|2| '|s")]
    [InlineData("smollm", "a  1", "a|  |1")]
    [InlineData("llama-bpe", "I'LL be12345\n\n  x!?\n", "I|'LL| be|123|45|\n\n| | x|!?\n")]
    [InlineData("llama-bpe", "\U0001d49c\U0001d7d8 \u0301a", "\U0001d49c|\U0001d7d8| \u0301|a")]
    [InlineData("qwen2", "I'LL be12345\n\n  x!?\n", "I|'LL| be|1|2|3|4|5|\n\n| | x|!?\n")]
    [InlineData("qwen35", "e\u0301a1", "e\u0301a|1")]
    [InlineData("gpt-4o", "CamelCASEWord's a/b/\n", "Camel|CASEWord's| a|/b|/\n")]
    [InlineData("tekken", "CamelCASE's 12", "Camel|CASE|'s| |1|2")]
    [InlineData("deepseek-v3", "abc 12345 #foo 漢字", "abc| |123|45| #|foo| |漢字")]
    [InlineData("deepseek-llm", "ab  12\n\nx ", "ab|  |12|\n|\n|x| ")]
    [InlineData("falcon", "a<b> 1234", "a|<|b|>| |123|4")]
    [InlineData("default", "x $5 1234", "x| |$|5| |123|4")]
    [InlineData("superbpe", "ab 1234567", "ab |1|234|567")]
    [InlineData("bloom", "ab, cd", "ab|,| cd")]
    [InlineData("viking", "ab12", "ab|1|2")]
    [InlineData("seed-coder", "a1!\n", "a|1|!|\n")]
    [InlineData("bailingmoe", "a\n\nb", "a|\n\n|b")]
    [InlineData("exaone-moe", "ab cd 12", "ab cd| |1|2")]
    public void Names_of_GGUF_files(string name, string text, string words) => Assert.Equal(words.Split('|'), Words(GgufWordCuts.Find(name)!, text));

    [Fact]
    public void Unknown_names_have_no_pattern()
    {
        Assert.Null(GgufWordCuts.Find("no-such-name"));
        Assert.Equal(4, GgufWordCuts.Find(null)!.Count);
    }

    [Theory]
    [InlineData(CutBehavior.Isolated, false, "a|-|-|b|-")]
    [InlineData(CutBehavior.Removed, false, "a|b")]
    [InlineData(CutBehavior.Removed, true, "-|-|-")]
    [InlineData(CutBehavior.MergedWithPrevious, false, "a-|-|b-")]
    [InlineData(CutBehavior.MergedWithNext, false, "a|-|-b|-")]
    [InlineData(CutBehavior.Contiguous, false, "a|--|b|-")]
    [InlineData(CutBehavior.Contiguous, true, "a|--|b|-")]
    public void Matches_go_where_the_behavior_says(object behavior, bool invert, string words) =>
        Assert.Equal(words.Split('|'), Words([new PatternCut(Pattern.Parse("-"), (CutBehavior)behavior, invert)], "a--b-"));

    [Fact]
    public void Blanks_are_spelled_and_put_in_front()
    {
        Assert.Equal(["▁Hey", "▁", "▁friend"], Words([new Metaspace('▁', always: true, first: false, splits: true)], "Hey  friend"));
        Assert.Equal(["Hey▁friend"], Words([new Metaspace('▁', always: false, first: false, splits: false)], "Hey friend"));
        Assert.Equal([" a"], Words([new PrefixCut(' ')], "a"));
        Assert.Equal([" a"], Words([new PrefixCut(' ')], " a"));
    }

    private static List<string> Words(IEnumerable<IWordCut> cuts, string text)
    {
        List<ReadOnlyMemory<char>> words = [text.AsMemory()];
        foreach (IWordCut cut in cuts)
        {
            var output = new List<ReadOnlyMemory<char>>();
            words.ForEach(word => cut.Cut(word, atStart: true, output));
            words = output;
        }

        return [.. words.Select(word => word.ToString())];
    }
}
