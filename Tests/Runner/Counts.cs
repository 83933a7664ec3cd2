using System.Text.RegularExpressions;

namespace KvIL.Tests.Runner;

/// <summary>How many tests passed, failed and were skipped; its text is the closing line of a run.</summary>
public readonly partial record struct Counts(int Passed, int Failed, int Skipped)
{
    public int Total => Passed + Failed + Skipped;

    public static Counts operator +(Counts a, Counts b) =>
        new(a.Passed + b.Passed, a.Failed + b.Failed, a.Skipped + b.Skipped);

    /// <summary>Reads a closing line; null when the line is anything else.</summary>
    public static Counts? Parse(string? line)
    {
        Match match = ClosingLine().Match(line ?? "");
        return match.Success
            && int.TryParse(match.Groups[1].ValueSpan, out int passed)
            && int.TryParse(match.Groups[2].ValueSpan, out int failed)
            && int.TryParse(match.Groups[3].ValueSpan, out int skipped)
            ? new Counts(passed, failed, skipped)
            : null;
    }

    public override string ToString() => $"{Passed} passed, {Failed} failed, {Skipped} skipped";

    [GeneratedRegex(@"^([0-9]+) passed, ([0-9]+) failed, ([0-9]+) skipped\z")]
    private static partial Regex ClosingLine();
}
