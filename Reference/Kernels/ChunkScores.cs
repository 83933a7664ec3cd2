using KvIL.Ops;

namespace KvIL.Reference.Kernels;

/// <summary>Every row of a chunk gets <c>Σ_g mean of x[g]</c> over the chunk's rows that head g has, in double, rounded once.</summary>
internal sealed class ChunkScoresStep(ChunkScoresOp op) : Step
{
    public override void Run(Frame f)
    {
        RunScores s = new(f, op.X, op.Y, f.Store(op.Store), op.Sequence, op.Sinks, op.Window);
        int longest = 0;
        for (int h = 0; h < s.Heads; h++) longest = Math.Max(longest, s.Candidates(h));
        double[] chunks = new double[(longest + (long)op.Chunk - 1) / op.Chunk];
        for (int h = 0; h < s.Heads; h++)
        {
            ReadOnlySpan<float> x = s.Given(h);
            for (int c = 0; c < chunks.Length && c * (long)op.Chunk < x.Length; c++)
            {
                ReadOnlySpan<float> rows = x.Slice(c * op.Chunk, Math.Min(op.Chunk, x.Length - (c * op.Chunk)));
                double sum = 0;
                foreach (float score in rows) sum += score;
                chunks[c] += sum / rows.Length;
            }
        }

        for (int h = 0; h < s.Heads; h++)
        {
            Span<float> y = s.Fresh(h);
            for (int j = 0; j < y.Length; j++) y[j] = (float)chunks[j / op.Chunk];
        }
    }
}
