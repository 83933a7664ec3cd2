using KvIL.Conformance.Theorems;
using KvIL.Eviction;
using KvIL.Eviction.Scores;

namespace KvIL.Tests.Laws;

// The code of docs/add-a-policy.md, word for word: a test compares them.

/// <summary>Rows in proportion to how many rows a head spreads its attention over: (Σ s)² / Σ s².</summary>
public class SpreadMath : EvictionMath
{
    public override PolicyClaims Claims => PolicyClaims.All & ~PolicyClaims.Monotone; // a remainder may move

    public override int[] Allocate(float[][] scores, long total)
    {
        int[] budgets = new int[scores.Length];
        long[] weights = ProportionalBudgets.Weights([.. scores.Select(Spread)]);
        ProportionalBudgets.Split(weights, [.. scores.Select(row => row.Length)], total, budgets);
        return budgets;
    }

    private static double Spread(float[] row)
    {
        double[] s = [.. row.Where(x => x > 0 && float.IsFinite(x)).Select(x => (double)x)];
        return s.Length == 0 ? 0 : s.Sum() * s.Sum() / s.Sum(x => x * x);
    }
}

/// <summary>What the last query reads of a row: its attention times the length of the row's value.</summary>
public sealed class LastReadScorer : IScorer
{
    public string Name => "last-read";

    public ScoreNeeds Needs => ScoreNeeds.LastRow | ScoreNeeds.Values;

    public void Score(ScoreView x)
    {
        int group = x.QueryHeads / x.KvHeads, d = x.HeadDim;
        for (int i = 0; i < x.QueryHeads; i++)
        {
            int head = i / group;
            float[] attention = new float[x.Rows(head)];
            x.Attention(i, x.Queries - 1, attention);
            for (int j = 0; j < attention.Length; j++)
            {
                float square = 0;
                foreach (float v in x.Values(head).Slice(j * d, d)) square += v * v;
                x.Scores(head)[j] += attention[j] * MathF.Sqrt(square);
            }
        }
    }
}

/// <summary>Both together, for the laws.</summary>
public sealed class MyMath : SpreadMath
{
    public override IScorer Scorer { get; } = new LastReadScorer();
}
