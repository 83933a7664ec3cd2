using KvIL.Cli.Golden;
using KvIL.Conformance.Golden.Eviction;
using KvIL.Tests.Cli;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>KvIL against numbers recorded from the papers' own code: the definitions, and the CPU's kernels.</summary>
/// <remarks><c>KVIL_GOLDEN_EVICTION</c>, a folder, puts another set in the place of golden/eviction.</remarks>
public sealed class GoldenTests
{
    private static readonly string s_folder = Environment.GetEnvironmentVariable("KVIL_GOLDEN_EVICTION") is { Length: > 0 } named
        ? named
        : Repo.PathOf("golden/eviction");

    private static readonly Lazy<EvictionGoldenReport> s_definitions = new(() => EvictionGolden.Run(EvictionGoldenFolder.Open(s_folder)));

    private static readonly EvictionRules s_kernels = new(AllocationCase.Kernel, SelectionCase.Kernel);

    [Fact]
    public void Definitions_reproduce_every_case()
    {
        EvictionGoldenReport report = s_definitions.Value;
        Assert.Empty(Differences(report));
        Assert.Equal(EvictionGolden.CheckNames.Order(), report.Applied.Keys.Order()); // every check has a case
    }

    [Fact]
    public void Kernels_reproduce_every_case() =>
        Assert.Empty(Differences(EvictionGolden.Run(EvictionGoldenFolder.Open(s_folder), s_kernels)));

    [SharedFact("golden/manifest.json")]
    public void Definitions_reproduce_the_whole_set()
    {
        EvictionGoldenReport report = EvictionGolden.Run(EvictionGoldenFolder.Open(Shared.PathOf("golden")));
        Assert.Empty(Differences(report));
        string[] missing = [.. report.Groups.SelectMany(g => g.NotImplemented).Select(m => m.Split(": ")[^1]).Distinct().Order()];
        Assert.Equal(["channels", "kivi", "merge"], missing);
    }

    [Fact]
    public void Neither_names_nor_order_matter()
    {
        EvictionGoldenReport renamed = EvictionGolden.Run(EvictionGoldenFolder.Open(s_folder).Renamed(seed: 11));
        Assert.Empty(Differences(renamed));
        Assert.Equal(s_definitions.Value.Applied.OrderBy(a => a.Key), renamed.Applied.OrderBy(a => a.Key));
    }

    [Fact]
    public void The_tool_prints_each_group_and_succeeds()
    {
        ToolRun run = Tool.Run("golden", Repo.PathOf("golden/eviction"));
        Assert.Equal((0, ""), (run.Code, run.Error));
        Assert.Matches(@"kvpress +\d+ +0 +0", run.Out);
        Assert.Matches(@"all +\d+ +0 +0", run.Out);
    }

    [Fact]
    public void The_tool_names_the_number_that_differs_and_fails()
    {
        using TemporaryDirectory directory = new();
        foreach (string file in Directory.EnumerateFiles(Repo.PathOf("golden/eviction"))) File.Copy(file, directory.PathOf(Path.GetFileName(file)));
        string tables = File.ReadAllText(directory.PathOf("layer_budgets.json"));
        directory.Write("layer_budgets.json", tables.Replace("\"sum_prefix_budget\":4016", "\"sum_prefix_budget\":4017", StringComparison.Ordinal));
        ToolRun run = Tool.Run("golden", directory.Path);
        Assert.Equal(1, run.Code);
        Assert.Matches(@"layer_budgets +\d+ +1 +0", run.Out);
        Assert.Contains("sum_prefix_budget: recorded 4017, computed 4016", run.Out);
    }

    [Fact]
    public void The_tool_refuses_a_damaged_set_in_one_sentence()
    {
        using TemporaryDirectory directory = new();
        directory.Write("manifest.json", "{\"format\": \"kvil-golden/1\", ");
        ToolRun run = Tool.Run("golden", directory.Path);
        Assert.Equal((1, ""), (run.Code, run.Out));
        Assert.Matches(@"^kvil: .*manifest\.json: not valid JSON.*\.\n$", run.Error);
    }

    private static IEnumerable<string> Differences(EvictionGoldenReport report) => report.Groups.SelectMany(g => g.Differences);
}
