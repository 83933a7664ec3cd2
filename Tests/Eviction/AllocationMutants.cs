using KvIL.Conformance.Theory;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>Plausible wrong allocations and selections; each must break a law.</summary>
public sealed class AllocationMutants
{
    [Fact]
    public void Ties_to_the_higher_head() => Law.Catches(AllocationCase.Ragged, c => AllocationLaws.EqualsDefinition(
        c, (scores, total, mode, floor) => [.. AllocationCase.Kernel([.. scores.Reverse()], total, mode, floor).Reverse()]));

    [Fact]
    public void Remainders_to_the_higher_head() => Law.Catches(AllocationCase.Equal, c => AllocationLaws.EqualsDefinition(
        c, (scores, total, mode, floor) => mode == HeadAllocation.Blend
            ? BlendByDoubles(scores, total, floor, (remainder, head) => (-remainder, -head))
            : AllocationCase.Kernel(scores, total, mode, floor)));

    [Fact]
    public void Quotas_in_doubles() => Law.Catches(AllocationCase.Equal, c => AllocationLaws.EqualsDefinition(
        c, (scores, total, mode, floor) => mode == HeadAllocation.Blend
            ? BlendByDoubles(scores, total, floor, (remainder, head) => (-remainder, head))
            : AllocationCase.Kernel(scores, total, mode, floor)));

    [Fact]
    public void The_published_rounding_does_not_meet_its_total() => Law.Catches(AllocationCase.Equal, c => AllocationLaws.MeetsTotal(
        c,
        (scores, total, mode, floor) =>
        {
            if (mode != HeadAllocation.Blend) return AllocationCase.Kernel(scores, total, mode, floor);
            int[] pure = AllocationCase.Kernel(scores, total, HeadAllocation.Pure, default);
            double r = (double)floor.Numerator / floor.Denominator;
            return [.. pure.Select(f => Compat.AdaBudget(f, (int)total / scores.Length, r, scores[0].Length))];
        }));

    [Fact]
    public void NaN_as_the_largest_score() => Law.Catches(AllocationCase.Ragged, c => AllocationLaws.EqualsDefinition(
        c, (scores, total, mode, floor) => AllocationCase.Kernel(
            [.. scores.Select(row => row.Select(x => float.IsNaN(x) ? float.MaxValue : x).ToArray())], total, mode, floor)));

    [Fact]
    public void Minus_zero_below_zero() => Law.Catches(AllocationCase.Ragged, c => AllocationLaws.EqualsDefinition(
        c, (scores, total, mode, floor) => AllocationCase.Kernel(
            [.. scores.Select(row => row.Select(x => x == 0 && float.IsNegative(x) ? -float.Epsilon : x).ToArray())],
            total, mode, floor)));

    [Fact]
    public void The_last_candidate_forgotten() => Law.Catches(AllocationCase.Ragged, c => AllocationLaws.MeetsTotal(
        c, (scores, total, mode, floor) => AllocationCase.Kernel(
            [.. scores.Select(row => row[..Math.Max(0, row.Length - 1)])], total, mode, floor)));

    [Fact]
    public void A_uniform_share_that_ignores_small_heads() => Law.Catches(AllocationCase.Ragged, c => AllocationLaws.MeetsTotal(
        c, (scores, total, mode, floor) => mode == HeadAllocation.Uniform
            ? [.. scores.Select((row, h) => (int)((total / scores.Length) + (h < total % scores.Length ? 1 : 0)))]
            : AllocationCase.Kernel(scores, total, mode, floor)));

    [Fact]
    public void A_floor_taken_from_the_global_order_instead_of_beside_it() => Law.Catches(AllocationCase.Equal, c =>
        AllocationLaws.EqualsDefinition(
            c,
            (scores, total, mode, floor) =>
            {
                int[] counts = AllocationCase.Kernel(scores, total, mode == HeadAllocation.Floor ? HeadAllocation.Pure : mode, floor);
                long least = mode == HeadAllocation.Floor ? floor.Floor(total) / scores.Length : 0;
                return [.. counts.Select(b => (int)Math.Max(b, least))];
            }));

    [Fact]
    public void Rows_whose_ties_go_to_the_later_position() => Law.Catches(SelectionCase.Cases, c => SelectionLaws.KeepsTheBest(
        c,
        (scores, begin, count, keep) =>
        {
            float[] mirrored = [.. scores];
            Array.Reverse(mirrored, begin, count);
            int[] rows = SelectionCase.Kernel(mirrored, begin, count, keep);
            return [.. rows.Select(j => j >= begin && j < begin + count ? (2 * begin) + count - 1 - j : j).Order()];
        }));

    [Fact]
    public void Rows_in_the_order_of_their_scores() => Law.Catches(SelectionCase.Cases, c => SelectionLaws.ProtectsAndAscends(
        c, (scores, begin, count, keep) =>
            [.. SelectionCase.Kernel(scores, begin, count, keep).OrderByDescending(j => ScoreOrder.Key(scores[j]))]));

    [Fact]
    public void A_window_that_competes_like_any_row() => Law.Catches(SelectionCase.Cases, c => SelectionLaws.ProtectsAndAscends(
        c, (scores, begin, count, keep) =>
            SelectionCase.Kernel(scores, begin, scores.Length - begin, keep + scores.Length - begin - count)));

    [Fact]
    public void What_is_not_promised_blended_budgets_of_unequal_heads_may_fall() => Law.Catches(
        AllocationCase.Ragged, c => AllocationLaws.Grows(c, AllocationCase.Kernel, HeadAllocation.Blend, 1), 1000);

    [Fact]
    public void What_is_not_promised_floor_budgets_may_fall_with_a_single_row() => Law.Catches(
        AllocationCase.Equal, c => AllocationLaws.Grows(c, AllocationCase.Kernel, HeadAllocation.Floor, 1), 1000);

    // Blend as it would be written without integers.
    private static int[] BlendByDoubles(float[][] scores, long total, Ratio floor, Func<double, int, (double, int)> order)
    {
        total = Math.Min(total, scores.Sum(s => s.Length));
        double r = (double)floor.Numerator / floor.Denominator;
        double[] quotas = [.. Allocation.Pure(scores, total).Select(f => (f * (1 - r)) + (r * total / scores.Length))];
        int[] counts = [.. quotas.Select(q => (int)q)];
        int spare = (int)total - counts.Sum();
        foreach (int h in Enumerable.Range(0, counts.Length).OrderBy(h => order(quotas[h] - counts[h], h)).Take(spare)) counts[h]++;
        return counts;
    }
}
