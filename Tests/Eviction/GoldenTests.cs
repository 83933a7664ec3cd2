using KvIL.Cli.Golden;
using KvIL.Conformance.Golden.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>KvIL against numbers recorded from the papers' own code: the definitions, and the CPU's kernels.</summary>
/// <remarks><c>KVIL_GOLDEN_EVICTION</c>, a folder, puts another set in the place of golden/eviction.</remarks>
public sealed class GoldenTests
{
    private static readonly string s_folder = Environment.GetEnvironmentVariable("KVIL_GOLDEN_EVICTION") is { Length: > 0 } named
        ? named
        : Repo.PathOf("golden/eviction");

    private static readonly EvictionRules s_kernels = new(AllocationCase.Kernel, SelectionCase.Kernel);

    [Fact]
    public void Definitions_reproduce_every_case()
    {
        GoldenReport report = EvictionGolden.Run(EvictionGoldenFolder.Open(s_folder));
        Assert.Empty(Differences(report));
        Assert.Equal(EvictionGolden.CheckNames.Order(), report.Applied.Keys.Order()); // every check has a case
    }

    [Fact]
    public void Kernels_reproduce_every_case() =>
        Assert.Empty(Differences(EvictionGolden.Run(EvictionGoldenFolder.Open(s_folder), s_kernels)));

    [SharedFact("golden/manifest.json")]
    public void Definitions_reproduce_the_whole_set()
    {
        GoldenReport report = EvictionGolden.Run(EvictionGoldenFolder.Open(Shared.PathOf("golden")));
        Assert.Empty(Differences(report));
        string[] missing = [.. report.Groups.SelectMany(g => g.NotImplemented).Select(m => m.Split(": ")[^1]).Distinct().Order()];
        Assert.Equal(["channels", "kivi", "merge"], missing);
    }

    [Fact]
    public void Neither_names_nor_order_matter()
    {
        GoldenSet set = EvictionGoldenFolder.Open(s_folder);
        GoldenReport renamed = EvictionGolden.Run(set.Renamed(seed: 11));
        Assert.Empty(Differences(renamed));
        Assert.Equal(EvictionGolden.Run(set).Applied.OrderBy(a => a.Key), renamed.Applied.OrderBy(a => a.Key));
    }

    private static IEnumerable<string> Differences(GoldenReport report) => report.Groups.SelectMany(g => g.Differences);
}
