using System.Collections.Immutable;
using KvIL.Conformance.Generators;
using KvIL.Eviction;
using KvIL.Eviction.Scores;
using KvIL.Ops;
using KvIL.Plans;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of <see cref="ScoreRowsOp"/>: every published rule agrees with its definition, wherever rows compete.</summary>
public static class ScoreRowsLaws
{
    /// <summary>One law a rule.</summary>
    public static ImmutableArray<Law> Agree { get; } =
    [
        Of<ObservedAttentionScore>("Observed", "class Transcendental", (_, t) => By(t.Spreads, (x, s) => Tolerance.WindowScore(x, Math.Min(t.Case.Queries, 32), s))),
        Of<TovaScore>("Tova", "class Rounded", (_, t) => (h, j, s) => Tolerance.Relative(t.RealSpread, s) + (2 * Tolerance.U * Math.Abs(s)) + Tolerance.Tiny),
        Of<KnormScore>("Knorm", "class Rounded(1)", (_, _) => (h, j, s) => Tolerance.Rounded(1, s)),
        Of<KeyDiffScore>("KeyDiff", "class Rounded(1) of a sum that cancels", (_, t) => By(t.Anchors, (x, s) => Tolerance.Cosine(t.Case.Columns, t.Case.Store.HeadDim, x, s))),
        Of<ExpectedAttentionScore>("Expected", "class Transcendental", (_, t) => By(t.ExpectedLogits, (x, s) => Tolerance.Relative(2 * x, s))),
        Of<LagKvScore>("LagKv", "class Rounded(1) of a rank", (r, t) => t.Ranks(r)),
        Of<FinchScore>("Finch", "class Transcendental", (_, t) => By(t.Spreads, (x, s) => Tolerance.WindowScore(x, 3, s) + (t.Case.Columns * Tolerance.Tiny))),
        Of<CakeScore>("Cake", "class Transcendental", (r, t) => By(t.Spreads, (x, s) => Tolerance.Moments(x, r.Gamma.Numerator / (double)r.Gamma.Denominator, s))),
        Of<CurDkvScore>("CurDkv", "class Rounded(1)", (_, _) => (h, j, s) => Tolerance.Rounded(1, s)),
        Of<NonCausalAttentionScore>("NonCausal", "class Transcendental, normalised", (r, t) => t.NonCausal(r)),
        Of<LeverageScore>("Leverage", "a ridge's sensitivity, normalised", (r, t) => t.Leverage(r)),
        Of<CapKvScore>("CapKv", "class Transcendental and a ridge's sensitivity", (r, t) => By(t.Capacities(r), Tolerance.Relative)),
        Of<QFilterScore>("QFilter", "an eigenvector's sensitivity", (_, t) => t.Filter()),
        Of<RandomRowsScore>("Random", "class Exact", (_, _) => (h, j, s) => 0),
    ];

    /// <summary>A user's own score sees what the oracle shows, of everything that there is to see.</summary>
    public static Law<ScoreCase> HostScoreSees { get; } = new("HostScore_sees_what_the_oracle_shows", "ScoreView", (laws, c) =>
    {
        c = Moderate(c);
        ScoreTerms terms = new(c);
        foreach (Sight sight in Enum.GetValues<Sight>())
        {
            (Scenario s, Slot y) = c.Plan(new HostScore(new SightScorer(sight)));
            (PlanResults expected, PlanResults actual) = laws.Run(s);
            double[] truth = expected.Reals(y), magnitude = sight == Sight.ProjectedNorms ? Magnitude(laws, c) : truth;
            Expect.Within(truth, actual.Reals(y), i => sight switch
            {
                Sight.Attention => Tolerance.Relative(terms.RealSpread, truth[i]) + Tolerance.Rounded(2, truth[i]) + (c.Queries * Tolerance.Tiny),
                Sight.ProjectedNorms => Tolerance.Reduction(c.Store.HeadDim + 6, magnitude[i]),
                _ => Tolerance.Rounded(3, truth[i]),
            });
        }
    });

    /// <summary>The law of the rule of a type.</summary>
    public static Law<ScoreCase> Of<TRule>()
        where TRule : ScoreRule => (Law<ScoreCase>)Agree[ScoreCase.Generate(new Random(0)).Rules.Index().Single(r => r.Item is TRule).Index];

    /// <summary>Large logits make the bounds of what is squared or not divided by √d say nothing.</summary>
    internal static ScoreCase Moderate(ScoreCase c) => c with { Store = c.Store with { Queries = c.Store.Queries == ValueKind.Large ? ValueKind.Normal : c.Store.Queries } };

    // Projections without signs: terms of the sums of the norms.
    private static double[] Magnitude(LawContext laws, ScoreCase c)
    {
        (Scenario s, Slot y) = c.Plan(new HostScore(new SightScorer(Sight.ProjectedNorms)), c.Store.Store().AbsValues(), absolute: true);
        return laws.Oracle.Run(s).Reals(y);
    }

    private static Law Of<TRule>(string name, string source, Func<TRule, ScoreTerms, Func<int, int, double, double>> bounds)
        where TRule : ScoreRule => new Law<ScoreCase>($"{name}_scores_agree_with_the_definition", $"{typeof(TRule).Name}; {source}", (laws, c) =>
        {
            c = Moderate(c);
            TRule rule = c.Rules.OfType<TRule>().Single();
            (Scenario s, Slot y) = c.Plan(rule);
            (PlanResults expected, PlanResults actual) = laws.Run(s);
            double[] truth = expected.Reals(y);
            (int columns, int[] lengths) = (c.Columns, c.Lengths);
            Func<int, int, double, double> bound = bounds(rule, new ScoreTerms(c));
            (double[] candidates, double[] scores) = (new double[truth.Length], actual.Reals(y));
            for (int i = 0; i < truth.Length; i++)
            {
                (int h, int j) = (i / columns, i % columns);
                (int sinks, int window) = rule.Protected(lengths[h], c.Sinks, c.Window);
                bool competes = Competes(lengths[h], sinks, window, j) || j >= lengths[h];
                candidates[i] = competes ? truth[i] : scores[i]; // what protected rows get does not matter
            }

            Expect.Within(candidates, scores, i => i % columns < lengths[i / columns] ? bound(i / columns, i % columns, truth[i]) : 0);
        });

    // A bound by what is known of the row's head, and the score.
    private static Func<int, int, double, double> By(double[] heads, Func<double, double, double> bound) => (h, _, s) => bound(heads[h], s);

    private static bool Competes(int length, int sinks, int window, int row)
    {
        int begin = ProtectedRows.Sinks(length, sinks, window);
        return row >= begin && row < begin + ProtectedRows.Candidates(length, sinks, window);
    }
}
