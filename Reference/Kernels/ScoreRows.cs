using KvIL.Eviction.Scores;
using KvIL.Ops;
using KvIL.Reference.Scores;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary>Lets a rule's scorer see the rows: see <see cref="ScoreRowsOp"/>.</summary>
internal sealed class ScoreRowsStep(ScoreRowsOp op) : Step
{
    private readonly IScorer _scorer = Scorers.Of(op.Rule);

    public override long ScratchBytes(int workers) => DType.F32.SizeBytes(HostScoreView.ScratchFloats(op));

    public override void Run(Frame frame) => _scorer.Score(new HostScoreView(op, frame));
}
