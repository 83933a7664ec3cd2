using KvIL.Eviction;
using KvIL.Tensors;

namespace KvIL.Bench;

/// <summary>The Ada-SnapKV step of one layer beside the matrix product that it contains and a multiply-add loop of the same run.</summary>
/// <remarks>Rounds interleave all measurements; the least of each is reported, since a neighbour only ever adds time, and ratios are of these.</remarks>
internal static unsafe class EvictionBench
{
    private const int Rounds = 9;

    private static readonly LayerShape s_shape = new(QueryHeads: 32, KvHeads: 8, HeadDim: 128);
    private static readonly EvictionPolicy s_policy = EvictionPolicy.Parse("ada-snapkv");

    public static void Run(int threads)
    {
        Console.WriteLine($"Ada-SnapKV step of one layer, {s_shape.QueryHeads}/{s_shape.KvHeads} heads of {s_shape.HeadDim}, window {s_policy.Window}, kernel {s_policy.Kernel}, budget 20 %, {threads} threads");
        foreach (int tokens in (ReadOnlySpan<int>)[4096, 16384, 32768])
        {
            using EvictionRun f32 = new(s_policy, DType.F32, s_shape, tokens, threads), f16 = new(s_policy, DType.F16, s_shape, tokens, threads);
            using ScoreProduct product = new((float*)f32.Keys, tokens, s_shape, threads);
            List<double> products = [], peaks = [];
            for (int round = 0; round < Rounds; round++)
            {
                peaks.Add(Machine.FmaPeak(threads));
                products.Add(ModelRun.Time(product.Run, 1));
                f32.Measure();
                f16.Measure();
            }

            double least = products.Min();
            Console.WriteLine($"{tokens} tokens: product {least * 1e3:F1} ms, {product.Operations / least / peaks.Max():P0} of the FMA loop's {peaks.Max() / 1e9:F0} GFLOP/s");
            Report(f32, tokens, least);
            Report(f16, tokens, least);
        }
    }

    private static void Report(EvictionRun run, int tokens, double product)
    {
        double step = run.Seconds.Min();
        Console.WriteLine($"""
              {run.RowType} rows: {step * 1e3:F1} ms (median {run.Seconds.Order().ElementAt(Rounds / 2) * 1e3:F1}), {step * 1e9 / tokens:F0} ns a token, {step / product:F2} of the product
                {run.Ops()}
            """);
    }
}
