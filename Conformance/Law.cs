using KvIL.Backends;

namespace KvIL.Conformance;

/// <summary>A generated input of a law: prints as one line that rebuilds it, and can be made smaller.</summary>
/// <remarks>Holds sizes and a seed, never data: the data comes from the seed, so that shrinking changes shapes.</remarks>
public interface ICase<TSelf>
    where TSelf : ICase<TSelf>
{
    /// <summary>A case drawn from <paramref name="random"/>.</summary>
    static abstract TSelf Generate(Random random);

    /// <summary>Smaller cases, the smallest first.</summary>
    IEnumerable<TSelf> Shrink();
}

/// <summary>A law was broken: names the law, the case that rebuilds the input, and the first difference.</summary>
public sealed class LawViolation(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>What every backend must satisfy, as a value that a test framework or a command can enumerate and run.</summary>
/// <param name="Name">The law as a sentence with underscores.</param>
/// <param name="Source">Where it comes from: the op's equation, a theorem, a rule of the design.</param>
public abstract record Law(string Name, string Source)
{
    /// <summary>The case of <paramref name="seed"/>.</summary>
    public abstract object Generate(int seed);

    /// <summary>Smaller cases than <paramref name="case"/>.</summary>
    public abstract IEnumerable<object> Shrink(object @case);

    /// <summary>Checks one case.</summary>
    /// <exception cref="LawViolation">The subject breaks the law.</exception>
    public abstract void Check(LawContext context, object @case);

    /// <inheritdoc/>
    public sealed override string ToString() => Name;
}

/// <summary>A law over cases of one kind.</summary>
/// <param name="Name">The law as a sentence with underscores.</param>
/// <param name="Source">Where it comes from.</param>
/// <param name="Holds">Throws <see cref="LawViolation"/> when the law is broken.</param>
public sealed record Law<TCase>(string Name, string Source, Action<LawContext, TCase> Holds) : Law(Name, Source)
    where TCase : ICase<TCase>
{
    /// <inheritdoc/>
    public override object Generate(int seed) => TCase.Generate(new Random(seed));

    /// <inheritdoc/>
    public override IEnumerable<object> Shrink(object @case) => ((TCase)@case).Shrink().Cast<object>();

    /// <inheritdoc/>
    public override void Check(LawContext context, object @case)
    {
        try
        {
            Holds(context, (TCase)@case);
        }
        catch (Exception e)
        {
            string cause = e is LawViolation ? e.Message : $"{e.GetType().Name}: {e.Message}";
            throw new LawViolation($"{Name} on {context.Subject.Backend.Name}, {@case}: {cause}", e);
        }
    }
}

/// <summary>The backend under test and the truth.</summary>
public sealed class LawContext(IBackend subject, IBackend oracle) : IDisposable
{
    /// <summary>Runs plans on the backend under test.</summary>
    public PlanRunner Subject { get; } = new(subject);

    /// <summary>Runs plans on the oracle.</summary>
    public PlanRunner Oracle { get; } = new(oracle);

    /// <summary>Runs a scenario on both.</summary>
    public (PlanResults Expected, PlanResults Actual) Run(Scenario scenario) => (Oracle.Run(scenario), Subject.Run(scenario));

    /// <summary>Releases the queues; the backends stay the caller's.</summary>
    public void Dispose()
    {
        Subject.Dispose();
        Oracle.Dispose();
    }
}
