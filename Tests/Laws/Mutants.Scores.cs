using KvIL.Conformance.Laws;
using KvIL.Conformance.Oracle;
using KvIL.Eviction;
using KvIL.Eviction.Scores;
using KvIL.Ops;

namespace KvIL.Tests.Laws;

/// <summary>Faults of the published scores: one or more a rule.</summary>
internal static partial class Mutants
{
    private static IEnumerable<Mutant> Rules =>
    [
        Scored<ObservedAttentionScore>("Observed attention forgets the queries of the window's start", (op, f) =>
            op with { Queries = Math.Max(1, f.Value(op.Queries) - 1) }),
        Scored<ObservedAttentionScore>("Observed attention forgets the model's window", (op, _) => op with { Attention = op.Attention with { Window = null } }),
        Scored<ObservedAttentionScore>("Observed attention sums instead of averaging", (op, f) => Changed(op, f, (_, j, s) => s * (j + 1))),
        Scored<TovaScore>("Tova takes the query before the last", (op, f) => op with { Tokens = f.Value(op.Tokens) + 1 }),
        Scored<TovaScore>("Tova is the attention of each group alone", (op, _) => op with { Rule = new FinchScore(), Queries = 1 }),
        Scored<KnormScore>("Knorm keeps the longest", (op, f) => Changed(op, f, (_, _, s) => -s)),
        Scored<KnormScore>("Knorm squares", (op, f) => Changed(op, f, (_, _, s) => -s * s)),
        Scored<KeyDiffScore>("KeyDiff keeps what is alike", (op, f) => Changed(op, f, (_, _, s) => -s)),
        Scored<ExpectedAttentionScore>("Expected attention forgets the sinks", (op, _) => op with { Sinks = 0 }),
        Scored<ExpectedAttentionScore>("Expected attention looks one position less ahead", (op, f) =>
            op with { Rule = (ExpectedAttentionScore)op.Rule with { Future = ((ExpectedAttentionScore)op.Rule).Future - 1 } }),
        Scored<ExpectedAttentionScore>("Expected attention forgets epsilon", (op, f) =>
            op with { Rule = (ExpectedAttentionScore)op.Rule with { Epsilon = default } }),
        Scored<LagKvScore>("LagKV counts blocks from the first row", (op, _) => op with { Sinks = 0 }),
        Scored<LagKvScore>("LagKV ranks downwards", (op, f) => Changed(op, f, (_, _, s) => 1 - s)),
        Scored<FinchScore>("Finch is one token late", (op, f) => op with { Tokens = f.Value(op.Tokens) + 1 }),
        Scored<FinchScore>("Finch forgets the factor", (op, f) => Changed(op, f, (_, _, s) => s / f.Value(op.Tokens))),
        Scored<CakeScore>("Cake forgets the variance", (op, _) => op with { Rule = (CakeScore)op.Rule with { Gamma = default } }),
        Scored<CakeScore>("Cake does not pool", (op, _) => op with { Rule = (CakeScore)op.Rule with { Kernel = 1 } }),
        Scored<CurDkvScore>("CurDKV forgets its windows", (op, _) => op with { Rule = new CurDkvScore(0) }),
        Scored<NonCausalAttentionScore>("Non-causal attention has longer chunks", (op, _) => op with { Rule = new NonCausalAttentionScore(((NonCausalAttentionScore)op.Rule).Chunk + 1) }),
        Scored<NonCausalAttentionScore>("Non-causal attention is not normalised", (op, f) => Changed(op, f, (_, _, s) => (2 * s) + 1)),
        Scored<LeverageScore>("Leverage looks at keys after RoPE", (op, _) => op with { Rotary = Rotary.None }),
        Scored<LeverageScore>("Leverage forgets the jitter's size", (op, _) => op with { Rule = new LeverageScore(new(1, 1)) }),
        Scored<CapKvScore>("CapKV forgets the sinks", (op, _) => op with { Sinks = 0 }),
        Scored<CapKvScore>("CapKV is twice as warm", (op, _) => op with { Rule = (CapKvScore)op.Rule with { Tau = new(5, 2) } }),
        Scored<QFilterScore>("QFilter keeps what queries avoid", (op, f) => Changed(op, f, (_, _, s) => -s)),
        Scored<QFilterScore>("QFilter takes fewer queries", (op, f) => op with { Queries = Math.Max(1, f.Value(op.Queries) - 1) }),
        Scored<RandomRowsScore>("Random has another seed", (op, _) => op with { Rule = new RandomRowsScore(((RandomRowsScore)op.Rule).Seed + 1) }),
        Mutant.Of<ScoreRowsOp>("A user's score sees keys for values", ScoreRowsLaws.HostScoreSees, (op, f) =>
        {
            OracleOps.Execute(op, f);
            if (op.Rule.Needs == ScoreNeeds.Values) OracleOps.Execute(op with { Rule = new KnormScore() }, f);
        }),
        Mutant.Of<ScoreRowsOp>("A user's score sees queries one position late", ScoreRowsLaws.HostScoreSees, (op, f) =>
            op.Rule.Needs == ScoreNeeds.Queries ? op with { Tokens = f.Value(op.Tokens) + 1 } : op),
        Mutant.Of<ScoreRowsOp>("A user's score sees keys before RoPE turned the wrong way", ScoreRowsLaws.HostScoreSees, (op, _) =>
            op with { Rotary = op.Rotary with { Frequencies = [.. op.Rotary.Frequencies.Select(w => -w)] } }),
    ];

    private static IEnumerable<Mutant> Rankings =>
    [
        Mutant.Of<WeighHeadsOp>("WeighHeads forgets the weights", RankingLaws.Weighs, (op, f) => f.Reals(op.Y).Fill((i, j) => f.Reals(op.X)[i, j])),
        Mutant.Of<WeighHeadsOp>("WeighHeads takes the rows of the first head", RankingLaws.Weighs, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix x = f.Reals(op.X), y = f.Reals(op.Y);
            double first = y[0, 0] / x[0, 0];
            y.Fill((i, j) => y[i, j] == 0 ? 0 : first * x[i, j]);
        }),
        Mutant.Of<ScaleByMassOp>("ScaleByMass counts protected rows in the share", RankingLaws.ScalesByMass, (op, f) =>
            op with { Total = f.Value(op.Total) + f.Store(op.Store).StoreSpec.NumKvHeads }),
        Mutant.Of<ScaleByMassOp>("ScaleByMass divides", RankingLaws.ScalesByMass, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix x = f.Reals(op.X), y = f.Reals(op.Y);
            y.Fill((h, j) => y[h, j] == 0 ? 0 : x[h, j] * x[h, j] / y[h, j]);
        }),
        Mutant.Of<TwoStageScoresOp>("TwoStageScores forgets the first stage", RankingLaws.TwoStages, (op, f) =>
            Replaced(f.Integers(op.Counts), new int[f.Integers(op.Counts).Count], () => OracleOps.Execute(op, f))),
        Mutant.Of<TwoStageScoresOp>("TwoStageScores forgets what heads were promised", RankingLaws.TwoStages, (op, _) => op with { Promised = default }),
        Mutant.Of<TwoStageScoresOp>("TwoStageScores forgets epsilon", RankingLaws.TwoStages, (op, _) => op with { Epsilon = default }),
        Mutant.Of<ScoreRowsOp>("Pieces are one row longer", PartScoresLaws.Pieces, (op, _) => op.Rule is PiecesScore p ? op with { Rule = p with { Length = p.Length + 1 } } : op),
        Mutant.Of<ScoreRowsOp>("Pieces begin with the first row", PartScoresLaws.Pieces, (op, _) => op.Rule is PiecesScore ? op with { Sinks = 0 } : op),
        Mutant.Of<ScoreRowsOp>("Blocks come all at once", PartScoresLaws.Blocks, (op, _) => op.Rule is BlocksScore b ? op with { Rule = b with { Length = 1 << 20 } } : op),
        Mutant.Of<ScoreRowsOp>("Blocks keep one row less", PartScoresLaws.Blocks, (op, f) =>
        {
            if (op.Counts is null) OracleOps.Execute(op, f);
            else Replaced(f.Integers(op.Counts), [.. f.Integers(op.Counts).Select(n => Math.Max(0, n - 1))], () => OracleOps.Execute(op, f));
        }),
        Mutant.Of<ChunkScoresOp>("ChunkScores counts chunks from the first row", RankingLaws.Chunks, (op, _) => op with { Sinks = 0 }),
        Mutant.Of<ChunkScoresOp>("ChunkScores has shorter chunks", RankingLaws.Chunks, (op, _) => op with { Chunk = Math.Max(1, op.Chunk - 1) }),
        Mutant.Of<ProtectRowsOp>("ProtectRows goes by rows", RankingLaws.Protects, (op, f) =>
        {
            OracleOps.Execute(op, f);
            OracleStore store = f.Store(op.Store);
            Matrix x = f.Reals(op.X);
            f.Reals(op.Y).Fill((h, j) => j >= store.Run(f.Value(op.Sequence), h).Length ? 0
                : f.Integers(op.Positions).Contains(j) ? double.PositiveInfinity : x[h, j]);
        }),
        Mutant.Of<RerotateOp>("Rerotate turns the other way", RerotateLaws.Agrees, (op, _) =>
            op with { Rotary = op.Rotary with { Frequencies = [.. op.Rotary.Frequencies.Select(w => -w)] } }),
        Mutant.Of<RerotateOp>("Rerotate turns the other way and back", RerotateLaws.KeepsLogits, (op, _) =>
            op with { Rotary = op.Rotary with { Frequencies = [.. op.Rotary.Frequencies.Select(w => -w)] } }),
        Mutant.Of<RerotateOp>("Rerotate moves another sequence", RerotateLaws.Agrees, (op, f) => op with { Sequence = f.Value(op.Sequence) == 0 ? 0 : f.Value(op.Sequence) - 1 }),
        Mutant.Of<LayerPreferenceOp>("LayerPreference forgets the shift", RankingLaws.Prefers, (op, _) => op with { Tau = (op.Tau.Dispersion, new(1_000_000, 1)) }),
        Mutant.Of<LayerPreferenceOp>("LayerPreference is one token late", RankingLaws.Prefers, (op, f) => op with { Tokens = f.Value(op.Tokens) + 1 }),
        Mutant.Of<AllocateHeadsOp>("AllocateHeads by mask forgets the protected rows", AllocateHeadsLaws.Masked, (op, _) =>
            op.Rule == HeadAllocation.Mask ? op with { Rule = HeadAllocation.Floor } : op),
    ];

    private static Mutant Scored<TRule>(string name, Func<ScoreRowsOp, OracleFrame, ScoreRowsOp> instead)
        where TRule : ScoreRule => Mutant.Of<ScoreRowsOp>(name, ScoreRowsLaws.Of<TRule>(), (op, f) => OracleOps.Execute(instead(op, f), f));

    private static Mutant Scored<TRule>(string name, Action<ScoreRowsOp, OracleFrame> run)
        where TRule : ScoreRule => Mutant.Of<ScoreRowsOp>(name, ScoreRowsLaws.Of<TRule>(), run);

    // The right scores, changed.
    private static void Changed(ScoreRowsOp op, OracleFrame f, Func<int, int, double, double> change)
    {
        OracleOps.Execute(op, f);
        Matrix y = f.Reals(op.Y);
        y.Fill((h, j) => change(h, j, y[h, j]));
    }
}
