using FsCheck;
using FsCheck.Fluent;
using KvIL.Eviction;
using KvIL.Reference.Kernels;

namespace KvIL.Tests.Eviction;

/// <summary>What scores look like.</summary>
public enum Values
{
    /// <summary>Distinct positive whole numbers: no ties, and sums are exact.</summary>
    Distinct,

    /// <summary>Five values, both zeros among them.</summary>
    Ties,

    /// <summary>Ties, NaN and infinities.</summary>
    Specials,
}

/// <summary>
/// A store's scores: one candidate count per head, values from a seed so that shrinking changes shapes.
/// </summary>
public sealed record AllocationCase(int[] Candidates, Ratio Floor, Values Values, int Seed)
{
    public int Heads => Candidates.Length;

    public int Rows => Candidates.Sum();

    /// <summary>Heads of unequal sizes, as after a first compaction.</summary>
    public static Arbitrary<AllocationCase> Ragged { get; } = Cases(Gen.Choose(1, 5).SelectMany(h => Gen.Choose(0, 9).ArrayOf(h)));

    /// <summary>Heads of one size, as after a prompt.</summary>
    public static Arbitrary<AllocationCase> Equal { get; } = Cases(
        from h in Gen.Choose(1, 5) from n in Gen.Choose(0, 9) select Enumerable.Repeat(n, h).ToArray());

    /// <summary>At most 12 rows of one size, no ties: small enough to try every keep set.</summary>
    public static Arbitrary<AllocationCase> Tiny { get; } = Cases(
        from h in Gen.Choose(1, 4) from n in Gen.Choose(1, 12 / h) select Enumerable.Repeat(n, h).ToArray(), Values.Distinct);

    /// <summary><c>scores[h][j]</c>.</summary>
    public float[][] Scores()
    {
        var random = new Random(Seed);
        int[] distinct = [.. Enumerable.Range(1, Rows)];
        random.Shuffle(distinct);
        int next = 0;
        return [.. Candidates.Select(n => Enumerable.Range(0, n).Select(_ => Value(random, distinct[next++])).ToArray())];
    }

    public override string ToString() => $"[{string.Join(' ', Candidates)}] floor {Floor} {Values} seed {Seed}";

    /// <summary>
    /// Runs the kernel on rows of one stride, with what must not be read around each range and in the scratch.
    /// </summary>
    public static int[] Kernel(float[][] scores, long total, HeadAllocation mode, Ratio floor)
    {
        int stride = scores.Max(s => s.Length) + 5;
        float[] all = new float[scores.Length * stride];
        Array.Fill(all, float.PositiveInfinity);
        int[] begins = [.. scores.Select((_, h) => h % 4)];
        int[] counts = [.. scores.Select(s => s.Length)];
        for (int h = 0; h < scores.Length; h++) scores[h].CopyTo(all, (h * stride) + begins[h]);
        int[] scratch = new int[AllocateHeads.ScratchLength(scores.Length)];
        Array.Fill(scratch, -1);
        int[] result = new int[scores.Length];
        AllocateHeads.Run(new(all, stride, begins, counts), total, mode, floor, result, scratch);
        return result;
    }

    private float Value(Random random, int distinct) => Values switch
    {
        Values.Distinct => distinct,
        Values.Specials when random.Next(3) == 0 =>
            random.GetItems([float.NaN, float.PositiveInfinity, float.NegativeInfinity], 1)[0],
        _ => random.GetItems([-2f, -0f, 0f, 0.25f, 3f], 1)[0],
    };

    private static Arbitrary<AllocationCase> Cases(Gen<int[]> candidates, params Values[] values) => Arb.From(
        from n in candidates
        from parts in Gen.Choose(1, 12)
        from part in Gen.Choose(0, parts)
        from kind in Gen.Elements(values.Length == 0 ? Enum.GetValues<Values>() : values)
        from seed in Gen.Choose(0, 1 << 20)
        select new AllocationCase(n, new Ratio(part, parts), kind, seed), Shrink);

    private static IEnumerable<AllocationCase> Shrink(AllocationCase c)
    {
        bool equal = c.Candidates.Distinct().Count() == 1;
        if (c.Heads > 1) yield return c with { Candidates = c.Candidates[1..] };
        if (equal && c.Candidates[0] > 1) yield return c with { Candidates = [.. c.Candidates.Select(n => n - 1)] };
        for (int h = 0; !equal && h < c.Heads; h++)
        {
            int[] fewer = [.. c.Candidates];
            if (fewer[h]-- > 0) yield return c with { Candidates = fewer };
        }

        if (c.Floor.Denominator > 1) yield return c with { Floor = new Ratio(1, c.Floor.Denominator - 1) };
        if (c.Seed > 0) yield return c with { Seed = c.Seed / 2 };
    }
}
