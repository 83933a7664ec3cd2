using KvIL.Conformance.Statements;

namespace KvIL.Conformance.Theorems.Sharing;

/// <summary>A property of cross-layer sharing, as a value that a test framework or a command can enumerate and run.</summary>
/// <param name="Number">Its number in <c>docs/laws.md</c>: C1 to C30, in the order of the specification's invariants.</param>
/// <param name="Name">The law as a sentence with underscores.</param>
/// <param name="Statement">What holds, as an equation where there is one.</param>
/// <param name="Source">The paper, section, code or issue that it comes from.</param>
/// <param name="Oracle">What the subject is held against.</param>
public abstract record SharingLaw(string Number, string Name, string Statement, string Source, string Oracle)
{
    /// <summary>The law on a subject.</summary>
    public abstract CaseStatement On(SharingMath subject);

    /// <inheritdoc/>
    public sealed override string ToString() => $"{Number} {Name}";
}

/// <summary>A law over cases of one kind.</summary>
/// <inheritdoc cref="SharingLaw"/>
/// <param name="Number">Its number.</param>
/// <param name="Name">The law as a sentence with underscores.</param>
/// <param name="Statement">What holds.</param>
/// <param name="Source">Where it comes from.</param>
/// <param name="Oracle">What the subject is held against.</param>
/// <param name="Holds">Throws <see cref="LawViolation"/> when the law is broken.</param>
public sealed record SharingLaw<TCase>(string Number, string Name, string Statement, string Source, string Oracle, Action<SharingMath, TCase> Holds)
    : SharingLaw(Number, Name, Statement, Source, Oracle)
    where TCase : ICase<TCase>
{
    /// <inheritdoc/>
    public override CaseStatement On(SharingMath subject) => new Theorem<TCase>($"{Number} {Name.Replace('_', ' ')}", Source, @case =>
    {
        try
        {
            Holds(subject, @case);
        }
        catch (Exception e) when (e is not (LawViolation or OutOfMemoryException))
        {
            throw new LawViolation($"{e.GetType().Name}: {e.Message}", e);
        }
    });
}

/// <summary>A law of sharing on one subject, with fewer cases than other statements of a list get.</summary>
/// <param name="Law">The law.</param>
/// <param name="Subject">What is checked.</param>
/// <param name="OneIn">One case is run in this many.</param>
public sealed record SharingLawOn(SharingLaw Law, SharingMath Subject, int OneIn = 1) : IStatement
{
    private readonly CaseStatement _statement = Law.On(Subject);

    /// <inheritdoc/>
    public string Name => _statement.Name;

    /// <inheritdoc/>
    public string Source => Law.Source;

    /// <inheritdoc/>
    public StatementResult Run(int seed, int cases, CancellationToken cancelled = default) => _statement.Run(seed, Math.Max(1, cases / OneIn), cancelled);
}

/// <summary>Every law of sharing that needs no engine; an engine may be their subject.</summary>
/// <remarks>C20, C22 to C25 and C29 are about engines and backends; <c>docs/laws.md</c> names what covers them.</remarks>
public static class SharingLaws
{
    /// <summary>All laws.</summary>
    public static IReadOnlyList<SharingLaw> All { get; } = [.. MapLaws.All, .. ForwardLaws.All, .. DecodeLaws.All, .. ConversionLaws.All];
}
