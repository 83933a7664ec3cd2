using KvIL.Inference.Evaluation;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Evaluation;

public sealed class EvaluationSetTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_demo_set_is_read()
    {
        IReadOnlyList<EvaluationItem> items = EvaluationSet.Load(Repo.PathOf("models/kvil-demo/needle-grimm.jsonl"));
        Assert.Equal(64, items.Count);
        Assert.Equal(1, items[0].Line);
        Assert.Equal(" The pass key is 73976.", items[0].Answer);
        Assert.EndsWith("Answer:", items[0].Prompt, StringComparison.Ordinal);
    }

    [Fact]
    public void Blank_lines_are_skipped_and_lines_after_the_limit_not_looked_at()
    {
        string path = _directory.Write(
            "set.jsonl", "\n{\"prompt\":\"p\",\"answer\":\"a\",\"more\":[1]}\r\n \t\n{\"answer\":\"b\",\"prompt\":\"\"}\nnot JSON");
        Assert.Equal([new(2, "p", "a"), new(4, "", "b")], EvaluationSet.Load(path, limit: 2));
        Assert.Equal([new(2, "p", "a")], EvaluationSet.Load(path, limit: 1));
        Refusal.Is("line 5", path, () => EvaluationSet.Load(path));
        Assert.Throws<ArgumentOutOfRangeException>(() => EvaluationSet.Load(path, limit: 0));
    }

    [Theory]
    [InlineData("{\"prompt\":\"p\"}", "line 1: the field 'answer' is missing")]
    [InlineData("\n{\"answer\":\"p\"}", "line 2: the field 'prompt' is missing")]
    [InlineData("{\"prompt\":\"p\",\"answer\":7}", "line 1: 'answer': expected a string, got '7'")]
    [InlineData("\n\n[]", "line 3: expected an object, got an array")]
    [InlineData("\n\n{", "not JSON.* at line 3, byte 2 of the line")]
    [InlineData("{} {}", "not JSON.* at line 1, byte 4 of the line")]
    [InlineData("\n \n", "has no items")]
    [InlineData("", "is empty")]
    public void A_bad_set_is_refused(string text, string pattern)
    {
        string path = _directory.Write("set.jsonl", text);
        Refusal.Is(pattern, path, () => EvaluationSet.Load(path));
    }
}
