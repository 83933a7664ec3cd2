using System.Text.Json.Nodes;
using KvIL.Inference.Evaluation;
using KvIL.Inference.Models;
using KvIL.Reference;
using Xunit;

namespace KvIL.Tests.Engines;

/// <summary>The evaluator against outcomes recorded by independent code with the same total order and exact integers.</summary>
public sealed class EvaluatorTests
{
    private static readonly (string Policy, string Recorded)[] Policies =
        [("sliding", "sliding"), ("snapkv:window=16", "snapkv"), ("ada-snapkv:window=16", "ada")];

    private static readonly (string Budget, string Recorded)[] Budgets = [("5%", "0.05"), ("10%", "0.1"), ("20%", "0.2"), ("40%", "0.4")];

    [Fact]
    public void First_prompts_are_right_or_wrong_as_recorded() => Compare(16, (cell, mine, theirs) =>
    {
        Assert.Equal(theirs.Select(p => p.Right), mine.Select(p => p.Right));
        for (int i = 0; i < mine.Count; i++)
        {
            Assert.True(Math.Abs(mine[i].Kl - theirs[i].Kl) <= 1e-3, $"{cell}, prompt {i}: KL {mine[i].Kl}, recorded {theirs[i].Kl}");
        }
    });

    [Fact]
    [Trait("Length", "Long")]
    public void All_prompts_agree_in_every_cell() => Compare(64, (cell, mine, theirs) =>
    {
        Assert.InRange(mine.Count(p => p.Right) - theirs.Count(p => p.Right), -1, 1);
        double difference = mine.Average(p => p.Kl) - theirs.Average(p => p.Kl);
        Assert.True(Math.Abs(difference) <= 0.005, $"{cell}: mean KL differs by {difference}");
    });

    [Fact]
    public void Mutant_another_window_is_told_apart() => Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => Compare(
        2, (_, mine, theirs) => Assert.All(mine.Zip(theirs), p => Assert.InRange(p.First.Kl - p.Second.Kl, -1e-3, 1e-3)), snapkv: "snapkv:window=12"));

    private static void Compare(
        int prompts, Action<string, IReadOnlyList<Outcome>, IReadOnlyList<Outcome>> check, string? snapkv = null)
    {
        JsonArray recorded = JsonNode.Parse(File.ReadAllText(Path.Combine(EngineFixture.Demo, "needle-grimm-outcomes.json")))!["aware"]!.AsArray();
        using ReferenceBackend backend = new(2);
        using Model model = Model.Open(EngineFixture.Demo, backend);
        (string Policy, string Recorded)[] policies = [.. Policies.Select(p => p.Recorded == "snapkv" && snapkv is not null ? (snapkv, p.Recorded) : p)];
        using Evaluator evaluator = new(
            model,
            EvaluationSet.Load(Path.Combine(EngineFixture.Demo, "needle-grimm.jsonl"), prompts),
            [.. policies.Select(p => p.Policy)],
            [.. Budgets.Select(b => b.Budget)]);
        List<EvaluationReport> reports = [];
        EvaluationReport last = evaluator.Run((_, report) => reports.Add(report));
        foreach (EvaluationResult cell in last.Results)
        {
            string name = cell.Policy == "full" ? "full"
                : $"{policies.Single(p => p.Policy == cell.Policy).Recorded}@{Budgets.Single(b => b.Budget == cell.Budget).Recorded}";
            check(name, PerPrompt(reports, cell), [.. recorded.Take(prompts).Select(p => new Outcome((int)p![name]![0]! == 1, (double)p[name]![1]!))]);
        }
    }

    // Reports run on: what prompt i adds is the difference of two of them.
    private static List<Outcome> PerPrompt(List<EvaluationReport> reports, EvaluationResult cell)
    {
        List<Outcome> outcomes = [];
        (int right, double kl) = (0, 0);
        for (int i = 0; i < reports.Count; i++)
        {
            EvaluationResult now = reports[i].Results.Single(r => r.Policy == cell.Policy && r.Budget == cell.Budget);
            outcomes.Add(new(now.Correct > right, (now.Kl * (i + 1)) - kl));
            (right, kl) = (now.Correct, now.Kl * (i + 1));
        }

        return outcomes;
    }

    private sealed record Outcome(bool Right, double Kl);
}
