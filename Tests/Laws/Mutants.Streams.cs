using KvIL.Conformance.Laws;
using KvIL.Conformance.Oracle;
using KvIL.Ops;

namespace KvIL.Tests.Laws;

internal static partial class Mutants
{
    // Faults of the ops that only some models need.
    private static IEnumerable<Mutant> Streams =>
    [
        Mutant.Of<UnitNormOp>("UnitNorm takes the root of the sum instead of the mean", RmsNormLaws.Unit, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix y = f.Reals(op.Y);
            y.Fill((i, k) => y[i, k] / Math.Sqrt(op.Width));
        }),
        Mutant.Of<UnitNormOp>("UnitNorm forgets epsilon", RmsNormLaws.Unit, (op, _) => op with { Epsilon = 0 }),
        Mutant.Of<UnitNormOp>("UnitNorm normalises whole rows", RmsNormLaws.Unit, (op, _) => op with { Width = op.X.Tensor.Shape[1].Max }),
        Mutant.Of<GainOp>("Gain takes the next channel's factor", ScaleLaws.Gains, (op, f) =>
        {
            Matrix x = f.Reals(op.X), weight = f.Reals(op.Weight);
            int width = op.Weight.Tensor.Shape[0].Max;
            f.Reals(op.Y).Fill((i, k) => weight[(k + 1) % width] * x[i, k]);
        }),
        Mutant.Of<GainOp>("Gain divides", AttendLaws.PlainKeys, (op, f) =>
        {
            Matrix x = f.Reals(op.X), weight = f.Reals(op.Weight);
            f.Reals(op.Y).Fill((i, k) => x[i, k] / weight[k % op.Weight.Tensor.Shape[0].Max]);
        }),
        Mutant.Of<ColumnsOp>("Columns starts one too early", StreamLaws.Columns, (op, _) => op with { First = Math.Max(0, op.First - 1) }),
        Mutant.Of<ConcatenateOp>("Concatenate takes the parts in reverse", StreamLaws.Concatenate, (op, _) => op with { Parts = [.. op.Parts.Reverse()] }),
        Mutant.Of<MixOp>("Mix transposes the factors", StreamLaws.Mix, (op, f) =>
        {
            Matrix x = f.Reals(op.X), c = f.Reals(op.Factors);
            int width = x.Width / op.Streams, results = c.Width / op.Streams;
            f.Reals(op.Y).Fill((i, k) => Enumerable.Range(0, op.Streams)
                .Sum(s => (op.Offset + c[i, (s * results) + (k / width)]) * x[i, (s * width) + (k % width)]));
        }),
        Mutant.Of<MixOp>("Mix forgets the offset", StreamLaws.Mix, (op, _) => op with { Offset = 0 }),
        Mutant.Of<MatchRmsOp>("MatchRms forgets the floor", StreamLaws.MatchRms, (op, _) => op with { Floor = float.Epsilon }),
        Mutant.Of<MatchRmsOp>("MatchRms takes the other one's size", StreamLaws.MatchRms, (op, _) => op with { X = op.Reference, Reference = op.X }),
        Mutant.Of<SparsifyOp>("Sparsify divides by n - 1", StreamLaws.Sparsify, (op, f) =>
        {
            double n = op.X.Tensor.Shape[1].Max;
            OracleOps.Execute(op with { Deviations = (float)(op.Deviations * Math.Sqrt(n / Math.Max(1, n - 1))) }, f);
        }),
        Mutant.Of<SparsifyOp>("Sparsify keeps what it does not cut as it is", StreamLaws.Sparsify, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix x = f.Reals(op.X), y = f.Reals(op.Y);
            y.Fill((i, k) => y[i, k] > 0 ? x[i, k] : 0);
        }),
        Mutant.Of<KnownTokensOp>("KnownTokens takes the limit itself for known", StreamLaws.KnownTokens, (op, _) => op with { Limit = op.Limit + 1 }),
    ];
}
