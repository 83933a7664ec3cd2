namespace KvIL.Inference.Evaluation.Press;

/// <summary>How two choices of rows differ.</summary>
/// <param name="Kept">Rows recorded as kept.</param>
/// <param name="Equal">Of them, rows that the other choice keeps too.</param>
/// <param name="Exchanged">Rows that the other choice exchanges, where the scores decide.</param>
/// <param name="First">Where they differ first.</param>
/// <param name="Fault">What no allowance covers: another number of rows; null for nothing.</param>
internal sealed record KeptRows(long Kept, long Equal, int Exchanged, string? First, string? Fault)
{
    /// <summary>Exchanged rows that rounding explains: of 3 million kept positions two float runs exchange some ten, never more than one in a head.</summary>
    public const int Allowance = 3;

    /// <summary>What differs beyond the allowance; null for nothing.</summary>
    public string? Difference => Fault ?? (Exchanged > Allowance ? $"{Exchanged} positions exchanged, {Allowance} allowed; first {First}" : null);

    /// <summary>Compares the positions kept, ascending, by layer and head.</summary>
    /// <remarks>
    /// A head with ties must keep what every choice keeps, and nothing that none does. Keys of layer 0 depend on the token alone, so that
    /// a norm leaves the order of equal tokens open: there only the tokens kept are compared.
    /// </remarks>
    public static KeptRows Of(PressMethod method, int[][][] recorded, int[][][] own, Dictionary<(int Layer, int Head), TiedHead> ties, int[] tokens)
    {
        (long kept, long equal, int exchanged, string? first, string? fault) = (0, 0, 0, null, null);
        for (int layer = 0; layer < recorded.Length; layer++)
        {
            (int[][] was, int[][] now) = (recorded[layer], own[layer]);
            (int expected, int got) = (was.Sum(set => set.Length), now.Sum(set => set.Length));
            fault ??= expected == got ? null : $"layer {layer}: {got} rows kept, recorded {expected}";
            for (int head = 0; head < was.Length; head++)
            {
                int[] missing = [.. was[head].Except(now[head])];
                int[] extra = [.. now[head].Except(was[head])];
                kept += was[head].Length;
                equal += was[head].Length - missing.Length;
                if (method.IsKnorm && layer == 0)
                {
                    (missing, extra) = (Unmatched(missing, extra, tokens), Unmatched(extra, missing, tokens));
                }
                else if (ties.TryGetValue((layer, head), out TiedHead? tie))
                {
                    missing = [.. tie.Forced.Except(now[head])];
                    extra = [.. now[head].Where(position => !tie.Forced.Contains(position) && !tie.Candidates.Contains(position))];
                }

                if (missing.Length + extra.Length > 0)
                {
                    exchanged += Math.Max(missing.Length, extra.Length);
                    first ??= $"in layer {layer}, head {head}: kept {Show(extra)} in place of {Show(missing)}";
                }
            }
        }

        return new(kept, equal, exchanged, first, fault);
    }

    // Positions that have no partner with the same token among the others.
    private static int[] Unmatched(int[] positions, int[] others, int[] tokens)
    {
        Dictionary<int, int> free = others.GroupBy(p => tokens[p]).ToDictionary(g => g.Key, g => g.Count());
        return [.. positions.Where(p => !free.TryGetValue(tokens[p], out int left) || left == 0 || (free[tokens[p]] = left - 1) < 0)];
    }

    private static string Show(int[] positions) => positions.Length == 0 ? "none" : positions.Length > 1 ? $"{positions[0]} and {positions.Length - 1} more" : $"{positions[0]}";
}
