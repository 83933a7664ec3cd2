namespace KvIL.Conformance.Statements;

/// <summary>The first case of which a statement was not true.</summary>
/// <param name="Seed">Seed of the case: <c>Generate(Seed)</c> builds it again.</param>
/// <param name="Case">The case.</param>
/// <param name="Shrunk">The smallest case found of which it is not true either.</param>
/// <param name="Difference">What differs there.</param>
public sealed record Counterexample(int Seed, string Case, string Shrunk, string Difference);

/// <summary>A statement on a number of cases.</summary>
/// <param name="Name">The statement.</param>
/// <param name="Source">Where it comes from.</param>
/// <param name="Cases">Cases checked.</param>
/// <param name="Violations">Cases of which it was not true.</param>
/// <param name="First">The first of them; null for none.</param>
public sealed record StatementResult(string Name, string Source, int Cases, int Violations, Counterexample? First);

/// <summary>Checks statements on the cases of consecutive seeds.</summary>
public static class StatementRun
{
    // Each step of shrinking checks a few cases; a cycle of equal sizes must end.
    private const int MostShrinkChecks = 300;

    /// <summary>Checks <paramref name="statement"/> on the cases of the seeds <c>seed, seed + 1, …, seed + cases − 1</c>, wrapping around.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancelled"/> fired.</exception>
    public static StatementResult Of(IStatement statement, int seed, int cases, CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(statement);
        (int violations, Counterexample? first) = (0, null);
        for (int i = 0; i < cases; i++)
        {
            cancelled.ThrowIfCancellationRequested();
            int caseSeed = unchecked(seed + i);
            object @case = statement.Generate(caseSeed);
            if (Violation(statement, @case) is not { } difference) continue;
            violations++;
            first ??= Shrunk(statement, caseSeed, @case, difference);
        }

        return new(statement.Name, statement.Source, cases, violations, first);
    }

    // The first smaller case that breaks it too, and on from there.
    private static Counterexample Shrunk(IStatement statement, int seed, object @case, string difference)
    {
        object smallest = @case;
        int left = MostShrinkChecks;
        bool smaller = true;
        while (smaller)
        {
            smaller = false;
            foreach (object candidate in statement.Shrink(smallest))
            {
                if (left-- == 0) break;
                if (Violation(statement, candidate) is not { } found) continue;
                (smallest, difference, smaller) = (candidate, found, true);
                break;
            }

            smaller &= left > 0;
        }

        return new(seed, Line(@case), Line(smallest), difference);
    }

    private static string? Violation(IStatement statement, object @case)
    {
        try
        {
            statement.Check(@case);
            return null;
        }
        catch (LawViolation e)
        {
            return e.Message;
        }
    }

    private static string Line(object @case) => @case.ToString() ?? "";
}
