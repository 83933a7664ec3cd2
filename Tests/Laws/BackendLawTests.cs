using FsCheck;
using FsCheck.Fluent;
using KvIL.Backends;
using KvIL.Conformance;
using KvIL.Conformance.Laws;
using KvIL.Conformance.Oracle;
using KvIL.Reference;
using Xunit;

namespace KvIL.Tests.Laws;

/// <summary>The oracle itself: that the laws contradict neither it nor one another.</summary>
public sealed class OracleLawTests() : BackendLawTests(new OracleBackend());

/// <summary>The oracle with every result rounded to float: the most exact float32 backend there can be.</summary>
public sealed class RoundedOracleLawTests() : BackendLawTests(Mutants.RoundedOracle());

/// <summary>The managed backend.</summary>
public sealed class ReferenceLawTests() : BackendLawTests(new ReferenceBackend());

/// <summary>Every law, on one backend. A subclass is one line; no law knows which backend it runs on.</summary>
public abstract class BackendLawTests : IDisposable
{
    private const int Cases = 60;

    private readonly IBackend _subject;
    private readonly IBackend _oracle = new OracleBackend();
    private readonly LawContext _context;

    protected BackendLawTests(IBackend subject)
    {
        _subject = subject;
        _context = new LawContext(subject, _oracle);
    }

    public static TheoryData<string> Names => [.. LawCatalogue.All.Select(law => law.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Law_holds(string name) => ForAll(LawCatalogue.All.Single(law => law.Name == name), _context, Cases);

    public void Dispose()
    {
        _context.Dispose();
        _subject.Dispose();
        _oracle.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Checks a law on generated cases; a failure is shrunk and prints the case and the seed to replay.</summary>
    internal static void ForAll(Law law, LawContext context, int cases)
    {
        Arbitrary<object> arbitrary = Arb.From(Gen.Choose(0, int.MaxValue - 1).Select(law.Generate), law.Shrink);
        Check.One(Properties.Config(cases), Prop.ForAll(arbitrary, @case => law.Check(context, @case)));
    }
}
