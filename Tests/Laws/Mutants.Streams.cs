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
    ];
}
