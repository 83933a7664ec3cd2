using KvIL.Conformance.Theorems;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Eviction.Scores;

namespace KvIL.Tests.Laws;

/// <summary>Wrong scorers, functions with a memory, and faults that only one law is about.</summary>
internal static partial class EvictionMutants
{
    private sealed class A_scorer_with_a_memory : EvictionMath
    {
        private int _calls;

        public override IScorer Scorer => new Scored(base.Scorer, (_, s) => s + Interlocked.Increment(ref _calls));
    }

    private sealed class A_scorer_that_favours_the_first_head : EvictionMath
    {
        public override IScorer Scorer => new Scored(base.Scorer, (h, s) => h == 0 ? s + 1 : s);
    }

    private sealed class Eps_with_something_added : EvictionMath
    {
        public override double Epsilon(double[,] a, double[,,] u, bool[,] kept) => base.Epsilon(a, u, kept) + 1e-3;
    }

    private sealed class C_of_kept_tokens : EvictionMath
    {
        public override double Epsilon(double[,] a, double[,,] u, bool[,] kept)
        {
            double[,] rows = RowNorms(u);
            double norm = Arrays.Table(a.GetLength(0), a.GetLength(1), (i, j) => kept[i, j] ? rows[i, j] : 0).Cast<double>().Max();
            return 2 * norm * DroppedMass(a, kept).Sum();
        }
    }

    private sealed class Scores_in_quarters : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r) =>
            base.AllocateHeads([.. scores.Select(row => row.Select(x => MathF.Round(x * 4) / 4).ToArray())], total, rule, r);
    }

    private sealed class An_allocator_that_sorts_its_input : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r)
        {
            foreach (float[] row in scores) Array.Sort(row);
            return base.AllocateHeads(scores, total, rule, r);
        }
    }

    private sealed class An_own_allocator_that_fills_the_first_heads : EvictionMath
    {
        public override int[] Allocate(float[][] scores, long total) => [.. scores.Select(row =>
        {
            int rows = (int)Math.Min(row.Length, total);
            total -= rows;
            return rows;
        })];
    }

    private sealed class A_selection_that_never_keeps_all : EvictionMath
    {
        public override int[] SelectRows(float[] scores, int begin, int count, int keep) => base.SelectRows(scores, begin, count, Math.Min(keep, Math.Max(0, count - 1)));
    }

    private sealed class The_best_rows_of_an_even_count_and_the_first_of_an_odd_one : EvictionMath
    {
        public override int[] SelectRows(float[] scores, int begin, int count, int keep) =>
            base.SelectRows(keep % 2 == 0 ? scores : new float[scores.Length], begin, count, keep);
    }

    private sealed class A_selection_that_writes_numbers_for_NaN : EvictionMath
    {
        public override int[] SelectRows(float[] scores, int begin, int count, int keep)
        {
            for (int j = 0; j < scores.Length; j++) scores[j] = float.IsNaN(scores[j]) ? float.NegativeInfinity : scores[j];
            return base.SelectRows(scores, begin, count, keep);
        }
    }

    private sealed class Scored(IScorer inner, Func<int, float, float> change) : IScorer
    {
        public string Name => inner.Name;

        public ScoreNeeds Needs => inner.Needs;

        public void Score(ScoreView x)
        {
            inner.Score(x);
            for (int h = 0; h < x.KvHeads; h++)
            {
                foreach (ref float s in x.Scores(h)) s = change(h, s);
            }
        }
    }
}
