using KvIL.Conformance.Theory;
using KvIL.Eviction;

namespace KvIL.Conformance.Generators;

/// <summary>Scores of a layer's heads, and a uniform share.</summary>
/// <param name="Candidates">Rows of each head.</param>
/// <param name="Part">Numerator of the uniform share.</param>
/// <param name="Parts">Its denominator.</param>
/// <param name="Kind">What the scores hold; normal ones have no ties.</param>
/// <param name="Seed">Seed of the scores.</param>
public sealed record HeadsCase(int[] Candidates, int Part, int Parts, ValueKind Kind, int Seed) : ICase<HeadsCase>
{
    internal int Heads => Candidates.Length;

    internal int Rows => Candidates.Sum();

    internal Ratio Share => new(Part, Parts);

    /// <inheritdoc/>
    public static HeadsCase Generate(Random random)
    {
        int heads = random.Next(1, 6), parts = random.Next(1, 13), same = random.Next(0, 10);
        bool equal = random.Next(2) == 0;
        int[] candidates = [.. Enumerable.Range(0, heads).Select(_ => equal ? same : random.Next(0, 10))];
        return new(candidates, random.Next(0, parts + 1), parts, random.Of(ValueKind.Normal, ValueKind.Ties, ValueKind.Specials), random.Next());
    }

    /// <inheritdoc/>
    public IEnumerable<HeadsCase> Shrink()
    {
        if (Heads > 1) yield return this with { Candidates = Candidates[1..] };
        if (Candidates.All(n => n > 0)) yield return this with { Candidates = [.. Candidates.Select(n => n - 1)] };
        for (int h = 0; h < Heads; h++)
        {
            int[] fewer = [.. Candidates];
            if (fewer[h]-- > 0) yield return this with { Candidates = fewer };
        }

        if (Parts > 1) yield return this with { Part = 1, Parts = Parts - 1 };
    }

    /// <inheritdoc/>
    public override string ToString() => $"heads [{string.Join(' ', Candidates)}], share {Part}/{Parts}, {Kind}, seed {Seed}";

    /// <summary>The case with heads of one length, at least one row, and at most <paramref name="most"/> rows in all.</summary>
    internal HeadsCase Equal(int most = int.MaxValue)
    {
        int heads = Math.Min(Heads, most), rows = Math.Clamp(Candidates[0], 1, most / heads);
        return this with { Candidates = [.. Enumerable.Repeat(rows, heads)] };
    }

    /// <summary><c>scores[h][j]</c>.</summary>
    internal float[][] Scores() => Rowed(Draw.Values(Seed, 1, Rows, Kind));

    /// <summary>Distinct positive whole numbers: no ties, and sums are exact.</summary>
    internal float[][] Distinct()
    {
        int[] ranks = [.. Enumerable.Range(1, Rows)];
        new Random(Seed).Shuffle(ranks);
        return Rowed([.. ranks.Select(x => (double)x)]);
    }

    /// <summary>Attention <c>[h, n]</c> of heads of one length, in multiples of 2⁻²⁰; and the same as scores, exactly.</summary>
    internal (double[,] A, float[][] Scores) Attention()
    {
        double[,] a = LossCase.Attention(Seed, Heads, Candidates[0]);
        return (a, [.. Enumerable.Range(0, Heads).Select(i => Arrays.Row(a, i).Select(x => (float)x).ToArray())]);
    }

    private float[][] Rowed(double[] values)
    {
        int next = 0;
        return [.. Candidates.Select(n => Enumerable.Range(0, n).Select(_ => (float)values[next++]).ToArray())];
    }
}
