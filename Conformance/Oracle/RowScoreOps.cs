using KvIL.Conformance.Theory;
using KvIL.Conformance.Theory.Scores;
using KvIL.Eviction;
using KvIL.Eviction.Scores;
using KvIL.Ops;
using LeverageRule = KvIL.Eviction.Scores.LeverageScore;

namespace KvIL.Conformance.Oracle;

/// <summary>Definitions of the published scores over a store: <see cref="Theory.Scores"/>, one KV head and its group at a time.</summary>
internal static class RowScoreOps
{
    // y[h, j] by the rule
    public static void ScoreRows(ScoreRowsOp op, OracleFrame f)
    {
        LayerRows layer = LayerRows.Of(f, op.Store, op.Window, op.Sequence, op.Tokens, op.Queries, op.Attention) with
        {
            Sinks = f.Value(op.Sinks),
            Window = f.Value(op.Protected),
            Rotary = op.Rotary,
        };
        Matrix y = f.Reals(op.Y);
        if (op.Rule is HostScore own)
        {
            OracleScoreView view = new(op, f, layer);
            own.Scorer.Score(view);
            y.Fill((h, j) => j < view.Rows(h) ? view.Scores(h)[j] : 0);
            return;
        }

        double[][] s = op.Rule is PiecesScore or BlocksScore
            ? PartScores.Of(op.Rule, layer, op.Counts is null ? [] : f.Integers(op.Counts))
            : Scores(op.Rule, layer);
        y.Fill((h, j) => j < s[h].Length ? s[h][j] : 0);
    }

    /// <summary>Scores of all rows of each head; 0 for those that a definition does not rank.</summary>
    public static double[][] Scores(ScoreRule rule, LayerRows x) => rule switch
    {
        TovaScore => Tova(x),
        NonCausalAttentionScore r => Arrays.ZNormalised(NonCausal(r, x)),
        LeverageRule r => Arrays.ZNormalised(Leverage(r, x)),
        RandomRowsScore r => x.OfHeads((head, h) => [.. head.Positions.Select(p => (double)RandomScore.Of((ulong)r.Seed, h, p))]),
        _ => x.OfHeads((head, h) => Of(rule, head, h, x)),
    };

    /// <summary>What <see cref="NonCausalAttentionScore"/> normalises.</summary>
    public static double[][] NonCausal(NonCausalAttentionScore rule, LayerRows x) =>
        x.OfHeads((head, _) => Row(new NonCausalAttention(rule.Chunk).BeforeNormalising(head)));

    /// <summary>What <see cref="LeverageRule"/> normalises.</summary>
    public static double[][] Leverage(LeverageRule rule, LayerRows x) => x.OfHeads((head, _) =>
        new Theory.Scores.LeverageScore(Jitter: Real(rule.Jitter)).BeforeNormalising(Arrays.Vectors(head.PreRopeKeys, 0)));

    // One KV head's scores of all its rows, 0 for those that the definition does not rank.
    private static double[] Of(ScoreRule rule, ScoreInputs h, int head, LayerRows x) => rule switch
    {
        ObservedAttentionScore => Row(new ObservedAttention().Of(h)),
        KnormScore => Row(new Knorm().Of(h)),
        KeyDiffScore => Row(new KeyDiff().Of(h)),
        ExpectedAttentionScore r => After(x.Sinks, h, new ExpectedAttention(x.Sinks, r.Future, Epsilon: Real(r.Epsilon)).Of),
        LagKvScore r => After(x.Sinks, h, new LagKv(x.Sinks, r.Lag).Of),
        FinchScore => Row(new Finch(h.AtHand).OfAllRows(h)),
        CakeScore r => Row(new Cake(h.AtHand, Real(r.Gamma), r.Kernel).OfFirst(h, h.Length - ProtectedRows.Window(h.Length, x.Window))),
        CurDkvScore r => Row(new CurDkv(0, r.Local).Of(h)),
        CapKvScore r => After(x.Sinks, h, new CapKv(x.Sinks, Real(r.Tau), r.Future).Of),
        QFilterScore => Row(new QFilter().Of(new ScoreInputs(h.Keys) { Calibration = x.Direction(head) })),
        _ => throw new NotSupportedException($"oracle: no definition of {rule}."),
    };

    // s[g, j] = mean over all query heads of the last query's weight of the row at the position of row j
    private static double[][] Tova(LayerRows x)
    {
        double[][] sums = x.OfHeads((head, _) =>
        {
            double[,] last = head.LastRow();
            return [.. Enumerable.Range(0, head.Length).Select(j => Enumerable.Range(0, last.GetLength(0)).Sum(i => last[i, j]))];
        });
        double At(int position) => x.Runs.Select((run, h) => Array.IndexOf(run.Positions, position) is >= 0 and int j ? sums[h][j] : 0).Sum();
        return x.OfHeads((head, _) => [.. head.Positions.Select(p => At(p) / x.QueryHeads)]);
    }

    // Definitions that leave the sinks out start behind them.
    private static double[] After(int sinks, ScoreInputs h, Func<ScoreInputs, double[,]> score)
    {
        int begin = ProtectedRows.Sinks(h.Length, sinks, 0);
        return begin == h.Length ? new double[h.Length] : [.. new double[begin], .. Row(score(h))];
    }

    private static double[] Row(double[,] s) => Arrays.Row(s, 0);

    private static double Real(Ratio r) => r.Numerator / (double)r.Denominator;
}
