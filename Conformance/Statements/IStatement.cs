namespace KvIL.Conformance.Statements;

/// <summary>Something that is true of every case: a law on a backend, or a theorem. A list of these can be run, counted and printed.</summary>
public interface IStatement
{
    /// <summary>What is true, as a sentence; underscores may stand for blanks.</summary>
    string Name { get; }

    /// <summary>Where it comes from: a theorem, an equation, a rule of the design.</summary>
    string Source { get; }

    /// <summary>The case of <paramref name="seed"/>; it prints as one line.</summary>
    object Generate(int seed);

    /// <summary>Smaller cases than <paramref name="case"/>, the smallest first.</summary>
    IEnumerable<object> Shrink(object @case);

    /// <summary>Checks one case.</summary>
    /// <exception cref="LawViolation">It is not true of the case.</exception>
    void Check(object @case);
}

/// <summary>A law of the backends on one backend.</summary>
/// <param name="Law">The law.</param>
/// <param name="Context">The backend and the truth.</param>
public sealed record LawOn(Law Law, LawContext Context) : IStatement
{
    /// <inheritdoc/>
    public string Name => Law.Name;

    /// <inheritdoc/>
    public string Source => Law.Source;

    /// <inheritdoc/>
    public object Generate(int seed) => Law.Generate(seed);

    /// <inheritdoc/>
    public IEnumerable<object> Shrink(object @case) => Law.Shrink(@case);

    /// <inheritdoc/>
    public void Check(object @case) => Law.Check(Context, @case);
}

/// <summary>A theorem over cases of one kind; it needs no backend.</summary>
/// <param name="Name">What is true.</param>
/// <param name="Source">Where it comes from.</param>
/// <param name="Holds">Throws <see cref="LawViolation"/> when it is not.</param>
public sealed record Theorem<TCase>(string Name, string Source, Action<TCase> Holds) : IStatement
    where TCase : ICase<TCase>
{
    /// <inheritdoc/>
    public object Generate(int seed) => TCase.Generate(new Random(seed));

    /// <inheritdoc/>
    public IEnumerable<object> Shrink(object @case) => ((TCase)@case).Shrink().Cast<object>();

    /// <inheritdoc/>
    public void Check(object @case) => Holds((TCase)@case);
}
