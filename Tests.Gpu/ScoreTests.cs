using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Tensors;
using KvIL.Tests.Gpu.Support;
using Xunit;

namespace KvIL.Tests.Gpu;

/// <summary>Scores against Reference: sums within their bound, everything else the same numbers.</summary>
public sealed class ScoreTests(Devices devices) : IClassFixture<Devices>
{
    [Theory]
    [InlineData(DType.F32, 32, 1, 4, new[] { 9, 33 })]
    [InlineData(DType.F32, 32, 3, 5, new[] { 70, 5 })]
    [InlineData(DType.F16, 32, 4, 3, new[] { 65, 64 })]
    [InlineData(DType.F32, 64, 4, 2, new[] { 12, 31 })]
    [InlineData(DType.F16, 128, 3, 2, new[] { 10, 3 })]
    [InlineData(DType.F32, 36, 1, 33, new[] { 40, 66 })]
    public void WindowScores_agree_within_the_bound_of_a_softmax(DType rows, int d, int group, int w, int[] lengths)
    {
        Random random = new(d + w);
        HostStore store = HostStore.Random(random, rows, 2, 1, d, lengths, slack: 1);
        for (int sequence = 0; sequence < 2; sequence++)
        {
            float[] window = Draw.Normals(random, 2 * w * group * d);
            float scale = 1 / MathF.Sqrt(d);
            PlanBuilder b = new();
            Symbol s = b.Symbol("sequence", 1), tokens = b.Symbol("tokens", 512), length = b.Symbol("length", 80);
            Slot windowSlot = b.Input("window", new TensorSpec(DType.F32, 2, w, group * d));
            Slot storeSlot = b.Input("store", store.Spec with { Rows = 0 });
            Slot y = b.Output(b.WindowScores(windowSlot, storeSlot, s, tokens, length, scale));
            Given given = new() { Inputs = { [windowSlot] = window, [storeSlot] = store } };
            int columns = store.Longest(sequence) + 2;
            (given.Symbols[s], given.Symbols[tokens], given.Symbols[length]) = (sequence, Math.Max(store.Tokens(sequence), w), columns);

            (Results expected, Results actual) = devices.Run(b.Build("scores"), given);
            double terms = LargestTerms(store, sequence, window, group * w, scale);
            double relative = Bounds.Softmax(d, terms, store.Longest(sequence), store.Longest(sequence))
                + Bounds.Dots(w + 2, 1);
            Same.Within(
                $"scores of sequence {sequence}",
                expected.Floats(y)[..(group * columns)],
                actual.Floats(y)[..(group * columns)],
                i => (relative * expected.Floats(y)[i]) + Bounds.Flushed);
        }
    }

    [Fact]
    public void A_query_with_NaN_makes_its_head_NaN_and_no_other()
    {
        Random random = new(5);
        HostStore store = HostStore.Random(random, DType.F32, 1, 2, 32, [6, 7], slack: 0);
        float[] window = Draw.Normals(random, 2 * 2 * 32);
        window[40] = float.NaN;
        PlanBuilder b = new();
        Slot windowSlot = b.Input("window", new TensorSpec(DType.F32, 1, 2, 64));
        Slot storeSlot = b.Input("store", store.Spec with { Rows = 0 });
        Slot y = b.Output(b.WindowScores(windowSlot, storeSlot, 0, store.Tokens(0), 7, 0.1f));
        (Results expected, Results actual) = devices.Run(b.Build("NaN"), new() { Inputs = { [windowSlot] = window, [storeSlot] = store } });
        Assert.Equal(expected.Floats(y).Select(float.IsNaN), actual.Floats(y).Select(float.IsNaN));
        Assert.Contains(actual.Floats(y), float.IsNaN);
        Assert.Contains(actual.Floats(y), x => x > 0);
    }

    [Fact]
    public void RecencyScores_are_positions()
    {
        HostStore store = HostStore.Random(new(3), DType.F16, 2, 3, 4, [5, 0, 9, 1, 40, 7], slack: 2);
        PlanBuilder b = new();
        Slot storeSlot = b.Input("store", store.Spec with { Rows = 0 });
        Slot y = b.Output(b.RecencyScores(storeSlot, 1, 41));
        (Results expected, Results actual) = devices.Run(b.Build("recency"), new() { Inputs = { [storeSlot] = store } });
        Same.Values("positions", expected.Floats(y), actual.Floats(y));
        Assert.Equal(store.Positions[store.Starts[4] + 39], actual.Floats(y)[41 + 39]);
    }

    [Theory]
    [InlineData(2, 1, 7)]
    [InlineData(2, 3, 65)]
    [InlineData(1, 4, 1500)]
    public void GroupMean_is_equal(int kvHeads, int group, int columns)
    {
        float[] x = Draw.Scores(new(group), kvHeads * group * columns, special: group == 3);
        PlanBuilder b = new();
        Slot xSlot = b.Input("x", new TensorSpec(DType.F32, kvHeads * group, columns));
        Slot y = b.Output(b.GroupMean(xSlot, kvHeads));
        (Results expected, Results actual) = devices.Run(b.Build("mean"), new() { Inputs = { [xSlot] = x } });
        Same.Values("mean", expected.Floats(y), actual.Floats(y));
    }

    [Fact]
    public void Maximum_orders_NaN_below_everything()
    {
        float[] a = Draw.Scores(new(1), 3 * 50, special: true);
        float[] c = Draw.Scores(new(2), 3 * 50, special: true);
        PlanBuilder b = new();
        Slot aSlot = b.Input("a", new TensorSpec(DType.F32, 3, 50)), cSlot = b.Input("c", new TensorSpec(DType.F32, 3, 50));
        Slot y = b.Output(b.Maximum(aSlot, cSlot));
        (Results expected, Results actual) = devices.Run(b.Build("maximum"), new() { Inputs = { [aSlot] = a, [cSlot] = c } });
        Same.Values("maximum", expected.Floats(y), actual.Floats(y));
        Assert.DoesNotContain(actual.Floats(y), float.IsNaN);
    }

    [Theory]
    [InlineData(PoolKind.Max, 1, 2, false)]
    [InlineData(PoolKind.Max, 7, 3, true)]
    [InlineData(PoolKind.Avg, 5, 0, false)]
    [InlineData(PoolKind.Avg, 21, 4, true)]
    public void Pool_is_equal(PoolKind kind, int kernel, int window, bool special)
    {
        Random random = new(kernel);
        HostStore store = HostStore.Random(random, DType.F32, 1, 2, 4, [37, 2], slack: 1);
        PlanBuilder b = new();
        Symbol length = b.Symbol("length", 64);
        Slot storeSlot = b.Input("store", store.Spec with { Rows = 0 });
        Slot x = b.Input("x", new TensorSpec(DType.F32, 4, length));
        Slot y = b.Output(b.Pool(x, storeSlot, 0, window, kind, kernel));
        Given given = new() { Inputs = { [storeSlot] = store, [x] = Draw.Scores(random, 4 * 40, special) }, Symbols = { [length] = 40 } };
        (Results expected, Results actual) = devices.Run(b.Build("pool"), given);
        Same.Values("pooled", expected.Floats(y)[..160], actual.Floats(y)[..160]);
    }

    // The largest Σ |q·k| · scale of any query of the window and any row.
    private static double LargestTerms(HostStore store, int sequence, float[] window, int queries, float scale)
    {
        double largest = 0;
        int d = store.Spec.HeadDim;
        for (int query = 0; query < queries; query++)
        {
            ReadOnlySpan<float> q = window.AsSpan(((sequence * queries) + query) * d, d);
            for (int j = 0; j < store.Lengths[sequence]; j++) largest = Math.Max(largest, Terms(q, store.Key(sequence, j)) * scale);
        }

        return largest;
    }

    internal static double Terms(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++) sum += Math.Abs((double)a[i] * b[i]);
        return sum;
    }
}
