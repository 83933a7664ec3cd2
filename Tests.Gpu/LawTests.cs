using FsCheck;
using FsCheck.Fluent;
using KvIL.Conformance;
using KvIL.Conformance.Laws;
using KvIL.Conformance.Oracle;
using KvIL.Gpu;
using Xunit;

namespace KvIL.Tests.Gpu;

/// <summary>Every law of the ops that a device has, with the oracle as the truth and ILGPU's emulated device as the subject.</summary>
/// <remarks>A few cases each by default, since a launch on the emulation takes a millisecond and more; many with <c>--all</c>.</remarks>
public sealed class LawTests : IDisposable
{
    private readonly GpuBackend _subject = GpuBackend.Create(GpuKind.Emulated);
    private readonly OracleBackend _oracle = new();
    private readonly LawContext _context;

    public LawTests() => _context = new(_subject, _oracle);

    public static TheoryData<string> Names => [.. LawCatalogue.EveryBackend.Select(law => law.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Law_holds(string name) => ForAll(name, 3);

    [Theory]
    [Trait("Length", "Long")]
    [MemberData(nameof(Names))]
    public void Law_holds_for_many_cases(string name) => ForAll(name, 25);

    public void Dispose()
    {
        _context.Dispose();
        _oracle.Dispose();
        _subject.Dispose();
    }

    private void ForAll(string name, int cases)
    {
        Law law = LawCatalogue.EveryBackend.Single(each => each.Name == name);
        Arbitrary<object> arbitrary = Arb.From(Gen.Choose(0, int.MaxValue - 1).Select(law.Generate), law.Shrink);
        Check.One(Properties.Config(cases), Prop.ForAll(arbitrary, @case => law.Check(_context, @case)));
    }
}
