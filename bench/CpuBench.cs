using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Files.Synthesis;
using KvIL.Plans;
using KvIL.Reference;
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
            RunEviction(threads);
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
            EvictionProgram program = EvictionProgram.ByScore(policy, spec, [reader], tokens, tokens, EvictionExtras.None);
            using IExecutable executable = backend.Compile(program.Plan);
            using IStore store = Fill(backend, queue, spec, tokens, random);
            int rows = StoreRows.Of(policy, tokens, 1)[0];
            using IStore fresh = backend.Allocate(spec with { Rows = (long)rows * kvHeads });
            Bindings bindings = new(program.Plan)
            {
                [program.From] = store,
                [program.To!] = fresh,
                [program.Windows[0]] = queries,
                [program.Tokens] = tokens,
                [program.Length] = tokens,
                [program.Total] = rows * kvHeads,
                [program.Window] = policy.Window,
                [program.Queries] = policy.Window,
            };
            double[] seconds = [.. Enumerable.Range(0, Rounds).Select(_ => ModelRun.Time(() => queue.Enqueue(executable, bindings), 1))];
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

    private static double Median(IEnumerable<double> values) => values.Order().ElementAt(values.Count() / 2);
}
