using KvIL.Conformance;
using KvIL.Conformance.Oracle;
using Xunit;

namespace KvIL.Tests.Laws;

/// <summary>The laws tell right from wrong: every planted fault is caught by the law that is there for it.</summary>
public sealed class MutantTests
{
    private const int Cases = 300;

    public static TheoryData<string> Names => [.. Mutants.All.Select(mutant => mutant.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Mutant_is_caught(string name)
    {
        Mutant mutant = Mutants.All.Single(m => m.Name == name);
        using OracleBackend subject = mutant.Build(), oracle = new();
        using LawContext context = new(subject, oracle);
        for (int seed = 0; seed < Cases; seed++)
        {
            try
            {
                mutant.CaughtBy.Check(context, mutant.CaughtBy.Generate(seed));
            }
            catch (LawViolation violation)
            {
                // The fault itself must be seen, not the mutant's own crash.
                Assert.IsType<LawViolation>(violation.InnerException);
                return;
            }
        }

        Assert.Fail($"{name} survived {Cases} cases of {mutant.CaughtBy.Name}.");
    }

    [Fact]
    public void Every_op_of_the_contract_has_a_mutant()
    {
        string[] ops = [.. typeof(Ops.Op).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(Ops.Op))).Select(t => t.Name)];
        Assert.Empty(ops.Except(Mutants.All.Select(m => m.Op.Name)));
    }

    [Fact]
    public void A_violation_names_the_law_the_backend_and_the_case_on_one_line()
    {
        using OracleBackend subject = Mutants.All[0].Build(), oracle = new();
        using LawContext context = new(subject, oracle);
        Law law = Mutants.All[0].CaughtBy;
        object @case = Enumerable.Range(0, Cases).Select(law.Generate).First(c => Violates(law, context, c));
        LawViolation violation = Assert.Throws<LawViolation>(() => law.Check(context, @case));
        Assert.StartsWith($"{law.Name} on oracle, {@case}: ", violation.Message);
        Assert.DoesNotContain('\n', violation.Message);
    }

    private static bool Violates(Law law, LawContext context, object @case)
    {
        try
        {
            law.Check(context, @case);
            return false;
        }
        catch (LawViolation)
        {
            return true;
        }
    }
}
