namespace KvIL.Conformance.Statements;

/// <summary>A statement about one case at a time; the cases of a run are those of consecutive seeds.</summary>
/// <param name="Name">What is true.</param>
/// <param name="Source">Where it comes from.</param>
public abstract record CaseStatement(string Name, string Source) : IStatement
{
    // Each step of shrinking checks a few cases.
    private const int MostShrinkChecks = 300;

    /// <summary>The case of <paramref name="seed"/>; it prints as one line.</summary>
    public abstract object Generate(int seed);

    /// <summary>Smaller cases than <paramref name="case"/>, the smallest first.</summary>
    public abstract IEnumerable<object> Shrink(object @case);

    /// <summary>Checks one case.</summary>
    /// <exception cref="LawViolation">It is not true of the case.</exception>
    public abstract void Check(object @case);

    /// <summary>Checks the cases of the seeds <c>seed, seed + 1, …, seed + cases − 1</c>, wrapping around.</summary>
    /// <inheritdoc/>
    public StatementResult Run(int seed, int cases, CancellationToken cancelled = default)
    {
        (int violations, Counterexample? first) = (0, null);
        for (int i = 0; i < cases; i++)
        {
            cancelled.ThrowIfCancellationRequested();
            int caseSeed = unchecked(seed + i);
            object @case = Generate(caseSeed);
            if (Violation(@case) is not { } difference) continue;
            violations++;
            first ??= Shrunk(caseSeed, @case, difference);
        }

        return new(Name, Source, cases, violations, first);
    }

    // The first smaller case that breaks it too, and on from there.
    private Counterexample Shrunk(int seed, object @case, string difference)
    {
        object smallest = @case;
        int left = MostShrinkChecks;
        for (bool smaller = true; smaller && left > 0;)
        {
            smaller = false;
            foreach (object candidate in Shrink(smallest))
            {
                if (left-- == 0) break;
                if (Violation(candidate) is not { } found) continue;
                (smallest, difference, smaller) = (candidate, found, true);
                break;
            }
        }

        return new(seed, Line(@case), Line(smallest), difference);
    }

    private string? Violation(object @case)
    {
        try
        {
            Check(@case);
            return null;
        }
        catch (LawViolation e)
        {
            return e.Message;
        }
    }

    private static string Line(object @case) => @case.ToString() ?? "";
}

/// <summary>A law of the backends on one backend.</summary>
/// <param name="Law">The law.</param>
/// <param name="Context">The backend and the truth.</param>
public sealed record LawOn(Law Law, LawContext Context) : CaseStatement(Law.Name, Law.Source)
{
    /// <inheritdoc/>
    public override object Generate(int seed) => Law.Generate(seed);

    /// <inheritdoc/>
    public override IEnumerable<object> Shrink(object @case) => Law.Shrink(@case);

    /// <inheritdoc/>
    public override void Check(object @case) => Law.Check(Context, @case);
}

/// <summary>A theorem over cases of one kind; it needs no backend.</summary>
/// <param name="Name">What is true.</param>
/// <param name="Source">Where it comes from.</param>
/// <param name="Holds">Throws <see cref="LawViolation"/> when it is not.</param>
public sealed record Theorem<TCase>(string Name, string Source, Action<TCase> Holds) : CaseStatement(Name, Source)
    where TCase : ICase<TCase>
{
    /// <inheritdoc/>
    public override object Generate(int seed) => TCase.Generate(new Random(seed));

    /// <inheritdoc/>
    public override IEnumerable<object> Shrink(object @case) => ((TCase)@case).Shrink().Cast<object>();

    /// <inheritdoc/>
    public override void Check(object @case) => Holds((TCase)@case);
}
