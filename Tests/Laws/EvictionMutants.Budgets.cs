using KvIL.Conformance.Theorems;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Tensors;

namespace KvIL.Tests.Laws;

/// <summary>Wrong budgets, selections and stores.</summary>
internal static partial class EvictionMutants
{
    private sealed class Ties_to_the_higher_head : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r) =>
            [.. base.AllocateHeads([.. scores.Reverse()], total, rule, r).Reverse()];
    }

    private sealed class NaN_as_the_best_score : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r) =>
            base.AllocateHeads([.. scores.Select(row => row.Select(x => float.IsNaN(x) ? float.PositiveInfinity : x).ToArray())], total, rule, r);
    }

    private sealed class Minus_zero_below_zero : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r) =>
            base.AllocateHeads([.. scores.Select(row => row.Select(x => x == 0 && float.IsNegative(x) ? -float.Epsilon : x).ToArray())], total, rule, r);
    }

    private sealed class The_lowest_scores_for_the_highest : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r) =>
            base.AllocateHeads([.. scores.Select(row => row.Select(x => -x).ToArray())], total, rule, r);
    }

    private sealed class The_published_rounding_of_a_blend : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r)
        {
            int[] counts = base.AllocateHeads(scores, total, rule == HeadAllocation.Blend ? HeadAllocation.Pure : rule, r);
            double share = (double)r.Numerator / r.Denominator;
            return rule != HeadAllocation.Blend ? counts
                : [.. counts.Select((f, h) => Compat.AdaBudget(f, (int)total / counts.Length, share, scores[h].Length))];
        }
    }

    private sealed class The_papers_printed_blend : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r) =>
            base.AllocateHeads(scores, total, rule, new(r.Denominator - r.Numerator, r.Denominator));
    }

    private sealed class Spare_rows_of_a_blend_to_the_first_heads : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r)
        {
            if (rule != HeadAllocation.Blend || scores.Select(s => s.Length).Distinct().Count() > 1) return base.AllocateHeads(scores, total, rule, r);
            total = Math.Min(total, scores.Sum(s => s.Length));
            long one = scores.Length * r.Denominator;
            int[] counts = [.. Allocation.Pure(scores, total).Select(f =>
                (int)((((r.Denominator - r.Numerator) * scores.Length * f) + (r.Numerator * total)) / one))];
            for (int h = 0; counts.Sum() < total; h = (h + 1) % counts.Length) counts[h] += counts[h] < scores[h].Length ? 1 : 0;
            return counts;
        }
    }

    private sealed class A_floor_on_top_of_the_global_order : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r)
        {
            int[] counts = base.AllocateHeads(scores, total, rule == HeadAllocation.Floor ? HeadAllocation.Pure : rule, r);
            long least = rule == HeadAllocation.Floor ? r.Floor(total) / scores.Length : 0;
            return [.. counts.Select((b, h) => (int)Math.Min(Math.Max(b, least), scores[h].Length))];
        }
    }

    private sealed class A_floor_of_uniform_rows : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r) =>
            base.AllocateHeads(scores, total, rule == HeadAllocation.Floor ? HeadAllocation.Blend : rule, r);
    }

    private sealed class A_uniform_split_that_loses_its_remainder : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r) =>
            base.AllocateHeads(scores, rule == HeadAllocation.Uniform ? total / scores.Length * scores.Length : total, rule, r);
    }

    private sealed class Remainders_to_the_last_heads : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r)
        {
            int[] counts = base.AllocateHeads(scores, total, rule, r);
            return rule == HeadAllocation.Uniform && scores.Select(s => s.Length).Distinct().Count() == 1 ? [.. counts.Reverse()] : counts;
        }
    }

    private sealed class A_last_candidate_forgotten : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r) =>
            base.AllocateHeads([.. scores.Select(row => row[..Math.Max(0, row.Length - 1)])], total, rule, r);
    }

    private sealed class Heads_normalised_before_they_compete : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r) =>
            base.AllocateHeads([.. scores.Select(row => row.Select(x => x / row.DefaultIfEmpty(1).Max(Math.Abs)).ToArray())], total, rule, r);
    }

    private sealed class Scores_cut_to_eight_bits : EvictionMath
    {
        public override int[] AllocateHeads(float[][] scores, long total, HeadAllocation rule, Ratio r) =>
            base.AllocateHeads([.. scores.Select(row => row.Select(x => BitConverter.Int32BitsToSingle(BitConverter.SingleToInt32Bits(x) & ~0xFFFF)).ToArray())], total, rule, r);
    }

    private sealed class An_own_allocator_that_alternates : EvictionMath
    {
        public override int[] Allocate(float[][] scores, long total) =>
            AllocateHeads(scores, total, total % 2 == 0 ? HeadAllocation.Pure : HeadAllocation.Uniform, default);
    }

    private sealed class Weights_without_their_norms : EvictionMath
    {
        public override int[] AllocateWeighted(double[][] a, double[] norms, int total) => base.AllocateWeighted(a, [.. norms.Select(_ => 1.0)], total);
    }

    private sealed class Row_ties_to_the_later_position : EvictionMath
    {
        public override int[] SelectRows(float[] scores, int begin, int count, int keep)
        {
            float[] mirrored = [.. scores];
            Array.Reverse(mirrored, begin, count);
            return [.. base.SelectRows(mirrored, begin, count, keep).Select(j => j >= begin && j < begin + count ? (2 * begin) + count - 1 - j : j).Order()];
        }
    }

    private sealed class Rows_in_the_order_of_their_scores : EvictionMath
    {
        public override int[] SelectRows(float[] scores, int begin, int count, int keep) =>
            [.. base.SelectRows(scores, begin, count, keep).OrderByDescending(j => ScoreOrder.Key(scores[j]))];
    }

    private sealed class A_window_that_competes : EvictionMath
    {
        public override int[] SelectRows(float[] scores, int begin, int count, int keep) =>
            base.SelectRows(scores, begin, scores.Length - begin, keep + scores.Length - begin - count);
    }

    private sealed class Sinks_that_compete : EvictionMath
    {
        public override int[] SelectRows(float[] scores, int begin, int count, int keep) => base.SelectRows(scores, 0, begin + count, keep + begin);
    }

    private sealed class A_row_less_than_asked : EvictionMath
    {
        public override int[] SelectRows(float[] scores, int begin, int count, int keep) => base.SelectRows(scores, begin, count, Math.Max(0, keep - 1));
    }

    private sealed class The_worst_rows : EvictionMath
    {
        public override int[] SelectRows(float[] scores, int begin, int count, int keep) => base.SelectRows([.. scores.Select(x => -x)], begin, count, keep);
    }

    private sealed class A_window_one_row_short : EvictionMath
    {
        public override (int Sinks, int Candidates, int Window) Protect(int length, int sinks, int window) => base.Protect(length, sinks, Math.Max(0, window - 1));
    }

    private sealed class Sinks_before_the_window : EvictionMath
    {
        public override (int Sinks, int Candidates, int Window) Protect(int length, int sinks, int window)
        {
            int first = Math.Min(length, sinks), last = Math.Min(length - first, window);
            return (first, length - first - last, last);
        }
    }

    private sealed class A_pyramid_upside_down : EvictionMath
    {
        public override int[] PyramidExact(int rows, int candidates, int beta, int layers) => [.. base.PyramidExact(rows, candidates, beta, layers).Reverse()];
    }

    private sealed class A_pyramid_that_drifts : EvictionMath
    {
        public override int[] PyramidExact(int rows, int candidates, int beta, int layers) =>
            layers < 2 || rows >= candidates ? base.PyramidExact(rows, candidates, beta, layers) : PyramidCompat(rows, candidates, beta, layers);
    }

    private sealed class A_pyramid_of_half_its_steepness : EvictionMath
    {
        public override int[] PyramidExact(int rows, int candidates, int beta, int layers) => base.PyramidExact(rows, candidates, (beta + 1) / 2, layers);
    }

    private sealed class A_pyramid_that_remembers_its_first_prompt : EvictionMath
    {
        private readonly System.Collections.Concurrent.ConcurrentDictionary<(int, int, int), int> _first = [];

        public override int[] PyramidExact(int rows, int candidates, int beta, int layers)
        {
            int[] schedule = base.PyramidExact(rows, candidates, beta, layers);
            return _first.AddOrUpdate((rows, beta, layers), 1, (_, n) => n + 1) == 1 ? schedule : base.PyramidExact(rows, candidates + 1, beta, layers);
        }
    }

    private sealed class A_published_pyramid_divided_by_L : EvictionMath
    {
        public override int[] PyramidCompat(int rows, int candidates, int beta, int layers) => base.PyramidCompat(rows, candidates, beta, layers + 1)[..layers];
    }

    private sealed class Keep_counts_in_doubles : EvictionMath
    {
        public override int KeepCount(int seqLen, Ratio compressionRatio) =>
            (int)(seqLen * (1 - ((double)compressionRatio.Numerator / compressionRatio.Denominator)));
    }

    private sealed class Published_keep_counts_made_exact : EvictionMath
    {
        public override int KeepCountCompat(int seqLen, double compressionRatio) => (int)Math.Round(seqLen * (1 - compressionRatio), 6);
    }

    private sealed class Halves_rounded_up : EvictionMath
    {
        public override long BudgetRows(Ratio share, long n) => ((2 * n * share.Numerator) + share.Denominator) / (2 * share.Denominator);
    }

    private sealed class Published_halves_away_from_zero : EvictionMath
    {
        public override int AdaBudgetCompat(int adaptive, int layerBase, double r, int candidates) =>
            Math.Min((int)MathF.Round(Compat.AdaQuota(adaptive, layerBase, r), MidpointRounding.AwayFromZero), candidates);
    }

    private sealed class Layers_by_what_they_gain : EvictionMath
    {
        public override int[] PrefixSplit(long[][] weights, long total, int least)
        {
            int[] rows = [.. weights.Select(w => (int)Math.Min(least, w.Length))];
            if (rows.Sum() > total) return base.PrefixSplit(weights, total, least);
            for (long left = total - rows.Sum(); left > 0 && rows.Zip(weights).Any(p => p.First < p.Second.Length); left--)
            {
                rows[Enumerable.Range(0, rows.Length).Where(l => rows[l] < weights[l].Length).MaxBy(l => (double)weights[l][rows[l]] / weights[l].Sum())]++;
            }

            return rows;
        }
    }

    private sealed class Shares_cut_off : EvictionMath
    {
        public override int[] ProportionalSplit(long[] weights, int[] capacities, long total) =>
            [.. weights.Select((w, i) => (int)Math.Min(capacities[i], w * total / weights.Sum()))];
    }

    private sealed class Offsets_that_include_their_head : EvictionMath
    {
        public override long[] CuSeqLens(int[] lengths) => [.. base.CuSeqLens(lengths).Skip(1), 0];
    }

    private sealed class Offsets_of_32_bits : EvictionMath
    {
        public override long[] CuSeqLens(int[] lengths) => [.. base.CuSeqLens(lengths).Select(x => (long)unchecked((int)x))];
    }

    private sealed class Rows_appended_to_the_next_head : EvictionMath
    {
        public override HeadRows Append(HeadRows store, HeadRows added) => base.Append(store, new(
            [.. added.Keys.Skip(1), added.Keys[0]], [.. added.Values.Skip(1), added.Values[0]], [.. added.Positions.Skip(1), added.Positions[0]]));
    }

    private sealed class Compaction_that_swaps_two_keys : EvictionMath
    {
        public override HeadRows Compact(HeadRows store, int[][] kept)
        {
            HeadRows compacted = base.Compact(store, kept);
            return compacted with { Keys = [.. compacted.Keys.Select(k => k.Length < 2 ? k : [k[1], k[0], .. k[2..]])] };
        }
    }

    private sealed class Compaction_that_numbers_positions_anew : EvictionMath
    {
        public override HeadRows Compact(HeadRows store, int[][] kept)
        {
            HeadRows compacted = base.Compact(store, kept);
            return compacted with { Positions = [.. compacted.Positions.Select(p => Enumerable.Range(0, p.Length).ToArray())] };
        }
    }

    private sealed class Rollback_from_the_start : EvictionMath
    {
        public override HeadRows Rollback(HeadRows store, int rows) =>
            new([.. store.Keys.Select(k => k[rows..])], [.. store.Values.Select(v => v[rows..])], [.. store.Positions.Select(p => p[rows..])]);
    }

    private sealed class Decode_that_knows_the_order_of_rows : EvictionMath
    {
        public override double[][] Attend(double[][] queries, HeadRows store) =>
            base.Attend(queries, store with { Values = [.. store.Values.Select(v => v.Select((x, r) => r == 0 ? x.Select(y => y * 1.001).ToArray() : x).ToArray())] });
    }

    private sealed class Bytes_without_positions : EvictionMath
    {
        public override long StoreBytes(int[] capacities, int headDim, DType rowType) => base.StoreBytes(capacities, headDim, rowType) - (4 * capacities.Sum());
    }
}
