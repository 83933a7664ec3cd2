namespace KvIL.Conformance.Generators;

/// <summary>One head's run: sinks, candidates, window.</summary>
/// <param name="Sinks">First rows, always kept.</param>
/// <param name="Candidates">Rows that compete.</param>
/// <param name="Window">Last rows, always kept.</param>
/// <param name="Keep">Candidates to keep.</param>
/// <param name="Kind">What the scores hold.</param>
/// <param name="Seed">Seed of the scores.</param>
public sealed record RunCase(int Sinks, int Candidates, int Window, int Keep, ValueKind Kind, int Seed) : ICase<RunCase>
{
    internal int Length => Sinks + Candidates + Window;

    /// <inheritdoc/>
    public static RunCase Generate(Random random)
    {
        int candidates = random.Of(0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 33);
        return new(
            random.Next(0, 4), candidates, random.Next(0, 6), random.Next(0, candidates + 1),
            random.Of(ValueKind.Normal, ValueKind.Ties, ValueKind.Specials), random.Next());
    }

    /// <inheritdoc/>
    public IEnumerable<RunCase> Shrink()
    {
        if (Sinks > 0) yield return this with { Sinks = Sinks - 1 };
        if (Window > 0) yield return this with { Window = Window - 1 };
        if (Candidates > Keep) yield return this with { Candidates = Candidates - 1 };
        if (Keep > 0) yield return this with { Keep = Keep - 1, Candidates = Candidates - 1 };
    }

    /// <summary>Scores of the whole run.</summary>
    internal float[] Scores(ValueKind? kind = null, int stream = 1) =>
        [.. Draw.Values(Seed, stream, Length, kind ?? Kind).Select(x => (float)x)];
}
