using KvIL.Tests.Runner;
using Xunit;

namespace KvIL.Tests;

public sealed class RunnerTests
{
    [Fact]
    public void The_closing_line_is_read_as_it_is_written()
    {
        Counts counts = new Counts(1, 2, 3) + new Counts(10, 0, 4);
        Assert.Equal("11 passed, 2 failed, 7 skipped", counts.ToString());
        Assert.Equal(counts, Counts.Parse(counts.ToString()));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("11 passed, 2 failed")]
    [InlineData("11 passed, 2 failed, 7 skipped\n")]
    [InlineData("all: 11 passed, 2 failed, 7 skipped")]
    [InlineData("-1 passed, 2 failed, 7 skipped")]
    [InlineData("99999999999 passed, 2 failed, 7 skipped")]
    public void Another_line_is_no_closing_line(string? line) => Assert.Null(Counts.Parse(line));

    [Theory]
    [InlineData("5 passed, 0 failed, 1 skipped", 0, 5, 0, 1)]
    [InlineData("5 passed, 2 failed, 1 skipped", 1, 5, 2, 1)]
    [InlineData("5 passed, 0 failed, 1 skipped", 134, 5, 1, 1)] // crashed on its way out
    [InlineData("5 passed, 2 failed, 1 skipped", 0, 5, 3, 1)]
    [InlineData("Unhandled exception.", 134, 0, 1, 0)]
    [InlineData(null, 0, 0, 1, 0)]
    public void A_child_that_does_not_end_well_is_one_more_failure(
        string? lastLine, int exitCode, int passed, int failed, int skipped)
    {
        Counts counts = ChildRun.Read(lastLine, exitCode, out string? failure);
        Assert.Equal(new Counts(passed, failed, skipped), counts);
        Assert.Equal(failed != (Counts.Parse(lastLine)?.Failed ?? 0), failure is not null);
    }

    [Theory]
    [InlineData("a\n1 passed, 0 failed, 0 skipped\nb\n", "a\n1 passed, 0 failed, 0 skipped\nb\n", "b")]
    [InlineData("a\n1 passed, 0 failed, 0 skipped\n", "a\n", "1 passed, 0 failed, 0 skipped")]
    [InlineData("", "", null)]
    public void All_of_a_childs_output_is_relayed_but_its_closing_line(
        string output, string relayed, string? last)
    {
        StringWriter writer = new() { NewLine = "\n" };
        Assert.Equal(last, ChildRun.Relay(new StringReader(output), writer));
        Assert.Equal(relayed, writer.ToString());
    }

    [Fact]
    public void Arguments_reach_the_child_without_its_siblings()
    {
        Arguments arguments =
            Arguments.Parse(["--all", "--also", "a b.dll", "--filter", "Rope Law", "--also", "c.dll"]);
        Assert.Equal(["a b.dll", "c.dll"], arguments.Also);
        Assert.Equal(["--all", "--filter", "Rope Law", "--allow-none"], arguments.ForChild());
    }

    [Theory]
    [InlineData("--fliter")]
    [InlineData("--all", "Rope")]
    [InlineData("--filter")]
    [InlineData("--filter", "")]
    public void An_argument_that_is_not_known_or_lacks_its_value_is_refused(params string[] args) =>
        Assert.Throws<ArgumentException>(() => Arguments.Parse(args));
}
