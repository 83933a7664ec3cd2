using KvIL.Plans;
using KvIL.Tensors;
using KvIL.Tests.Gpu.Support;
using Xunit;

namespace KvIL.Tests.Gpu;

/// <summary>Append, remembered queries and attention against Reference.</summary>
public sealed class CacheTests(Devices devices) : IClassFixture<Devices>
{
    [Theory]
    [InlineData(DType.F32, new[] { 0, 0, 0, 1, 1 })]
    [InlineData(DType.F16, new[] { 1, 1, 1, 1, 1, 1, 1, 0 })]
    [InlineData(DType.F16, new[] { 2 })]
    [InlineData(DType.F32, new int[0])]
    public void Append_writes_the_same_rows_and_drops_what_exceeds_a_capacity(DType rows, int[] sequences)
    {
        Random random = new(7);
        HostStore store = HostStore.Random(random, rows, 3, 2, 6, [4, 9, 0, 1, 3, 2], slack: 4);
        int[] positions = [.. Enumerable.Range(0, sequences.Length).Select(i => 100 + i)];
        PlanBuilder b = new();
        Symbol n = b.Symbol("n", 9);
        Slot storeSlot = b.Input("store", store.Spec with { Rows = 0 });
        Slot keys = b.Input("keys", new TensorSpec(DType.F32, n, 12)), values = b.Input("values", new TensorSpec(DType.F32, n, 12));
        Slot at = b.Input("positions", new TensorSpec(DType.I32, n)), of = b.Input("sequences", new TensorSpec(DType.I32, n));
        b.Append(storeSlot, keys, values, at, of);
        Given given = new()
        {
            Inputs =
            {
                [storeSlot] = store,
                [keys] = Draw.Normals(random, sequences.Length * 12),
                [values] = Draw.Normals(random, sequences.Length * 12),
                [at] = positions,
                [of] = sequences,
            },
            Symbols = { [n] = sequences.Length },
        };
        (Results expected, Results actual) = devices.Run(b.Build("append"), given);
        Same.Stores(expected.Store(storeSlot), actual.Store(storeSlot));
    }

    [Theory]
    [InlineData(2, new[] { 0, 0, 0, 0, 0, 1 })]
    [InlineData(4, new[] { 1, 1, 0 })]
    public void RememberQueries_keeps_the_last_of_each_sequence(int w, int[] sequences)
    {
        Random random = new(9);
        int[] positions = [.. sequences.Select((s, i) => (10 * s) + i)];
        PlanBuilder b = new();
        Slot window = b.Input("window", new TensorSpec(DType.F32, 2, w, 8));
        Slot q = b.Input("q", new TensorSpec(DType.F32, sequences.Length, 8));
        Slot at = b.Input("positions", new TensorSpec(DType.I32, sequences.Length));
        Slot of = b.Input("sequences", new TensorSpec(DType.I32, sequences.Length));
        b.RememberQueries(window, q, at, of);
        Given given = new()
        {
            Inputs =
            {
                [window] = Draw.Normals(random, 2 * w * 8),
                [q] = Draw.Normals(random, sequences.Length * 8),
                [at] = positions,
                [of] = sequences,
            },
        };
        (Results expected, Results actual) = devices.Run(b.Build("remember"), given);
        Same.Values("window", expected.Floats(window), actual.Floats(window));
    }

    [Theory]
    [InlineData(DType.F32, 32, 1, 1, new[] { 1, 40 })]
    [InlineData(DType.F32, 32, 3, 2, new[] { 33, 64, 5, 0 })]
    [InlineData(DType.F16, 64, 4, 1, new[] { 65, 31 })]
    [InlineData(DType.F16, 128, 4, 1, new[] { 9, 35 })]
    [InlineData(DType.F32, 20, 18, 1, new[] { 7, 3 })]
    public void Attend_agrees_in_decode_where_the_rows_are_split(DType rows, int d, int group, int kvHeads, int[] lengths) =>
        Attend(rows, d, group, kvHeads, lengths, maxTokens: 2, sequences: [0, 1]);

    [Theory]
    [InlineData(DType.F32, 32, 4, 1, new[] { 33, 64 })]
    [InlineData(DType.F16, 64, 3, 2, new[] { 20, 12, 5, 31 })]
    [InlineData(DType.F32, 128, 1, 1, new[] { 10, 37 })]
    public void Attend_agrees_in_prefill_where_tokens_are_taken_together(DType rows, int d, int group, int kvHeads, int[] lengths) =>
        Attend(rows, d, group, kvHeads, lengths, maxTokens: 1024, sequences: [0, 0, 0, 0, 0, 1, 1]);

    private void Attend(DType rows, int d, int group, int kvHeads, int[] lengths, int maxTokens, int[] sequences)
    {
        Random random = new(d + group);
        HostStore store = HostStore.Random(random, rows, 2, kvHeads, d, lengths, slack: 1);
        int width = kvHeads * group * d;
        float[] q = Draw.Normals(random, sequences.Length * width);
        int[] positions = [.. sequences.Select((s, i) => i == 2 ? -1 : store.Tokens(s) - 1 - (i % 3))];
        float scale = 1 / MathF.Sqrt(d);
        PlanBuilder b = new();
        Symbol n = b.Symbol("n", maxTokens);
        Slot qSlot = b.Input("q", new TensorSpec(DType.F32, n, width));
        Slot storeSlot = b.Input("store", store.Spec with { Rows = 0 });
        Slot at = b.Input("positions", new TensorSpec(DType.I32, n)), of = b.Input("sequences", new TensorSpec(DType.I32, n));
        Slot y = b.Output(b.Attend(qSlot, storeSlot, at, of, scale));
        Given given = new()
        {
            Inputs = { [qSlot] = q, [storeSlot] = store, [at] = positions, [of] = sequences },
            Symbols = { [n] = sequences.Length },
        };
        (Results expected, Results actual) = devices.Run(b.Build("attend"), given);
        Same.Within(
            "attention",
            expected.Floats(y)[..q.Length],
            actual.Floats(y)[..q.Length],
            i => AttentionBound(store, q, scale, group, sequences[i / width], positions[i / width], i % width / d, i, d));
    }

    /// <summary>Softmax weights w_j and w'_j differ by their bound, and the sums Σ w_j v_j by that of a sum: all relative to Σ w_j |v_j| ≤ max |v|.</summary>
    internal static double AttentionBound(
        HostStore store, float[] q, float scale, int group, int sequence, int position, int queryHead, int element, int d)
    {
        int run = (sequence * store.Spec.NumKvHeads) + (queryHead / group);
        ReadOnlySpan<float> query = q.AsSpan(element / d * d, d);
        double terms = 0;
        double largest = 0;
        int rows = 0;
        for (int j = 0; j < store.Lengths[run] && store.Positions[store.Starts[run] + j] <= position; j++, rows++)
        {
            terms = Math.Max(terms, ScoreTests.Terms(query, store.Key(run, j)) * scale);
            largest = Math.Max(largest, Math.Abs(store.Value(run, j)[element % d]));
        }

        return (Bounds.Softmax(d, terms, rows, rows) + Bounds.Dots(rows + 2, 1)) * largest;
    }
}
