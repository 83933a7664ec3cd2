namespace KvIL.Conformance.Statements;

/// <summary>Something that is true: a law on a backend, a theorem. A list of these can be run, counted and printed.</summary>
public interface IStatement
{
    /// <summary>What is true, as a sentence; underscores may stand for blanks.</summary>
    string Name { get; }

    /// <summary>Where it comes from: a theorem, an equation, a rule of the design.</summary>
    string Source { get; }

    /// <summary>Checks it on random cases.</summary>
    /// <param name="seed">The cases: the same seed gives the same ones.</param>
    /// <param name="cases">How many.</param>
    /// <param name="cancelled">Ends it.</param>
    /// <exception cref="OperationCanceledException"><paramref name="cancelled"/> fired.</exception>
    StatementResult Run(int seed, int cases, CancellationToken cancelled = default);
}

/// <summary>The first case of which a statement was not true.</summary>
/// <param name="Seed">A run of one case from this seed builds it again.</param>
/// <param name="Case">The case.</param>
/// <param name="Shrunk">The smallest case found of which it is not true either.</param>
/// <param name="Difference">What differs there.</param>
public sealed record Counterexample(int Seed, string Case, string Shrunk, string Difference);

/// <summary>What came of a statement.</summary>
/// <param name="Name">The statement.</param>
/// <param name="Source">Where it comes from.</param>
/// <param name="Cases">Cases checked.</param>
/// <param name="Violations">Cases of which it was not true.</param>
/// <param name="First">The first of them; null for none.</param>
public sealed record StatementResult(string Name, string Source, int Cases, int Violations, Counterexample? First);
