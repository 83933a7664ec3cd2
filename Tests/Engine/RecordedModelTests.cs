using KvIL.Backends;
using KvIL.Conformance.Oracle;
using KvIL.Eviction;
using KvIL.Inference.Files;
using KvIL.Inference.Generation;
using KvIL.Inference.Runtime;
using KvIL.Reference;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Engines;

/// <summary>The engine against recorded logits, greedy tokens, keys and values, and against the oracle.</summary>
/// <remarks>
/// Whole models are at most four times as far from the truth (the definition in double, and the oracle) as a plain float32 implementation (design, section 6). Where that distance
/// is not recorded it is measured: the recording is such an implementation.
/// </remarks>
public sealed class RecordedModelTests
{
    private const double TimesFloat32 = 4;

    [Fact]
    public void Demo_model() => Holds(EngineFixture.Demo, chunk: 64);

    [Fact]
    public void Demo_model_against_the_oracle() => AgainstOracle(sequences: 1);

    [Fact]
    [Trait("Length", "Long")]
    public void Demo_model_against_the_oracle_in_all_sequences() => AgainstOracle(sequences: 3);

    [Fact]
    public void Tiny_untied() => Holds(Repo.PathOf("models/tiny-random/llama-untied"), chunk: 5);

    [Fact]
    public void Tiny_with_biases() => Holds(Repo.PathOf("models/tiny-random/llama-bias"), chunk: 77);

    [Fact]
    public void Tiny_in_shards() => Holds(Repo.PathOf("models/tiny-random/llama-untied-sharded"), chunk: 8);

    [Theory]
    [InlineData("forward", "logits")]
    [InlineData("store.0", "keys")]
    public void Mutant_a_change_of_one_part_in_a_thousand(string target, string what) =>
        Assert.ThrowsAny<Xunit.Sdk.XunitException>(() => Holds(EngineFixture.Demo, 64, inner => new TamperedBackend(inner)
        {
            After = (queue, b) =>
            {
                if (b.Plan.Name != "forward") return;
                IBuffer buffer = what == "keys" ? ((IStore)TamperedBackend.Bound(b, target)!).Keys : b.Buffers[b.Plan.Outputs[0].Id]!;
                TamperedBackend.Edit<float>(queue, buffer, 40, x => x[39] *= 1.001f);
            },
        }));

    private static void Holds(string directory, int chunk, Func<IBackend, IBackend>? tamper = null)
    {
        RecordedModel recorded = new(directory);
        IBackend backend = new ReferenceBackend(2);
        using Session subject = new(directory, Options(recorded, chunk), null, tamper is null ? backend : tamper(backend));
        DoubleModel definition = new(directory);
        foreach (RecordedSequence sequence in recorded.Sequences)
        {
            Outcome actual = Run(subject.Engine, sequence);
            Within(sequence.Logits, actual.Logits, sequence.Tolerance, "logits against the recording");
            Compare(recorded, sequence, Of(definition.Run(sequence.Ids, DoubleModel.Causal), sequence, subject.Engine.Model.Config), actual);
            if (tamper is null) Continues(subject.Engine, sequence);
        }
    }

    private static void AgainstOracle(int sequences)
    {
        RecordedModel recorded = new(EngineFixture.Demo);
        using Session subject = new(EngineFixture.Demo, Options(recorded, 64), null, new ReferenceBackend(2));
        using Session oracle = new(EngineFixture.Demo, Options(recorded, 64), null, new OracleBackend());
        foreach (RecordedSequence sequence in recorded.Sequences.Take(sequences))
        {
            Compare(recorded, sequence, Run(oracle.Engine, sequence), Run(subject.Engine, sequence));
        }
    }

    private static void Compare(RecordedModel recorded, RecordedSequence sequence, Outcome truth, Outcome actual)
    {
        double logits = recorded.Distance ?? Distance(sequence.Logits, truth.Logits);
        Within(truth.Logits, actual.Logits, TimesFloat32 * logits, "logits against the truth");
        foreach (int layer in sequence.Keys.Keys)
        {
            Rows(sequence.Keys[layer], truth.Keys[layer], actual.Keys[layer], $"keys of layer {layer}");
            Rows(sequence.Values[layer], truth.Values[layer], actual.Values[layer], $"values of layer {layer}");
        }
    }

    private static EngineOptions Options(RecordedModel recorded, int chunk) => new()
    {
        Chunk = chunk,
        RowType = DType.F32,
        MaxLogitRows = recorded.Sequences.Max(s => s.Ids.Length),
        MaxTokens = recorded.Sequences.Max(s => s.Ids.Length + s.Greedy.Length),
    };

    // The definition in the recording's layout.
    private static Outcome Of(Definition definition, RecordedSequence sequence, ModelConfig config)
    {
        int n = sequence.Ids.Length, d = config.HeadDim;
        float[] Heads(Approximation rows) =>
            [.. from head in Enumerable.Range(0, config.NumKvHeads) from i in Enumerable.Range(0, n) from c in Enumerable.Range(0, d) select (float)rows[i, (head * d) + c]];
        return new(
            [.. Enumerable.Range(n - sequence.Logits.Length, sequence.Logits.Length).Select(i =>
                Enumerable.Range(0, config.VocabSize).Select(v => (float)definition.Logits[i, v]).ToArray())],
            [.. definition.Keys.Select(Heads)],
            [.. definition.Values.Select(Heads)]);
    }

    private static Outcome Run(Engine engine, RecordedSequence sequence)
    {
        using KvCache cache = engine.CreateCache();
        int n = sequence.Ids.Length;
        engine.Forward(cache, new int[n], sequence.Ids, [.. Enumerable.Range(0, n)]);
        RunRows[][] stores = CacheRows.Of(engine, cache, 0);
        return new(
            [.. Enumerable.Range(n - sequence.Logits.Length, sequence.Logits.Length).Select(i => engine.Logits(i).ToArray())],
            [.. stores.Select(store => Floats(store, run => run.Keys))],
            [.. stores.Select(store => Floats(store, run => run.Values))]);
    }

    // Greedy tokens are the recorded ones up to the first step whose margin the tolerance could turn.
    private static void Continues(Engine engine, RecordedSequence sequence)
    {
        using KvCache cache = engine.CreateCache();
        engine.Prefill(cache, 0, sequence.Ids, EvictionPolicy.Full);
        for (int step = 0; step < sequence.Greedy.Length; step++)
        {
            float[] best = [.. engine.Logits(0).ToArray().OrderDescending().Take(2)];
            double margin = step < sequence.Margins.Length ? sequence.Margins[step] : best[0] - best[1];
            if (margin < 2 * sequence.Tolerance) return;
            Assert.Equal(sequence.Greedy[step], Sampler.ArgMax(engine.Logits(0)));
            engine.Forward(cache, [0], [sequence.Greedy[step]], [0]);
        }
    }

    private static void Rows(float[] recorded, float[] truth, float[] actual, string what) =>
        Within([truth], [actual], TimesFloat32 * Distance([recorded], [truth]), what);

    private static double Distance(float[][] a, float[][] b) =>
        a.Zip(b, (x, y) => x.Zip(y, (p, q) => Math.Abs((double)p - q)).Max()).Max();

    private static void Within(float[][] expected, float[][] actual, double bound, string what)
    {
        double distance = Distance(expected, actual);
        Assert.True(distance <= bound, $"{what}: {distance:E2} apart, {bound:E2} allowed");
    }

    private static float[] Floats(RunRows[] store, Func<RunRows, byte[]> part) =>
        [.. store.SelectMany(run => System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(part(run)).ToArray())];

    private sealed record Outcome(float[][] Logits, float[][] Keys, float[][] Values);
}
