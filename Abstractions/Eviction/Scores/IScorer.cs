namespace KvIL.Eviction.Scores;

/// <summary>A score of rows in C#: a plan runs it as a host op on the CPU (<see cref="HostScore"/>, <see cref="EvictionPolicy.Of(IScorer, string)"/>).</summary>
/// <remarks>Must be a pure function of what the view shows; docs/add-a-policy.md has an example.</remarks>
public interface IScorer
{
    /// <summary>Name for printing; lower-case letters, digits and dashes.</summary>
    string Name { get; }

    /// <summary>What <see cref="Score"/> reads; anything else that the view is asked for throws.</summary>
    ScoreNeeds Needs { get; }

    /// <summary>Writes <see cref="ScoreView.Scores"/> of every head; higher is kept, NaN orders as −∞.</summary>
    /// <param name="x">One layer's view of the rows of one sequence. Not to be kept after the call.</param>
    void Score(ScoreView x);
}
