using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>StreamingLLM: the first rows are kept, and of the others the most recent.</summary>
/// <remarks>
/// StreamingLLM (arXiv:2309.17453), §3.2: <c>s[g, j] = j</c>. The paper numbers positions inside the cache anew
/// (<see cref="Rotation.Rerotated"/>).
/// </remarks>
/// <param name="Sinks">Rows at the start that are kept.</param>
public sealed record StreamingLlm(int Sinks = 4) : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.None;

    /// <inheritdoc/>
    public (int Begin, int Count) Candidates(int length) =>
        (ProtectedRows.Sinks(length, Sinks, 0), ProtectedRows.Candidates(length, Sinks, 0));

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        (int begin, int count) = Candidates(x.Length);
        return Arrays.Table(x.KvHeads, count, (_, j) => begin + j);
    }
}
