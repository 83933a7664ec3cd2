using KvIL.Ops;

namespace KvIL.Reference.Kernels;

/// <summary><c>y[h, j] = x[h, j] · Σ_{best b} x[h] / Σ x[h]</c>, b the uniform share in whole rows; sums in double, rows ascending.</summary>
internal sealed class ScaleByMassStep(ScaleByMassOp op) : Step
{
    public override void Run(Frame f)
    {
        RunScores s = new(f, op.X, op.Y, f.Store(op.Store), op.Sequence, op.Sinks, op.Window);
        long free = f.Value(op.Total);
        for (int h = 0; h < s.Heads; h++) free -= s.Rows(h) - s.Candidates(h);
        long share = Math.Max(free, 0) / s.Heads;
        for (int h = 0; h < s.Heads; h++) Scale(s, h, (int)Math.Min(share, s.Candidates(h)));
    }

    private static void Scale(RunScores s, int head, int best)
    {
        ReadOnlySpan<float> x = s.Given(head);
        Span<float> y = s.Fresh(head);
        double sum = 0, mass = 0;
        foreach (float score in x) sum += score;
        foreach (int j in s.Best(head, best)) mass += x[j];
        double factor = sum > 0 && double.IsFinite(sum) ? mass / sum : 1;
        for (int j = 0; j < x.Length; j++) y[j] = (float)(x[j] * factor);
    }
}
