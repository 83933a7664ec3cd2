using KvIL.Eviction;
using KvIL.Inference.Files.Synthesis;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Reference;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Bench;

/// <summary>What sharing buys on this machine: bytes, the largest batch, decoding at that batch and the cost of a prompt, for every configuration.</summary>
/// <remarks>
/// A model of TinyLlama's shape with made-up weights. The largest batch is what fits beside the weights in a limit, every sequence
/// as long as the context; scratch is not counted. Decoding runs at full context, on rows that are made up too: each step reads all of them.
/// </remarks>
internal static class SharingBench
{
    private const string Shape = "tinyllama-1.1b";

    public static void Run(int threads, int context, int promptTokens, int steps, long limit, int[] kvLayers, DType type, string[] only)
    {
        SyntheticShape shape = SyntheticShape.Find(Shape)!;
        string path = Path.Combine(Path.GetTempPath(), $"kvil-bench-sharing-{Environment.ProcessId}.gguf");
        try
        {
            // The last two columns: layer passes counted for chunks of 9 tokens, and the prompt token by token in cyclic slices.
            new SyntheticModel(shape, type).Write(path);
            using ReferenceBackend backend = new(threads);
            Console.WriteLine($"{Shape}, {type} weights, F16 rows, {threads} threads; context {context}, prompt {promptTokens}, {limit / (double)(1 << 30):0.##} GiB for weights and rows");
            Console.WriteLine($"{"",-22}{"bytes",9}{"batch",7}{"decode",10}{"of un-",8}{"prompt",9}{"of un-",8}{"passes",8}{"one by",9}");
            Console.WriteLine($"{"configuration",-22}{"a token",9}{"",7}{"tokens/s",10}{"shared",8}{"s",9}{"shared",8}{"counted",8}{"one, s",9}");
            Figures unshared = Measure(path, backend, null, context, promptTokens, steps, limit);
            Print("unshared", unshared, unshared);
            foreach (int owners in kvLayers)
            {
                foreach (SharingConfiguration configuration in from partition in Enum.GetValues<Partition>()
                                                               from position in new[] { Position.Bottom, Position.Middle, Position.Top }
                                                               select new SharingConfiguration(partition, position, owners))
                {
                    if (only.Length > 0 && !only.Contains(configuration.ToString())) continue;
                    Print(configuration.ToString(), Measure(path, backend, configuration.Map(shape.Layers), context, promptTokens, steps, limit), unshared);
                }
            }
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static Figures Measure(string path, ReferenceBackend backend, SharingMap? map, int context, int promptTokens, int steps, long limit)
    {
        using Model model = Model.Open(path, backend, map, readTokenizer: false);
        SharingMap own = model.Transformer.Map;
        StoreSpec store = new(1, model.Config.NumKvHeads, model.Config.HeadDim, DType.F16, 0);
        long bytes = (long)own.NumStores * store.NumKvHeads * store.RowBytes;
        int batch = (int)((limit - MemoryNeed.OfWeights(model.Transformer).Weights) / (bytes * context));
        double prompt = Prompt(model, promptTokens, PrefillStrategy.PublishedChunk);
        double sequential = own.IsCyclic ? Prompt(model, promptTokens, PrefillStrategy.Sequential) : prompt;
        return new(bytes, batch, Decode(model, batch, context, steps), prompt, sequential, own.LayerPasses(SharingMap.ExactPasses(PrefillStrategy.PublishedChunk.Passes)));
    }

    private static double Prompt(Model model, int tokens, PrefillStrategy strategy)
    {
        using Engine engine = new(model, new() { MaxTokens = tokens, Prefill = strategy });
        int[] ids = [.. Enumerable.Range(0, tokens).Select(i => i * 7 % model.Config.VocabSize)];
        using KvCache cache = engine.CreateCache();
        return ModelRun.Time(() => engine.Prefill(cache, 0, ids, EvictionPolicy.Full, reserve: 0), repeats: 1);
    }

    // Tokens a second of all sequences.
    private static double Decode(Model model, int batch, int context, int steps)
    {
        using Engine engine = new(model, new() { Sequences = batch, Chunk = batch, MaxTokens = context, MaxLogitRows = batch });
        using KvCache cache = engine.CreateCache();
        engine.Fill(cache, context - steps - 1);
        int[] sequences = [.. Enumerable.Range(0, batch)], ids = [.. sequences.Select(s => s % model.Config.VocabSize)];
        engine.Forward(cache, sequences, ids, sequences);
        return batch / ModelRun.Time(() => engine.Forward(cache, sequences, ids, sequences), steps);
    }

    private static void Print(string name, Figures f, Figures unshared) => Console.WriteLine(
        $"{name,-22}{f.Bytes,9:#,0}{f.Batch,7}{f.Decode,10:0.0}{f.Decode / unshared.Decode,8:0.00}{f.Prompt,9:0.00}{f.Prompt / unshared.Prompt,8:0.00}{f.Passes,8:0.00}{f.Sequential,9:0.00}");

    private readonly record struct Figures(long Bytes, int Batch, double Decode, double Prompt, double Sequential, double Passes);
}
