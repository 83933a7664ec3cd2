using System.Diagnostics;
using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Plans;
using KvIL.Reference;
using KvIL.Tensors;

namespace KvIL.Bench;

/// <summary>Decode, prefill and the Ada-SnapKV step beside a read loop and a multiply-add loop of the same run.</summary>
/// <remarks>Rounds interleave all measurements, and medians of their ratios are reported, so that a machine that drifts does not decide.</remarks>
internal static class CpuBench
{
    private const int Rounds = 9;
    private const double ValidBandwidth = 30e9;

    public static int Run(int threads)
    {
        Console.WriteLine($"{threads} threads, {Environment.ProcessorCount} processors, 512-bit vectors: {System.Runtime.Intrinsics.Vector512.IsHardwareAccelerated}");
        double bandwidth = 0;
        foreach (DType type in (ReadOnlySpan<DType>)[DType.F32, DType.F16])
        {
            bandwidth = Math.Max(bandwidth, RunModel(type, threads));
        }

        RunEviction(threads);
        if (bandwidth < ValidBandwidth)
        {
            Console.WriteLine($"INVALID: the read loop reached {bandwidth / 1e9:F1} GB/s; below {ValidBandwidth / 1e9:F0} this machine is too busy, or of another class than the targets are for.");
            return 1;
        }

        return 0;
    }

    private static double RunModel(DType type, int threads)
    {
        string directory = Path.Combine(Path.GetTempPath(), $"kvil-bench-{Environment.ProcessId}");
        try
        {
            SyntheticCheckpoint.WriteSmolLm2(directory, type);
            using ReferenceBackend backend = new(threads);
            using Model model = Model.Open(directory, backend);
            using Engine engine = new(model, new() { MaxTokens = 1024 });
            using KvCache cache = engine.CreateCache();
            return Measure(type, threads, model, engine, cache);
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static double Measure(DType type, int threads, Model model, Engine engine, KvCache cache)
    {
        int[] prompt = [.. Enumerable.Range(0, 512).Select(i => i * 7 % model.Config.VocabSize)];
        int[] zero = [0];
        int[] token = [1];
        long weightBytes = model.Weights.Values.Sum(weight => weight.Spec.SizeBytes);
        double multiplyAdds = 2.0 * prompt.Length * (weightBytes / type.BlockBytes() - ((long)model.Config.VocabSize * model.Config.HiddenSize));
        List<double> decode = [], prefill = [], read = [], fma = [], decodeRate = [], prefillRate = [];
        engine.Forward(cache, new int[8], new int[8], [7]);
        for (int round = 0; round < Rounds; round++)
        {
            double bandwidth = Machine.ReadBandwidth(threads);
            double seconds = Time(() => engine.Forward(cache, zero, token, zero), repeats: 8);
            double peak = Machine.FmaPeak(threads);
            double whole;
            using (KvCache fresh = engine.CreateCache())
            {
                whole = Time(() => engine.Prefill(fresh, 0, prompt, EvictionPolicy.Full, reserve: 0), repeats: 1);
            }

            read.Add(bandwidth);
            fma.Add(peak);
            decode.Add(weightBytes / seconds / bandwidth);
            decodeRate.Add(1 / seconds);
            prefill.Add(multiplyAdds / whole / peak);
            prefillRate.Add(prompt.Length / whole);
        }

        Console.WriteLine(
            $"{type}: read loop {Median(read) / 1e9:F1} GB/s, FMA loop {Median(fma) / 1e9:F0} GFLOP/s | "
            + $"decode {Median(decodeRate):F1} tokens/s, {Median(decode):P0} of the read loop | "
            + $"prefill of {prompt.Length} {Median(prefillRate):F0} tokens/s, {Median(prefill):P0} of the FMA loop (projections alone counted)");
        return Median(read);
    }

    private static void RunEviction(int threads)
    {
        EvictionPolicy policy = EvictionPolicy.Parse("ada-snapkv");
        const int queryHeads = 32, kvHeads = 8, headDim = 128;
        using ReferenceBackend backend = new(threads);
        using IQueue queue = backend.CreateQueue();
        StoreSpec spec = new(1, kvHeads, headDim, DType.F16, 0);
        TensorSpec window = new(DType.F32, 1, policy.Window, queryHeads * headDim);
        StoreReader reader = new(window, new(DType.F16, queryHeads * headDim, queryHeads * headDim), 0.088388346f);
        using IBuffer queries = backend.Allocate(window, MemoryKind.Cache);
        Random random = new(1);
        queue.Upload<float>([.. Enumerable.Range(0, policy.Window * queryHeads * headDim).Select(_ => (float)(random.NextDouble() - 0.5))], queries);
        foreach (int tokens in (ReadOnlySpan<int>)[4096, 16384, 32768])
        {
            EvictionProgram program = EvictionProgram.ByScore(policy, spec, [reader], tokens, tokens, measure: false);
            using IExecutable executable = backend.Compile(program.Plan);
            using IStore store = Fill(backend, queue, spec, tokens, random);
            int rows = StoreRows.Of(policy, tokens, 1)[0];
            using IStore fresh = backend.Allocate(spec with { Rows = (long)rows * kvHeads });
            Bindings bindings = new(program.Plan)
            {
                [program.From] = store,
                [program.To] = fresh,
                [program.Windows[0]] = queries,
                [program.Tokens] = tokens,
                [program.Length] = tokens,
                [program.Total] = rows * kvHeads,
                [program.Window] = policy.Window,
            };
            double[] seconds = [.. Enumerable.Range(0, Rounds).Select(_ => Time(() => queue.Enqueue(executable, bindings), 1))];
            Console.WriteLine(
                $"Ada-SnapKV step, {queryHeads}/{kvHeads} heads of {headDim}, {tokens} tokens: {Median(seconds) * 1e3:F1} ms, {Median(seconds) * 1e9 / tokens:F0} ns a token");
        }
    }

    private static IStore Fill(IBackend backend, IQueue queue, StoreSpec spec, int tokens, Random random)
    {
        IStore store = backend.Allocate(spec with { Rows = (long)tokens * spec.NumKvHeads });
        Half[] block = [.. Enumerable.Range(0, spec.HeadDim * 1024).Select(_ => (Half)(random.NextDouble() - 0.5))];
        for (int first = 0; first < tokens * spec.NumKvHeads; first += 1024)
        {
            queue.Upload<Half>(block, store.Keys.Rows(first, 1024));
            queue.Upload<Half>(block, store.Values.Rows(first, 1024));
        }

        queue.Upload<int>([.. Enumerable.Range(0, tokens * spec.NumKvHeads).Select(row => row % tokens)], store.Positions);
        queue.Upload<long>([.. Enumerable.Range(0, spec.NumKvHeads).Select(head => (long)head * tokens)], store.Starts);
        queue.Upload<int>([.. Enumerable.Repeat(tokens, spec.NumKvHeads)], store.Lengths);
        queue.Upload<int>([.. Enumerable.Repeat(tokens, spec.NumKvHeads)], store.Capacities);
        return store;
    }

    private static double Time(Action action, int repeats)
    {
        long began = Stopwatch.GetTimestamp();
        for (int i = 0; i < repeats; i++)
        {
            action();
        }

        return Stopwatch.GetElapsedTime(began).TotalSeconds / repeats;
    }

    private static double Median(IReadOnlyCollection<double> values) => values.Order().ElementAt(values.Count / 2);
}
