using KvIL.Conformance.Theorems;
using KvIL.Eviction;
using KvIL.Tests.Eviction;
using Xunit;

namespace KvIL.Tests.Laws;

/// <summary>Every law of eviction on the definitions in double and on the kernels of the CPU backend.</summary>
public sealed class EvictionLawTests
{
    private const int Cases = 100, Seed = 20240716;

    public static TheoryData<string> Laws => [.. EvictionLaws.All.Select(law => law.ToString())];

    [Theory]
    [MemberData(nameof(Laws))]
    public void Law_holds(string law)
    {
        EvictionLaw chosen = EvictionLaws.All.Single(l => l.ToString() == law);
        foreach (EvictionMath subject in (EvictionMath[])[new EvictionMath(), new KernelMath()])
        {
            if (chosen.Run(subject, Cases, Seed).Violation is { } violation) throw violation;
        }
    }

    [Fact]
    [Trait("Length", "Long")]
    public void Laws_hold_in_many_cases()
    {
        EvictionLaws.Check(new EvictionMath(), 3000, Seed + 1).ThrowIfBroken();
        EvictionLaws.Check(new KernelMath(), 3000, Seed + 2).ThrowIfBroken();
    }
}

/// <summary>Allocation, selection and pooling by the kernels of the CPU backend, in float32.</summary>
internal sealed class KernelMath : EvictionMath
{
    public override double UnitRoundoff => Math.ScaleB(1, -24);

    public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r) =>
        AllocationCase.Kernel(scores, total, rule, r);

    public override int[] SelectRows(float[] scores, int begin, int count, int keep) => SelectionCase.Kernel(scores, begin, count, keep);

    public override double[,] Pool(double[,] s, int kernel, PoolKind kind)
    {
        if (kernel % 2 == 0) return base.Pool(s, kernel, kind); // refused before a kernel runs
        int n = s.GetLength(1);
        double[,] pooled = new double[s.GetLength(0), n];
        float[] y = new float[n];
        for (int i = 0; i < pooled.GetLength(0); i++)
        {
            float[] x = [.. Enumerable.Range(0, n).Select(j => (float)s[i, j])];
            if (kind == PoolKind.Max) Pool(x, kernel, y);
            else Reference.Kernels.Pool.Average(x, kernel, y);
            for (int j = 0; j < n; j++) pooled[i, j] = y[j];
        }

        return pooled;

        static void Pool(float[] x, int kernel, float[] y) => Reference.Kernels.Pool.Max(x, kernel, y);
    }
}
