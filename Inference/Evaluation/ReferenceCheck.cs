using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Files;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Tensors;

namespace KvIL.Inference.Evaluation;

/// <summary>Runs the sequences of a recorded reference through a model and measures the differences.</summary>
/// <remarks>
/// Each sequence is one prompt, its keys and values cached in F32; it goes through in as many chunks as the logits of all
/// positions need, which changes nothing beyond rounding (tests hold that). Keys and values have the same tolerance as the logits.
/// </remarks>
public static class ReferenceCheck
{
    // Logits held at once.
    private const int MaxLogits = 1 << 24;
    private const int MaxChunk = 2048;

    /// <summary>Compares a model with a reference.</summary>
    /// <param name="model">The model; it needs no tokenizer.</param>
    /// <param name="reference">The reference file; null for the one beside the model.</param>
    /// <param name="progress">Told the share done, from 0 to 1.</param>
    /// <param name="cancelled">Ends the run between chunks and tokens.</param>
    /// <exception cref="ModelFileException">The reference is missing, damaged, or of another layout or model.</exception>
    public static CheckReport Run(
        Model model, string? reference = null, Action<double>? progress = null, CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(model);
        string file = reference ?? ReferenceFile.PathBeside(model.Path);
        using ReferenceFile recorded = ReferenceFile.Open(file, model.Transformer);
        int longest = recorded.Sequences.Max(sequence => sequence.Ids.Length + sequence.Greedy.Length);
        int chunk = Math.Clamp(MaxLogits / model.Config.VocabSize, 1, Math.Min(MaxChunk, longest));
        EngineOptions options = new()
        {
            MaxTokens = longest, BeyondContext = true, Chunk = chunk, MaxLogitRows = chunk, RowType = DType.F32, KeepsHiddenRows = true,
        };
        using Engine engine = new(model, options);
        MemoryNeed.Of(engine, EvictionPolicy.Full, longest, 0).Check(null);
        List<CheckedSequence> results = [];
        foreach ((int i, ReferenceSequence sequence) in recorded.Sequences.Index())
        {
            results.Add(new SequenceRun(engine, sequence, cancelled).Run());
            progress?.Invoke((i + 1.0) / recorded.Sequences.Count);
        }

        return new(file, results.All(result => result.Passed), results);
    }

    /// <summary>One sequence.</summary>
    private sealed class SequenceRun(Engine engine, ReferenceSequence sequence, CancellationToken cancelled)
    {
        private readonly int _tokens = sequence.Ids.Length;
        private readonly Largest _logits = new(sequence.Tolerance);
        private readonly Largest _top = new(sequence.Tolerance);
        private readonly Largest _lse = new(sequence.Tolerance);
        private readonly Largest _next = new(sequence.Tolerance);

        public CheckedSequence Run()
        {
            using KvCache cache = engine.CreateCache();
            float[] last = new float[engine.Model.Config.VocabSize];
            int[] rows = [.. Enumerable.Range(0, engine.Options.Chunk)];
            for (int first = 0; first < _tokens; first += engine.Options.Chunk)
            {
                cancelled.ThrowIfCancellationRequested();
                int n = Math.Min(engine.Options.Chunk, _tokens - first);
                engine.Forward(cache, new int[n], sequence.Ids.AsSpan(first, n), rows.AsSpan(0, n), _tokens);
                for (int row = 0; row < n; row++)
                {
                    CompareLogits(first + row, engine.Logits(row));
                }

                engine.Logits(n - 1).CopyTo(last);
            }

            List<CheckedQuantity> quantities = [];
            void Report(string name, Largest largest)
            {
                if (largest.Count > 0)
                {
                    quantities.Add(largest.As(name, null));
                }
            }

            Report("logits", _logits);
            Report("top", _top);
            Report("lse", _lse);
            Report("next", _next);
            quantities.AddRange(sequence.Cache.Select(rowsOfLayer => CompareRows(cache, rowsOfLayer)));
            CheckedGreedy? greedy = sequence.Greedy.Length == 0 ? null : CompareGreedy(cache, last);
            return new(sequence.Name, _tokens, sequence.Tolerance, sequence.StatesTolerance, quantities, greedy);
        }

        private void CompareLogits(int position, ReadOnlySpan<float> logits)
        {
            if (sequence.Logits is { } recorded && position >= _tokens - recorded.Shape[0])
            {
                int row = position - (_tokens - (int)recorded.Shape[0]);
                ReadOnlySpan<float> expected = ReferenceSequence.Values(recorded).Slice(row * logits.Length, logits.Length);
                for (int i = 0; i < logits.Length; i++)
                {
                    _logits.Add(expected[i], logits[i], position, i);
                }
            }

            if (sequence.TopLogits is { } tops)
            {
                CompareTop(position, logits, (int)tops.Shape[1], ReferenceSequence.Values(tops));
            }

            if (sequence.Lse is { } lse)
            {
                _lse.Add(ReferenceSequence.Values(lse)[position], LogProbability.LogSumExp(logits), position, 0);
            }

            if (sequence.NextLogit is { } next && position + 1 < _tokens)
            {
                int token = sequence.Ids[position + 1];
                _next.Add(ReferenceSequence.Values(next)[position], logits[token], position, token);
            }
        }

        // The named tokens, and the k largest in order: a sorted list moves no further than its entries do.
        private void CompareTop(int position, ReadOnlySpan<float> logits, int k, ReadOnlySpan<float> expected)
        {
            PriorityQueue<float, float> best = new(k + 1);
            foreach (float logit in logits)
            {
                if (best.Count < k)
                {
                    best.Enqueue(logit, logit);
                }
                else if (logit > best.Peek())
                {
                    best.EnqueueDequeue(logit, logit);
                }
            }

            for (int i = k - 1; i >= 0; i--)
            {
                int token = sequence.TopIds[(position * k) + i];
                _top.Add(expected[(position * k) + i], logits[token], position, token);
                _top.Add(expected[(position * k) + i], best.Dequeue(), position, token);
            }
        }

        private CheckedQuantity CompareRows(KvCache cache, ReferenceRows rows)
        {
            IStore store = cache.Store(engine.Model.Transformer.Map.Stores[rows.Layer]);
            StoreSpec spec = (StoreSpec)store.Spec;
            long[] starts = Download<long>(store.Starts, spec.Runs);
            float[] held = Download<float>(rows.IsKey ? store.Keys : store.Values, checked((int)(spec.Rows * spec.HeadDim)));
            ReadOnlySpan<float> expected = ReferenceSequence.Values(rows.Tensor);
            float[]? gain = rows.IsKey && engine.Model.Transformer.KeyGain(rows.Layer) is string name
                ? engine.Model.Transformer.Tensors[name].Floats() : null;
            Largest largest = new(sequence.Tolerance);
            for (int head = 0; head < spec.NumKvHeads; head++)
            {
                ReadOnlySpan<float> run = held.AsSpan((int)(starts[head] * spec.HeadDim), _tokens * spec.HeadDim);
                for (int i = 0; i < run.Length; i++)
                {
                    float wanted = expected[(head * run.Length) + i];
                    float actual = gain is null ? run[i] : gain[i % spec.HeadDim] * run[i];
                    largest.Add(wanted, actual, i / spec.HeadDim, (head * spec.HeadDim) + (i % spec.HeadDim));
                }
            }

            return largest.As(rows.IsKey ? "k" : "v", rows.Layer);
        }

        private CheckedGreedy CompareGreedy(KvCache cache, float[] logits)
        {
            int equal = 0;
            int compared = 0;
            for (; compared < sequence.Greedy.Length; compared++)
            {
                cancelled.ThrowIfCancellationRequested();
                (int best, double margin) = Best(logits);
                if (sequence.GreedyMargin is { } margins && compared < margins.Shape[0])
                {
                    margin = ReferenceSequence.Values(margins)[compared];
                }

                if (!(margin >= 2 * sequence.Tolerance))
                {
                    break; // either token may be the best one
                }

                if (best != sequence.Greedy[compared])
                {
                    compared++;
                    break;
                }

                equal++;
                if (compared + 1 < sequence.Greedy.Length)
                {
                    engine.Forward(cache, [0], [best], [0]);
                    engine.Logits(0).CopyTo(logits);
                }
            }

            return new(compared, equal, sequence.Greedy.Length, compared == equal);
        }

        private static (int Best, double Margin) Best(float[] logits)
        {
            int best = 0;
            float second = float.NegativeInfinity;
            for (int i = 1; i < logits.Length; i++)
            {
                if (logits[i] > logits[best])
                {
                    (second, best) = (logits[best], i);
                }
                else
                {
                    second = Math.Max(second, logits[i]);
                }
            }

            return (best, logits[best] - second);
        }

        private T[] Download<T>(IBuffer buffer, int count) where T : unmanaged
        {
            T[] result = new T[count];
            engine.Queue.Download<T>(buffer, result);
            engine.Queue.Synchronize();
            return result;
        }
    }

    /// <summary>The largest difference so far.</summary>
    private sealed class Largest(double tolerance)
    {
        private double _difference;
        private int _position;
        private int _index;

        public long Count { get; private set; }

        public void Add(double expected, double actual, int position, int index)
        {
            Count++;
            double difference = Math.Abs(expected - actual);
            difference = double.IsNaN(difference) ? double.PositiveInfinity : difference;
            if (difference > _difference)
            {
                (_difference, _position, _index) = (difference, position, index);
            }
        }

        public CheckedQuantity As(string name, int? layer) =>
            new(name, layer, Count, _difference, _position, _index, _difference <= tolerance);
    }
}
