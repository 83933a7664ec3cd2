using KvIL.Conformance.Theory;
using KvIL.Conformance.Theory.Scores;
using KvIL.Eviction;
using KvIL.Ops;
using static KvIL.Conformance.Oracle.OracleOps;

namespace KvIL.Conformance.Oracle;

/// <summary>Definitions of what changes scores on their way to a choice, and of what moves the rows chosen.</summary>
internal static class RankingOps
{
    // y[i, j] = C_i x[i, j],  C_i = max_j ‖v_j W_i‖₁
    public static void WeighHeads(WeighHeadsOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X), weight = f.Reals(op.OutputProjection);
        OracleStore store = f.Store(op.Store);
        int group = x.Rows / store.StoreSpec.NumKvHeads;
        Run[] runs = [.. Enumerable.Range(0, x.Rows).Select(i => store.Run(f.Value(op.Sequence), i / group))];
        double[] largest = [.. runs.Select((run, i) => Enumerable.Range(0, run.Length).Select(j => Norm(run, j, weight, i)).DefaultIfEmpty().Max())];
        f.Reals(op.Y).Fill((i, j) => j < runs[i].Length ? largest[i] * x[i, j] : 0);
    }

    // y[h, j] = x[h, j] · Σ_{best b} x[h] / Σ x[h]
    public static void ScaleByMass(ScaleByMassOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X);
        (Run[] runs, int[][] candidates) = Candidates(f, f.Store(op.Store), op.Sequence, op.Sinks, op.Window);
        int free = f.Value(op.Total) - runs.Zip(candidates, (run, rows) => run.Length - rows.Length).Sum();
        int share = Math.Max(free, 0) / runs.Length;
        double[] factors = [.. candidates.Select((rows, h) =>
        {
            double sum = rows.Sum(j => x[h, j]);
            return sum > 0 && double.IsFinite(sum) ? Best(x, h, rows).Take(share).Sum(j => x[h, j]) / sum : 1;
        })];
        f.Reals(op.Y).Fill((h, j) => candidates[h].Contains(j) ? x[h, j] * factors[h] : 0);
    }

    // +∞ for the best max(0, max(⌊counts/2⌋, n) − p) candidates, n = max(1, ⌊r · total/heads⌋), (x + ε) mean_i ‖v_j W_i‖₁ for the others
    public static void TwoStageScores(TwoStageScoresOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X), weight = f.Reals(op.OutputProjection);
        (Run[] runs, int[][] candidates) = Candidates(f, f.Store(op.Store), op.Sequence, op.Sinks, op.Window);
        ArraySegment<int> counts = f.Integers(op.Counts);
        int group = weight.Width / runs[0].HeadDim / runs.Length;
        double epsilon = op.Epsilon.Numerator / (double)op.Epsilon.Denominator;
        long promised = op.Promised == default ? 0 : Math.Max(1, new Ratio(op.Promised.Numerator, op.Promised.Denominator * runs.Length).Floor(f.Value(op.Total)));
        HashSet<int>[] first = [.. candidates.Select((rows, h) =>
            Best(x, h, rows).Take((int)Math.Max(counts[h] / 2, promised) - (runs[h].Length - rows.Length)).ToHashSet())];
        f.Reals(op.Y).Fill((h, j) => !candidates[h].Contains(j) ? 0 : first[h].Contains(j) ? double.PositiveInfinity
            : (x[h, j] + epsilon) * Enumerable.Range(h * group, group).Average(i => Norm(runs[h], j, weight, i)));
    }

    // y[h, j] = Σ_g mean of x[g, ·] over the rows of j's chunk that head g has
    public static void ChunkScores(ChunkScoresOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X);
        (_, int[][] candidates) = Candidates(f, f.Store(op.Store), op.Sequence, op.Sinks, op.Window);
        int[][][] chunks = [.. candidates.Select(rows => rows.Chunk(op.Chunk).ToArray())];
        f.Reals(op.Y).Fill((h, j) =>
        {
            int chunk = Array.FindIndex(chunks[h], rows => rows.Contains(j));
            return chunk < 0 ? 0 : chunks.Select((own, g) => chunk < own.Length ? own[chunk].Average(row => x[g, row]) : 0).Sum();
        });
    }

    // y[h, j] = +∞ where row j stands at one of the positions, else x[h, j]
    public static void ProtectRows(ProtectRowsOp op, OracleFrame f)
    {
        Matrix x = f.Reals(op.X);
        OracleStore store = f.Store(op.Store);
        ArraySegment<int> positions = f.Integers(op.Positions);
        f.Reals(op.Y).Fill((h, j) =>
        {
            Run run = store.Run(f.Value(op.Sequence), h);
            return j >= run.Length ? 0 : positions.Contains(run.Position(j)) ? double.PositiveInfinity : x[h, j];
        });
    }

    // row j moves to position j, its key turned by j − p_j places
    public static void Rerotate(RerotateOp op, OracleFrame f)
    {
        OracleStore store = f.Store(op.Store);
        for (int h = 0; h < store.StoreSpec.NumKvHeads; h++)
        {
            Run run = store.Run(f.Value(op.Sequence), h);
            for (int j = 0; j < run.Length; j++)
            {
                if (run.Position(j) == j) continue;
                double[] key = Rotation.Turn([.. Enumerable.Range(0, run.HeadDim).Select(c => run.Key(j, c))], j - run.Position(j), op.Rotary.Frequencies);
                double[] value = [.. Enumerable.Range(0, run.HeadDim).Select(c => run.Value(j, c))];
                store.SetRow(run.Start + j, c => key[c], c => value[c], j);
            }
        }
    }

    // y = H^{1/τ₁} V^{1/τ₂} over query heads, the last w queries, and the rows before the last w
    public static void LayerPreference(LayerPreferenceOp op, OracleFrame f)
    {
        (double entropy, double shift) = DispersionAndShift(
            LayerRows.Of(f, op.Store, op.Window, op.Sequence, op.Tokens, op.Queries, op.Attention));
        double Power(double x, Ratio tau) => Math.Pow(x, tau.Denominator / (double)tau.Numerator);
        f.Reals(op.Y)[0] = Power(entropy, op.Tau.Dispersion) * Power(shift, op.Tau.Shift);
    }

    /// <summary>CAKE's H and V, over all heads.</summary>
    public static (double H, double V) DispersionAndShift(LayerRows layer)
    {
        double[][] heads = layer.OfHeads((head, _) =>
        {
            (double h, double v) = Cake.DispersionAndShift(head.WindowAttention(layer.AtHand));
            return [h, v];
        });
        return (heads.Sum(x => x.ElementAtOrDefault(0)), heads.Sum(x => x.ElementAtOrDefault(1)));
    }

    // ‖v_j W_i‖₁, W_i the transpose of the projection's columns of head i
    private static double Norm(Run run, int j, Matrix weight, int head) =>
        Sum(weight.Rows, o => Math.Abs(Sum(run.HeadDim, c => weight[o, (head * run.HeadDim) + c] * run.Value(j, c))));

    private static (Run[] Runs, int[][] Candidates) Candidates(
        OracleFrame f, OracleStore store, Tensors.Dim sequence, Tensors.Dim sinks, Tensors.Dim window)
    {
        Run[] runs = [.. Enumerable.Range(0, store.StoreSpec.NumKvHeads).Select(h => store.Run(f.Value(sequence), h))];
        return (runs, [.. runs.Select(run => AllocationOps.Candidates(run.Length, f.Value(sinks), f.Value(window)))]);
    }

    // score descending, row ascending; NaN as −∞
    private static IEnumerable<int> Best(Matrix x, int head, int[] rows) =>
        rows.OrderByDescending(j => double.IsNaN(x[head, j]) ? double.NegativeInfinity : x[head, j]).ThenBy(j => j);
}
