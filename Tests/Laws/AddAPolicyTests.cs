using System.Text.RegularExpressions;
using KvIL.Conformance.Theorems;
using KvIL.Eviction;
using KvIL.Inference.Runtime;
using KvIL.Tensors;
using KvIL.Tests.Engines;
using Xunit;

namespace KvIL.Tests.Laws;

/// <summary>The code of <c>docs/add-a-policy.md</c> is the code that is compiled here, and every law runs on it.</summary>
public sealed class AddAPolicyTests(EngineFixture fixture) : IClassFixture<EngineFixture>
{
    [Fact]
    public void The_documents_code_is_this_code_in_at_most_twenty_lines_and_some_braces()
    {
        string document = File.ReadAllText(Repo.PathOf("docs/add-a-policy.md")), code = File.ReadAllText(Repo.PathOf("Tests/Laws/AddAPolicy.cs"));
        string[] blocks = [.. Regex.Matches(document, "```csharp\n(.*?)```", RegexOptions.Singleline).Select(m => m.Groups[1].Value)];
        Assert.Equal(3, blocks.Length);
        Assert.All(blocks, block => Assert.Contains(block, code, StringComparison.Ordinal));
        Assert.All(blocks, block => Assert.InRange(block.Split('\n').Count(line => line.Trim() is not ("" or "{" or "}")), 1, 20));
    }

    [Fact]
    public void Every_law_that_is_claimed_holds()
    {
        LawReport report = EvictionLaws.Check(new MyMath(), cases: 40, seed: 1);
        report.ThrowIfBroken();
        Assert.Equal(["A2"], report.Outcomes.Where(o => o.Skipped).Select(o => o.Law.Number));
        Assert.Contains($"{EvictionLaws.All.Count - 1} laws hold, 0 broken, 1 not claimed", report.ToString());
    }

    [Fact]
    public void What_is_claimed_too_much_is_found_and_shrunk()
    {
        LawOutcome broken = EvictionLaws.All.Single(law => law.Number == "A2").Run(new Overclaimed(), cases: 400, seed: 1);
        Assert.Contains("on Overclaimed, heads [", broken.ToString());
        Assert.Throws<Conformance.LawViolation>(new LawReport("Overclaimed", 1, [broken]).ThrowIfBroken);
    }

    [Fact]
    public void The_scorer_runs_on_an_engine()
    {
        const int Tokens = 30;
        SyntheticModel model = SyntheticModel.All[2];
        using Session session = fixture.Open(model, new() { RowType = DType.F32, Window = 8 });
        using KvCache cache = session.Engine.CreateCache();
        EvictionPolicy policy = EvictionPolicy.Of(new LastReadScorer(), "budget=20%,sinks=2,alloc=blend");
        session.Engine.Prefill(cache, 0, Ids.Random(1, Tokens, model.Vocabulary), policy);
        foreach (RunRows[] store in CacheRows.Of(session.Engine, cache, 0))
        {
            Assert.Equal(6 * model.KvHeads, store.Sum(run => run.Length));
            Assert.All(store, run => Assert.Equal([0, 1], run.Positions.Take(2)));
        }
    }

    private sealed class Overclaimed : SpreadMath
    {
        public override PolicyClaims Claims => PolicyClaims.All;
    }
}
