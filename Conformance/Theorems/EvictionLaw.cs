using System.Globalization;

namespace KvIL.Conformance.Theorems;

/// <summary>A theorem or published property of eviction, as a value that a test framework or a command can enumerate and run.</summary>
/// <param name="Number">Its number in <c>docs/laws.md</c>: P7, R3.</param>
/// <param name="Name">The law as a sentence with underscores.</param>
/// <param name="Statement">What holds, as an equation where there is one.</param>
/// <param name="Source">The theorem, section, code or issue that it comes from.</param>
/// <param name="Oracle">What the subject is held against.</param>
public abstract record EvictionLaw(string Number, string Name, string Statement, string Source, string Oracle)
{
    /// <summary>What an allocator must claim for the law to be run on it.</summary>
    public AllocatorClaims Needs { get; init; }

    /// <summary>A law that tries all subsets runs one case in this many.</summary>
    public int OneIn { get; init; } = 1;

    /// <summary>Checks cases of a stream; stops at the first violation, which it shrinks.</summary>
    /// <param name="subject">What is checked.</param>
    /// <param name="cases">Number of cases, at least 1; fewer where the law says so.</param>
    /// <param name="seed">The stream.</param>
    public abstract LawOutcome Run(EvictionMath subject, int cases, int seed);

    /// <inheritdoc/>
    public sealed override string ToString() => $"{Number} {Name}";
}

/// <summary>A law over cases of one kind.</summary>
/// <inheritdoc cref="EvictionLaw"/>
/// <param name="Number">Its number.</param>
/// <param name="Name">The law as a sentence with underscores.</param>
/// <param name="Statement">What holds.</param>
/// <param name="Source">Where it comes from.</param>
/// <param name="Oracle">What the subject is held against.</param>
/// <param name="Holds">Throws <see cref="LawViolation"/> when the law is broken.</param>
public sealed record EvictionLaw<TCase>(
    string Number, string Name, string Statement, string Source, string Oracle, Action<EvictionMath, TCase> Holds)
    : EvictionLaw(Number, Name, Statement, Source, Oracle)
    where TCase : ICase<TCase>
{
    private const int MostShrinks = 500;

    /// <inheritdoc/>
    public override LawOutcome Run(EvictionMath subject, int cases, int seed)
    {
        ArgumentNullException.ThrowIfNull(subject);
        ArgumentOutOfRangeException.ThrowIfLessThan(cases, 1);
        int count = Math.Max(1, cases / OneIn);
        if (typeof(TCase) == typeof(OneCase)) count = 1;
        for (int i = 0; i < count; i++)
        {
            TCase @case = TCase.Generate(new Random(unchecked((seed * 1_000_003) + i)));
            if (Violation(subject, @case) is { } violation) return new(this, i + 1, Shrunk(subject, @case, violation));
        }

        return new(this, count, null);
    }

    private LawViolation Shrunk(EvictionMath subject, TCase @case, Exception cause)
    {
        for (int tried = 0; tried < MostShrinks;)
        {
            bool smaller = false;
            foreach (TCase next in @case.Shrink())
            {
                if (++tried > MostShrinks) break;
                if (Violation(subject, next) is not { } again) continue;
                (@case, cause, smaller) = (next, again, true);
                break;
            }

            if (!smaller) break;
        }

        string why = cause is LawViolation ? cause.Message : $"{cause.GetType().Name}: {cause.Message}";
        return new LawViolation(string.Create(CultureInfo.InvariantCulture, $"{Number} {Name} on {subject.Name}, {@case}: {why}"), cause);
    }

    private Exception? Violation(EvictionMath subject, TCase @case)
    {
        try
        {
            Holds(subject, @case);
            return null;
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            return e;
        }
    }
}

/// <summary>The only case of a law about one published example.</summary>
public sealed record OneCase : ICase<OneCase>
{
    /// <inheritdoc/>
    public static OneCase Generate(Random random) => new();

    /// <inheritdoc/>
    public IEnumerable<OneCase> Shrink() => [];

    /// <inheritdoc/>
    public override string ToString() => "the example";
}
