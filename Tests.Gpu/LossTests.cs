using KvIL.Plans;
using KvIL.Tensors;
using KvIL.Tests.Gpu.Support;
using Xunit;

namespace KvIL.Tests.Gpu;

/// <summary>The loss and its bounds against Reference.</summary>
public sealed class LossTests(Devices devices) : IClassFixture<Devices>
{
    [Theory]
    [InlineData(DType.F32, DType.F32, 32, 1, new[] { 20, 9 }, new[] { 5, 4 })]
    [InlineData(DType.F16, DType.BF16, 64, 3, new[] { 33, 17 }, new[] { 9, 17 })]
    [InlineData(DType.F32, DType.F16, 128, 4, new[] { 7, 5 }, new[] { 1, 0 })]
    public void EvictionLoss_agrees_within_the_bound_of_its_terms(DType rows, DType weights, int d, int group, int[] lengths, int[] counts)
    {
        const int Window = 3, Width = 40;
        Random random = new(d);
        HostStore store = HostStore.Random(random, rows, 1, 2, d, lengths, slack: 1);
        int queryHeads = 2 * group;
        float[] window = Draw.Normals(random, Window * queryHeads * d);
        float[] projection = Draw.Coarse(random, Width * queryHeads * d);
        int[] kept = [.. lengths.Zip(counts).SelectMany(pair => Enumerable.Range(0, pair.First).OrderBy(_ => random.Next()).Take(pair.Second).Order())];
        float scale = 1 / MathF.Sqrt(d);

        PlanBuilder b = new();
        Slot windowSlot = b.Input("window", new TensorSpec(DType.F32, 1, Window, queryHeads * d));
        Slot storeSlot = b.Input("store", store.Spec with { Rows = 0 });
        Slot countSlot = b.Input("counts", new TensorSpec(DType.I32, 2)), rowSlot = b.Input("rows", new TensorSpec(DType.I32, kept.Length + 1));
        Slot weightSlot = b.Input("projection", new TensorSpec(weights, Width, queryHeads * d));
        Slot y = b.Output(b.EvictionLoss(windowSlot, storeSlot, countSlot, rowSlot, weightSlot, 0, store.Tokens(0), scale));
        Given given = new()
        {
            Inputs =
            {
                [windowSlot] = window,
                [storeSlot] = store,
                [countSlot] = counts,
                [rowSlot] = (int[])[.. kept, 0],
                [weightSlot] = projection,
            },
        };
        (Results expected, Results actual) = devices.Run(b.Build("loss"), given);
        float[] figures = expected.Floats(y);
        Assert.True(figures[0] > 0 && figures[0] <= figures[1] && figures[1] <= figures[2] * 1.00001 && figures[2] <= figures[3] * 1.00001);

        double largestNorm = LargestAbsoluteNorm(store, projection, queryHeads, group, Width);
        double relative = Relative(store, window, queryHeads, group, store.Tokens(0), Window, scale);

        // The attention that moves is at most 2 for each head, so every figure is a sum of terms of at most 2 · heads · ‖u‖₁.
        // ‖u‖₁ comes from chains within γ_d of Σ|v·w| on both sides, which Reference adds up in float over 32 lanes;
        // the figures are rounded once on both sides.
        double norms = (2 * Bounds.Gamma(d)) + Bounds.Gamma(Width) + (2 * Bounds.U);
        double bound = 2.0 * queryHeads * largestNorm * (relative + norms);
        Same.Within("L, θ, ε_head, ε", figures, actual.Floats(y), _ => bound);
    }

    // Relative error of A (1 − F)/F. Reference takes it in double; here its exponentials are of float32, their arguments,
    // at most 2 · terms, rounded to u of themselves. Ten of them meet: A has its own and those of Σ exp, which are a row's, a lane's
    // rescale and that of the join; the dropped and the kept part have three each too.
    private static double Relative(HostStore store, float[] window, int queryHeads, int group, int tokens, int w, float scale)
    {
        int d = store.Spec.HeadDim;
        double largest = 0;
        for (int head = 0; head < queryHeads; head++)
        {
            ReadOnlySpan<float> q = window.AsSpan(((((tokens - 1) % w) * queryHeads) + head) * d, d);
            for (int j = 0; j < store.Lengths[head / group]; j++)
            {
                largest = Math.Max(largest, ScoreTests.Terms(q, store.Key(head / group, j)) * scale);
            }
        }

        return 10 * (Bounds.Exp + (2 * Bounds.U * largest));
    }

    // max_j Σ_c Σ_k |v_k W_ck|: what the rounding of ‖u_j‖₁ is relative to.
    private static double LargestAbsoluteNorm(HostStore store, float[] projection, int queryHeads, int group, int width)
    {
        int d = store.Spec.HeadDim;
        double largest = 0;
        for (int head = 0; head < queryHeads; head++)
        {
            for (int j = 0; j < store.Lengths[head / group]; j++)
            {
                double norm = 0;
                for (int c = 0; c < width; c++)
                {
                    norm += ScoreTests.Terms(store.Value(head / group, j), projection.AsSpan(((c * queryHeads) + head) * d, d));
                }

                largest = Math.Max(largest, norm);
            }
        }

        return largest;
    }
}
