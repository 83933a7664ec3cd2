using KvIL.Inference.Files.Synthesis;
using KvIL.Tensors;

namespace KvIL.Bench;

/// <summary>Decode, prefill and the Ada-SnapKV step beside a read loop and a multiply-add loop of the same run.</summary>
/// <remarks>Rounds interleave all measurements of all types, and medians of their ratios are reported, so that a machine that drifts does not decide.</remarks>
internal static class CpuBench
{
    private const int Rounds = 9;
    private const double ValidBandwidth = 30e9;

    public static int Run(int threads, SyntheticShape shape, int? layers, DType[] types, bool eviction)
    {
        Console.WriteLine($"{threads} threads, {Environment.ProcessorCount} processors, 512-bit vectors: {System.Runtime.Intrinsics.Vector512.IsHardwareAccelerated}");
        Console.WriteLine($"{shape.Name}, {layers ?? shape.Layers} layers, prompt of {ModelRun.PromptTokens}; shares of the read loop and of the FMA loop, for which projections alone are counted");
        List<ModelRun> runs = [];
        double bandwidth;
        try
        {
            foreach (DType type in types)
            {
                runs.Add(new(shape, type, layers, threads));
            }

            bandwidth = Measure(runs, threads);
        }
        finally
        {
            runs.ForEach(run => run.Dispose());
        }

        if (eviction)
        {
            EvictionBench.Run(threads);
        }

        if (bandwidth < ValidBandwidth)
        {
            Console.WriteLine($"INVALID: the read loop reached {bandwidth / 1e9:F1} GB/s; below {ValidBandwidth / 1e9:F0} this machine is too busy, or of another class than the targets are for.");
            return 1;
        }

        return 0;
    }

    private static double Measure(List<ModelRun> runs, int threads)
    {
        List<double> read = [], fma = [];
        for (int round = 0; round < Rounds; round++)
        {
            read.Add(Machine.ReadBandwidth(threads));
            fma.Add(Machine.FmaPeak(threads));
            runs.ForEach(run => run.Measure());
        }

        Console.WriteLine($"read loop {Median(read) / 1e9:F1} GB/s, FMA loop {Median(fma) / 1e9:F0} GFLOP/s");
        ModelRun? half = runs.Find(run => run.Type == DType.F16);
        foreach (ModelRun run in runs)
        {
            double share = Median(run.Decode.Zip(read, (seconds, bandwidth) => run.WeightBytes / seconds / bandwidth));
            double work = Median(run.Prefill.Zip(fma, (seconds, peak) => run.MultiplyAdds / seconds / peak));
            string faster = half is null ? "" : $", {Median(half.Decode.Zip(run.Decode, (f16, seconds) => f16 / seconds)):F2} of F16";
            (string decode, string prefill) = run.Shares();
            Console.WriteLine($"""
                {run.Type} ({run.WeightBytes / 1e6:F0} MB; matrices: {run.Matrices})
                  decode  {1 / Median(run.Decode):F1} tokens/s, {share:P0}{faster}: {decode}
                  prefill {ModelRun.PromptTokens / Median(run.Prefill):F0} tokens/s, {work:P0}: {prefill}
                """);
        }

        return Median(read);
    }

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(values.Count() / 2);
}
