using KvIL.Eviction;
using KvIL.Tensors;

namespace KvIL.Bench;

/// <summary>The Ada-SnapKV step of one layer beside the matrix product that it contains and a multiply-add loop of the same run.</summary>
/// <remarks>Rounds interleave all measurements; the least of each is reported, since a neighbour only ever adds time, and ratios are of these.</remarks>
internal static unsafe class EvictionBench
{
    private const int Rounds = 15;
    private const double QuietSpread = 1.5;

    private static readonly LayerShape s_shape = new(QueryHeads: 32, KvHeads: 8, HeadDim: 128);
    private static readonly EvictionPolicy s_policy = EvictionPolicy.Parse("ada-snapkv");

    public static void Run(int threads)
    {
        Console.WriteLine($"Ada-SnapKV step of one layer, {s_shape.QueryHeads}/{s_shape.KvHeads} heads of {s_shape.HeadDim}, window {s_policy.Window}, kernel {s_policy.Kernel}, budget 20 %, {threads} threads; the least of {Rounds} rounds");
        foreach (int tokens in (ReadOnlySpan<int>)[4096, 16384, 32768])
        {
            using EvictionRun f32 = new(s_policy, DType.F32, s_shape, tokens, threads), f16 = new(s_policy, DType.F16, s_shape, tokens, threads);
            using ScoreParts parts = new((float*)f32.Keys, tokens, s_shape, threads);
            double product = double.MaxValue, exponentials = double.MaxValue, peak = 0;
            for (int round = 0; round < Rounds; round++)
            {
                peak = Math.Max(peak, Machine.FmaPeak(threads));
                product = Math.Min(product, ModelRun.Time(parts.Product, 1));
                exponentials = Math.Min(exponentials, ModelRun.Time(parts.Exponentials, 1));
                f32.Measure();
                f16.Measure();
            }

            Console.WriteLine($"{tokens} tokens: product {product * 1e3:F1} ms, {parts.Operations / product / peak:P0} of the FMA loop's {peak / 1e9:F0} GFLOP/s; exponentials {exponentials * 1e3:F1} ms");
            Report(f32, tokens, product, exponentials);
            Report(f16, tokens, product, exponentials);
        }
    }

    private static void Report(EvictionRun run, int tokens, double product, double exponentials)
    {
        double step = run.Seconds.Min(), median = run.Seconds.Order().ElementAt(Rounds / 2);
        double scores = run.Ops["WindowScores"], copy = run.Ops["Compact"];
        Console.WriteLine($"""
              {run.RowType} rows: {step * 1e3:F1} ms (median {median * 1e3:F1}), {step * 1e9 / tokens:F0} ns a token, {step / product:F2} of the product
                product {product / step:P0}, exponentials {exponentials / step:P0}, other work of the scores {(scores - product - exponentials) / step:P0}, choice of rows {(step - scores - copy) / step:P0}, copying them {copy / step:P0}
                {string.Join(", ", run.Ops.OrderByDescending(op => op.Value).Select(op => $"{op.Key} {op.Value * 1e3:F1}"))} ms
            """);
        if (median > QuietSpread * step)
        {
            Console.WriteLine($"    INVALID: the median of these steps is more than {QuietSpread} times the least; the machine is too busy.");
        }
    }
}
