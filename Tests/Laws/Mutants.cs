using System.Collections.Immutable;
using KvIL.Conformance;
using KvIL.Conformance.Laws;
using KvIL.Conformance.Oracle;
using KvIL.Ops;
using KvIL.Tensors;

namespace KvIL.Tests.Laws;

/// <summary>An oracle with a fault in one op.</summary>
/// <param name="Name">What is wrong.</param>
/// <param name="Op">The op at fault.</param>
/// <param name="CaughtBy">The law that must see it.</param>
/// <param name="Run">Runs the op, wrongly.</param>
/// <param name="Dequantize">Reads quantised weights, wrongly; null for rightly.</param>
internal sealed record Mutant(
    string Name, Type Op, Law CaughtBy, Action<Op, OracleFrame> Run, OracleBackend.Dequantizer? Dequantize = null)
{
    /// <summary>A mutant of <typeparamref name="TOp"/>.</summary>
    public static Mutant Of<TOp>(string name, Law caughtBy, Action<TOp, OracleFrame> run)
        where TOp : Op => new(name, typeof(TOp), caughtBy, (op, f) => run((TOp)op, f));

    /// <summary>A mutant that runs another op in place of the right one.</summary>
    public static Mutant Of<TOp>(string name, Law caughtBy, Func<TOp, OracleFrame, Op> instead)
        where TOp : Op => Of<TOp>(name, caughtBy, (op, f) => OracleOps.Execute(instead(op, f), f));

    /// <summary>The broken backend.</summary>
    public OracleBackend Build() => new((op, f) =>
    {
        if (op.GetType() == Op) Run(op, f);
        else OracleOps.Execute(op, f);
    }, Dequantize);
}

/// <summary>Faults that a backend may have, each in a few lines.</summary>
internal static partial class Mutants
{
    /// <summary>All mutants.</summary>
    public static ImmutableArray<Mutant> All { get; } = [.. Transformer, .. Streams, .. Quantized, .. Cache, .. Scores, .. Choices, .. Rules, .. Rankings];

    private static IEnumerable<Mutant> Transformer =>
    [
        Mutant.Of<EmbedOp>("Embed takes the next token's row", EmbedLaws.Copies, (op, f) =>
            Shifted(f.Integers(op.Tokens), -1, () => OracleOps.Execute(op, f), least: 0)),
        Mutant.Of<LinearOp>("Linear drops the last term", LinearLaws.Agrees, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix x = f.Reals(op.X), w = f.Reals(op.Weight), y = f.Reals(op.Y);
            y.Fill((i, o) => y[i, o] - (x[i, x.Width - 1] * w[o, x.Width - 1]));
        }),
        Mutant.Of<LinearOp>("Linear forgets the bias", LinearLaws.Agrees, (op, _) => op with { Bias = null }),
        Mutant.Of<LinearOp>("Linear rounds to half", LinearLaws.BatchEqualsAlone, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix y = f.Reals(op.Y);
            y.Fill((i, o) => (double)(Half)y[i, o]);
        }),
        Mutant.Of<RmsNormOp>("RmsNorm divides by the sum instead of the mean", RmsNormLaws.Agrees, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix y = f.Reals(op.Y);
            y.Fill((i, k) => y[i, k] / Math.Sqrt(y.Width));
        }),
        Mutant.Of<RmsNormOp>("RmsNorm forgets epsilon", RmsNormLaws.Agrees, (op, _) => op with { Epsilon = 0 }),
        Mutant.Of<RmsNormOp>("RmsNorm forgets the weight's offset", RmsNormLaws.Groups, (op, _) => op with { WeightOffset = 0 }),
        Mutant.Of<RmsNormOp>("RmsNorm takes the mean over all groups", RmsNormLaws.Groups, (op, f) =>
        {
            Matrix x = f.Reals(op.X), w = f.Reals(op.Weight), y = f.Reals(op.Y);
            double Root(int i) => Math.Sqrt(Enumerable.Range(0, x.Width).Average(k => x[i, k] * x[i, k]) + op.Epsilon);
            double[] roots = [.. Enumerable.Range(0, x.Rows).Select(Root)];
            y.Fill((i, k) => (op.WeightOffset + w[k % op.Weight.Tensor.Shape[0].Max]) * x[i, k] / roots[i]);
        }),
        Mutant.Of<RotationOp>("Rotation forgets the factor", RotationLaws.Agrees, (op, _) => op with { Factor = 1 }),
        Mutant.Of<RotationOp>("Rotation takes the angle in float", RotationLaws.Agrees, (op, f) =>
        {
            ArraySegment<int> positions = f.Integers(op.Positions);
            int half = op.Frequencies.Length;
            f.Reals(op.Y).Fill((i, k) => op.Factor * (k < half
                ? Math.Cos(positions[i] * (float)op.Frequencies[k])
                : Math.Sin(positions[i] * (float)op.Frequencies[k - half])));
        }),
        Mutant.Of<RopeOp>("Rope turns the other way", RopeLaws.Agrees, (op, f) =>
        {
            Matrix rotation = f.Reals(op.Rotation);
            Negate(rotation);
            OracleOps.Execute(op, f);
            Negate(rotation);
        }),
        Mutant.Of<RopeOp>("Rope pairs neighbours", RopeLaws.Agrees, (op, f) =>
        {
            Matrix x = f.Reals(op.X), rotation = f.Reals(op.Rotation);
            int half = rotation.Width / 2;
            f.Reals(op.Y).Fill((i, k) =>
            {
                int c = k % op.HeadDim, pair = c / 2;
                if (c >= 2 * half) return x[i, k];
                double cosine = rotation[i, pair], sine = rotation[i, half + pair];
                return c % 2 == 0 ? (x[i, k] * cosine) - (x[i, k + 1] * sine) : (x[i, k] * cosine) + (x[i, k - 1] * sine);
            });
        }),
        Mutant.Of<RopeOp>("Rope takes interleaved rows for half-split ones", RopeLaws.Agrees, (op, _) => op with { Interleaved = false }),
        Mutant.Of<AddOp>("Add writes one element too many", AddLaws.Agrees, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix y = f.Reals(op.Y);
            y[y.Rows * y.Width] = 0;
        }),
        Mutant.Of<AddOp>("Add works in place", AddLaws.Agrees, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix a = f.Reals(op.A), y = f.Reals(op.Y);
            a.Fill((i, k) => y[i, k]);
        }),
        Mutant.Of<AddOp>("Add skips the tail", AddLaws.Agrees, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix y = f.Reals(op.Y);
            y[(y.Rows * y.Width) - 1] = 0;
        }),
        Mutant.Of<AddOp>("Add truncates instead of rounding", AddLaws.Agrees, (op, f) =>
        {
            OracleOps.Execute(op, f);
            Matrix y = f.Reals(op.Y);
            y.Fill((i, k) => Math.ScaleB(Math.Truncate(Math.ScaleB(y[i, k], 10)), -10));
        }),
        Mutant.Of<SwiGluOp>("SwiGlu gates the other one", SwiGluLaws.Agrees, (op, _) => op with { Gate = op.Up, Up = op.Gate }),
        Mutant.Of<GeGluOp>("GeGlu takes the sigmoid of 1.702 x", GeGluLaws.Agrees, (op, f) =>
        {
            Matrix gate = f.Reals(op.Gate), up = f.Reals(op.Up);
            f.Reals(op.Y).Fill((i, k) => gate[i, k] / (1 + Math.Exp(-1.702 * gate[i, k])) * up[i, k]);
        }),
        Mutant.Of<GeGluOp>("GeGlu is SwiGlu", GeGluLaws.Agrees, (op, _) => new SwiGluOp(op.Gate, op.Up, op.Y)),
        Mutant.Of<ScaleOp>("Scale divides", ScaleLaws.Agrees, (op, _) => op with { Factor = 1 / op.Factor }),
        Mutant.Of<SoftCapOp>("SoftCap clips", ScaleLaws.Capped, (op, f) =>
        {
            Matrix x = f.Reals(op.X);
            f.Reals(op.Y).Fill((i, k) => Math.Clamp(x[i, k], -op.Cap, op.Cap));
        }),
        Mutant.Of<GatherRowsOp>("GatherRows takes the first row", GatherRowsLaws.Copies, (op, f) =>
        {
            Matrix x = f.Reals(op.X);
            f.Reals(op.Y).Fill((_, k) => x[0, k]);
        }),
    ];

    /// <summary>The oracle with every result rounded to the nearest float.</summary>
    public static OracleBackend RoundedOracle() => new((op, f) =>
    {
        OracleOps.Execute(op, f);
        if (op.Writes.Spec is not TensorSpec { Type: DType.F32 }) return;
        Matrix y = f.Reals(op.Writes);
        y.Fill((i, k) => (float)y[i, k]);
    });

    // Adds to integers that an op reads, for the time that it runs.
    private static void Shifted(ArraySegment<int> values, int by, Action run, int least = int.MinValue) =>
        Replaced(values, [.. values.Select(x => Math.Max(least, x + by))], run);

    private static void Replaced(ArraySegment<int> values, int[] wrong, Action run)
    {
        int[] right = [.. values];
        wrong.CopyTo(values.AsSpan());
        run();
        right.CopyTo(values.AsSpan());
    }

    // Turns the sines, the second half of each row.
    private static void Negate(Matrix rotation) =>
        rotation.Fill((i, k) => k < rotation.Width / 2 ? rotation[i, k] : -rotation[i, k]);
}
