using KvIL.Conformance.Generators;
using KvIL.Conformance.Theory;
using KvIL.Tensors;

namespace KvIL.Conformance.Theorems;

/// <summary>The ragged store and attention over what it holds.</summary>
internal static class StoreLaws
{
    public static EvictionLaw<RaggedCase> Offsets { get; } = new(
        "P39", "Offsets_are_the_exclusive_prefix_sum_of_lengths", "cu[0] = 0, cu[h+1] − cu[h] = len_h, cu[H] = Σ len", "eviction.md 2.9; flash-attention's cu_seqlens", "differences", (m, c) =>
        {
            int[] lengths = c.Store().Lengths;
            long[] cu = m.CuSeqLens(lengths);
            Expect.True(cu.Length == lengths.Length + 1 && cu[0] == 0, $"expected {lengths.Length + 1} offsets from 0");
            for (int h = 0; h < lengths.Length; h++) Expect.True(cu[h + 1] - cu[h] == lengths[h], $"head {h}: expected {lengths[h]} rows, got {cu[h + 1] - cu[h]}");
            long[] wide = m.CuSeqLens([int.MaxValue, int.MaxValue]);
            Expect.True(wide[2] == 2L * int.MaxValue, $"expected 64 bits, got {wide[2]}");
        });

    public static EvictionLaw<RaggedCase> Appends { get; } = new(
        "P40", "Appending_rows_together_is_appending_them_one_by_one_and_rollback_undoes_it", "append(S, N rows) = N appends; rollback(append(S, N), N) = S", "eviction.md 2.9", "single rows",
        (m, c) =>
        {
            (HeadRows store, HeadRows added) = (c.Store(), c.Rows());
            HeadRows together = m.Append(store, added), alone = store;
            for (int r = 0; r < c.Added; r++)
            {
                alone = m.Append(alone, new([.. added.Keys.Select(k => k[r..(r + 1)])], [.. added.Values.Select(v => v[r..(r + 1)])], [.. added.Positions.Select(p => p[r..(r + 1)])]));
            }

            Same("one by one", together, alone);
            Near.Same("lengths", [.. store.Lengths.Select(n => n + c.Added)], together.Lengths);
            Same("both", new(
                [.. store.Keys.Zip(added.Keys, (a, b) => a.Concat(b).ToArray())], [.. store.Values.Zip(added.Values, (a, b) => a.Concat(b).ToArray())],
                [.. store.Positions.Zip(added.Positions, (a, b) => a.Concat(b).ToArray())]), together);
            Same("rollback", store, m.Rollback(together, c.Added));
        });

    public static EvictionLaw<RaggedCase> MaskEquivalence { get; } = new(
        "P41", "Attention_over_kept_rows_is_attention_with_dropped_keys_at_minus_infinity", "o_i(S') = Σ_r softmax_r(logits + ln I) v_r", "related.md 10, law 2 (R2); eviction.md 1.1", "masked logits over all rows",
        (m, c) =>
        {
            HeadRows store = c.Store();
            int[][] kept = c.Kept(store.Lengths, 1);
            double[][] queries = c.Queries();
            double[][] o = m.Attend(queries, m.Compact(store, kept));
            for (int i = 0; i < queries.Length; i++)
            {
                int g = i / c.Group;
                double[] logits = [.. store.Keys[g].Select((k, r) => kept[g].Contains(r) ? Arrays.Dot(queries[i], k) / Math.Sqrt(c.HeadDim) : double.NegativeInfinity)];
                double[] a = logits.All(double.IsNegativeInfinity) ? new double[logits.Length] : Theory.WindowScores.Softmax(logits);
                for (int e = 0; e < c.HeadDim; e++)
                {
                    double expected = store.Values[g].Select((v, r) => a[r] * v[e]).Sum();
                    Near.Equal($"o[{i}, {e}]", expected, o[i][e], m.Gamma(4 * (c.Most + c.HeadDim + 40)) * (1 + Largest(store, g)));
                }
            }
        });

    public static EvictionLaw<RaggedCase> FullIsIdentity { get; } = new(
        "R1b", "Keeping_every_row_is_the_same_store_and_the_same_output", "compact(S, all) = S, bit for bit", "related.md 10, law 1", "the store itself", (m, c) =>
        {
            HeadRows store = c.Store(), after = m.Compact(store, [.. store.Lengths.Select(n => Enumerable.Range(0, n).ToArray())]);
            Same("store", store, after);
            double[][] queries = c.Queries();
            foreach ((double[] a, double[] b) in m.Attend(queries, store).Zip(m.Attend(queries, after))) Expect.Same<double>("output", a, b, Expect.SameBits);
        });

    public static EvictionLaw<RaggedCase> AnyOrder { get; } = new(
        "P42", "The_order_of_rows_inside_a_head_does_not_matter_to_the_output", "o(π S) = o(S)", "eviction.md 2.2: attention is permutation-invariant", "the function at permuted rows", (m, c) =>
        {
            HeadRows store = c.Store();
            int[][] order = [.. store.Lengths.Select(n => Enumerable.Range(0, n).ToArray())];
            Random random = new(c.Seed);
            foreach (int[] rows in order) random.Shuffle(rows);
            HeadRows moved = new(
                [.. store.Keys.Select((k, h) => order[h].Select(r => k[r]).ToArray())], [.. store.Values.Select((v, h) => order[h].Select(r => v[r]).ToArray())],
                [.. store.Positions.Select((p, h) => order[h].Select(r => p[r]).ToArray())]);
            double[][] queries = c.Queries(), before = m.Attend(queries, store), after = m.Attend(queries, moved);
            for (int i = 0; i < queries.Length; i++)
            {
                for (int e = 0; e < c.HeadDim; e++)
                {
                    Near.Equal($"o[{i}, {e}]", before[i][e], after[i][e], m.Gamma(4 * (c.Most + c.HeadDim + 40)) * (1 + Largest(store, i / c.Group)));
                }
            }
        });

    public static EvictionLaw<RaggedCase> Composition { get; } = new(
        "R6", "Two_plans_one_after_the_other_are_their_product", "compact(compact(S, p), q) = compact(S, p∘q)", "related.md 10, law 6", "the composed row list", (m, c) =>
        {
            HeadRows store = c.Store();
            int[][] first = c.Kept(store.Lengths, 1), second = c.Kept([.. first.Select(rows => rows.Length)], 2);
            int[][] product = [.. second.Select((rows, h) => rows.Select(r => first[h][r]).ToArray())];
            Same("product", m.Compact(store, product), m.Compact(m.Compact(store, first), second));
            Near.Same("positions", [.. product.Select((rows, h) => rows.Select(r => store.Positions[h][r]).ToArray())], m.Compact(store, product).Positions);
        });

    public static EvictionLaw<RaggedCase> Bytes { get; } = new(
        "P43", "Bytes_are_those_of_the_documented_formula", "Σ capacities · (2 d · size + 4) + 16 H", "eviction.md 2.9; README, kvil inspect", "the formula", (m, c) =>
        {
            int[] capacities = c.Store().Lengths;
            foreach ((DType type, int size) in ((DType, int)[])[(DType.F32, 4), (DType.F16, 2)])
            {
                long expected = (capacities.Sum(n => (long)n) * ((2 * c.HeadDim * size) + 4)) + (16 * capacities.Length), bytes = m.StoreBytes(capacities, c.HeadDim, type);
                Expect.True(bytes == expected, $"{type}: expected {expected} bytes, got {bytes}");
            }
        });

    /// <summary>Every law here.</summary>
    public static IEnumerable<EvictionLaw> All => [Offsets, Appends, MaskEquivalence, FullIsIdentity, AnyOrder, Composition, Bytes];

    private static double Largest(HeadRows store, int head) => store.Values[head].SelectMany(v => v).Select(Math.Abs).DefaultIfEmpty(0).Max();

    private static void Same(string what, HeadRows expected, HeadRows actual)
    {
        Near.Same($"{what}: positions", expected.Positions, actual.Positions);
        for (int h = 0; h < expected.Keys.Length; h++)
        {
            for (int r = 0; r < expected.Keys[h].Length; r++)
            {
                Expect.Same<double>($"{what}: key {r} of head {h}", expected.Keys[h][r], actual.Keys[h][r], Expect.SameBits);
                Expect.Same<double>($"{what}: value {r} of head {h}", expected.Values[h][r], actual.Values[h][r], Expect.SameBits);
            }
        }
    }
}
