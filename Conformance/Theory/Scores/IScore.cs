using KvIL.Eviction;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>A published score of rows, by definition in double; higher is kept.</summary>
public interface IScore
{
    /// <summary>What <see cref="Of"/> reads.</summary>
    ScoreNeeds Needs { get; }

    /// <summary>The rows that the score ranks, of a run of <paramref name="length"/>; those outside are always kept.</summary>
    (int Begin, int Count) Candidates(int length) => (0, length);

    /// <summary>Scores <c>[kv heads, candidates]</c>.</summary>
    double[,] Of(ScoreInputs x);
}
