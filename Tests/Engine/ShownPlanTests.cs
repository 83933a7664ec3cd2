using KvIL.Conformance;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Reference;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Engines;

/// <summary>Looking at what the engine's plan of an eviction computes on the way.</summary>
public sealed class ShownPlanTests
{
    private static readonly StoreSpec Store = new(1, 2, 4, DType.F32, 0);

    private static EvictionProgram Program => EvictionProgram.ByRecency(Store, [], 20, 20, EvictionExtras.None);

    [Fact]
    public void Intermediate_results_become_outputs_and_the_program_stays()
    {
        Plan plan = Program.Plan;
        SelectRowsOp select = plan.Ops.OfType<SelectRowsOp>().Single();
        Plan shown = plan.Showing(select.Scores, select.Y);
        Assert.True(shown.Outputs.SequenceEqual([.. plan.Outputs, select.Scores, select.Y]));
        Assert.True(shown.Ops.SequenceEqual(plan.Ops));
        Assert.True(shown.Slots.SequenceEqual(plan.Slots));
    }

    [Fact]
    public void Inputs_outputs_and_slots_shown_already_are_refused()
    {
        EvictionProgram program = Program;
        Slot rows = program.Plan.Ops.OfType<SelectRowsOp>().Single().Y;
        Assert.Throws<ArgumentException>(() => program.Plan.Showing(program.From));
        Assert.Throws<ArgumentException>(() => program.Plan.Showing(program.To!));
        Assert.Throws<ArgumentException>(() => program.Plan.Showing(rows, rows));
    }

    [Theory]
    [InlineData("sliding:sinks=2", 9)]
    [InlineData("ada-snapkv:window=4,kernel=3,sinks=1", 9)]
    [InlineData("snapkv:window=4", 20)]
    public void What_a_backend_decides_is_what_the_oracle_decides(string text, int rows)
    {
        EvictionPolicy policy = EvictionPolicy.Parse(text);
        Random random = new(5);
        double[] Numbers(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(-64, 65) / 32.0)];
        AttentionLayer layer = new(6, 2, 20, 4, 0.5f, Numbers(160), [], []);
        double[][] queries = [.. Enumerable.Range(0, policy.Queries(20)).Select(_ => Numbers(24))];
        using ReferenceBackend backend = new(1);
        using Conformance.Oracle.OracleBackend oracle = new();
        using PlanRunner subject = new(backend), truth = new(oracle);
        EvictionDecision decided = EvictionDecision.Of(subject, policy, layer, queries, rows), expected = EvictionDecision.Of(truth, policy, layer, queries, rows);
        Assert.Equal(expected.Counts, decided.Counts);
        Assert.Equal(expected.Rows, decided.Rows);
        Assert.True(decided.AgreesWithTheDefinition);
        Assert.Equal(2 * rows, decided.Counts.Sum());
        for (int h = 0; h < 2; h++)
        {
            Assert.All(expected.Divided[h].Zip(decided.Divided[h]), pair => Assert.Equal(pair.First, pair.Second, 1e-6f));
        }
    }
}
