using KvIL.Conformance.Generators;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance.Laws;

/// <summary>Laws of the ops that only some models need: streams side by side, their mixtures, sparse rows.</summary>
public static class StreamLaws
{
    public static Law<RowsCase> Columns { get; } = new("Columns_copies_exactly", "ColumnsOp", (laws, c) =>
    {
        int width = c.Width + c.Outputs;
        HostTensor x = HostTensor.F32(c.Rows(0, c.N * width), c.N, width);
        Scenario s = new("columns");
        Dim n = s.Bind("n", c.N);
        Slot y = s.Output(s.Builder.Columns(s.Input("x", x, n, width), c.Bias ? c.Outputs : c.Outputs / 2, c.Width));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        Expect.Exact(expected.Reals(y), actual.Reals(y));
    });

    public static Law<RowsCase> Concatenate { get; } = new("Concatenate_puts_parts_side_by_side_exactly", "ConcatenateOp", (laws, c) =>
    {
        HostTensor b = HostTensor.F32(c.Rows(1, c.N * c.Outputs), c.N, c.Outputs);
        Scenario s = new("concatenate");
        Dim n = s.Bind("n", c.N);
        Slot first = s.Input("a", c.Rows(0), n, c.Width), second = s.Input("b", b, n, c.Outputs);
        Slot y = s.Output(c.Bias ? s.Builder.Concatenate(first, second, first) : s.Builder.Concatenate(second, first));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        Expect.Exact(expected.Reals(y), actual.Reals(y));
    });

    public static Law<RowsCase> Mix { get; } = new("Mix_agrees_with_the_oracle", "MixOp; class Reduction", (laws, c) =>
    {
        int streams = 1 + (c.Seed % 4), results = 1 + (c.Outputs % 5);
        float offset = c.Bias ? 1 : 0;
        HostTensor x = HostTensor.F32(c.Rows(0, c.N * streams * c.Width), c.N, streams * c.Width);
        HostTensor factors = HostTensor.F32(c.Rows(1, c.N * results * streams), c.N, results * streams);
        Scenario s = new("mix");
        Dim n = s.Bind("n", c.N);
        Slot y = s.Output(s.Builder.Mix(s.Input("x", x, n, streams * c.Width), s.Input("factors", factors, n, results * streams), streams, offset));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        Expect.Within(expected.Reals(y), actual.Reals(y), at =>
        {
            (int i, int k) = (at / (results * c.Width), at % (results * c.Width));
            double magnitude = Enumerable.Range(0, streams).Sum(stream => Math.Abs(
                (offset + factors.Reals[(((i * results) + (k / c.Width)) * streams) + stream]) * x.Reals[(((i * streams) + stream) * c.Width) + (k % c.Width)]));
            return Tolerance.Reduction(streams + 1, magnitude);
        });
    });

    public static Law<RowsCase> MatchRms { get; } = new("MatchRms_agrees_with_the_oracle", "MatchRmsOp; class Reduction", (laws, c) =>
    {
        double[] rows = c.Rows(0, c.N * c.Width);
        HostTensor x = HostTensor.F32(c.Bias ? [.. rows.Select(value => value / 4096)] : rows, c.N, c.Width);
        Scenario s = new("match-rms");
        Dim n = s.Bind("n", c.N);
        Slot y = s.Output(s.Builder.MatchRms(s.Input("x", x, n, c.Width), s.Input("reference", c.Rows(1), n, c.Width), floor: 1e-5f));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        double[] truth = expected.Reals(y);
        Expect.Within(truth, actual.Reals(y), i => Tolerance.MatchRms(c.Width, truth[i]));
    });

    public static Law<RowsCase> Sparsify { get; } = new("Sparsify_agrees_with_the_oracle", "SparsifyOp; class Reduction", (laws, c) =>
    {
        HostTensor x = c.Rows(0);
        float deviations = c.Bias ? 1.6448536f : -0.3f;
        Scenario s = new("sparsify");
        Dim n = s.Bind("n", c.N);
        Slot y = s.Output(s.Builder.Sparsify(s.Input("x", x, n, c.Width), deviations));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        Expect.Within(expected.Reals(y), actual.Reals(y), i =>
        {
            double[] row = x.Reals[(i / c.Width * c.Width)..((i / c.Width * c.Width) + c.Width)];
            return Tolerance.Sparsify(row, deviations, x.Reals[i]);
        });
    });

    public static Law<RowsCase> KnownTokens { get; } = new("KnownTokens_is_exact", "KnownTokensOp", (laws, c) =>
    {
        Scenario s = new("known-tokens");
        Dim n = s.Bind("n", c.N);
        Slot y = s.Output(s.Builder.KnownTokens(s.Input("tokens", c.Indices(1, c.Width + 1), n), Math.Max(1, c.Bias ? c.Width / 2 : c.Width)));
        (PlanResults expected, PlanResults actual) = laws.Run(s);
        Expect.True(expected.Integers(y).SequenceEqual(actual.Integers(y)), $"the tokens differ");
    });
}
