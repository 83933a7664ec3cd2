namespace KvIL.Inference.Evaluation;

/// <summary>How far a model's results are from a recorded reference.</summary>
/// <param name="Reference">The reference's path.</param>
/// <param name="Passed">Whether everything lies within its tolerance.</param>
/// <param name="Sequences">By sequence.</param>
public sealed record CheckReport(string Reference, bool Passed, IReadOnlyList<CheckedSequence> Sequences);

/// <summary>The results of one sequence.</summary>
/// <param name="Name">Its name in the reference.</param>
/// <param name="Tokens">Its tokens.</param>
/// <param name="Tolerance">Largest difference accepted, of logits, keys and values.</param>
/// <param name="StatedTolerance">Whether the reference states it; else it is the default.</param>
/// <param name="Quantities">What was compared.</param>
/// <param name="Greedy">The greedy continuation, where there is one.</param>
public sealed record CheckedSequence(
    string Name, int Tokens, double Tolerance, bool StatedTolerance, IReadOnlyList<CheckedQuantity> Quantities, CheckedGreedy? Greedy)
{
    /// <summary>Whether everything lies within the tolerance.</summary>
    public bool Passed => Quantities.All(quantity => quantity.Passed) && (Greedy?.Passed ?? true);
}

/// <summary>The largest difference of one quantity.</summary>
/// <param name="Name">logits, top, lse, next, k or v.</param>
/// <param name="Layer">The layer, of keys and values.</param>
/// <param name="Count">Numbers compared.</param>
/// <param name="Difference">The largest absolute difference; infinite where a result is no number.</param>
/// <param name="Position">Position in the sequence where it is.</param>
/// <param name="Index">Where it is in that position's row: a token, or a channel over all KV heads.</param>
/// <param name="Passed">Whether it is within the tolerance.</param>
public sealed record CheckedQuantity(string Name, int? Layer, long Count, double Difference, int Position, int Index, bool Passed);

/// <summary>A greedy continuation.</summary>
/// <param name="Compared">Tokens compared: up to the first whose margin is below twice the tolerance.</param>
/// <param name="Equal">How many of them were the same, from the first on.</param>
/// <param name="Recorded">Tokens of the reference.</param>
/// <param name="Passed">Whether all that were compared are equal.</param>
public sealed record CheckedGreedy(int Compared, int Equal, int Recorded, bool Passed);
