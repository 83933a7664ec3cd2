using KvIL.Conformance.Theorems;
using KvIL.Eviction;
using KvIL.Eviction.Scores;

namespace KvIL.Tests.Laws;

/// <summary>Wrong scorers.</summary>
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
