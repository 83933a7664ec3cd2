using FsCheck;
using FsCheck.Fluent;
using KvIL.Reference.Kernels;

namespace KvIL.Tests.Eviction;

/// <summary>One head's run: sinks, candidates, window.</summary>
public sealed record SelectionCase(int Sinks, int Candidates, int Window, int Keep, Values Values, int Seed)
{
    public int Length => Sinks + Candidates + Window;

    public static Arbitrary<SelectionCase> Cases { get; } = Arb.From(
        from sinks in Gen.Choose(0, 3)
        from candidates in Gen.Elements(0, 1, 2, 7, 8, 9, 15, 16, 17, 33)
        from window in Gen.Choose(0, 5)
        from keep in Gen.Choose(0, candidates)
        from values in Gen.Elements(Enum.GetValues<Values>())
        from seed in Gen.Choose(0, 1 << 20)
        select new SelectionCase(sinks, candidates, window, keep, values, seed), Shrink);

    public float[] Scores() => new AllocationCase([Length], default, Values, Seed).Scores()[0];

    public static int[] Kernel(float[] scores, int begin, int count, int keep)
    {
        int[] rows = new int[scores.Length];
        int written = SelectRows.Run(scores, begin, count, scores.Length, keep, rows);
        return rows[..written];
    }

    private static IEnumerable<SelectionCase> Shrink(SelectionCase c)
    {
        if (c.Sinks > 0) yield return c with { Sinks = c.Sinks - 1 };
        if (c.Window > 0) yield return c with { Window = c.Window - 1 };
        if (c.Candidates > c.Keep) yield return c with { Candidates = c.Candidates - 1 };
        if (c.Keep > 0) yield return c with { Keep = c.Keep - 1, Candidates = c.Candidates - 1 };
        if (c.Seed > 0) yield return c with { Seed = c.Seed / 2 };
    }
}
