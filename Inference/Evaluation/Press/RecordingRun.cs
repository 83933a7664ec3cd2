using KvIL.Eviction;
using KvIL.Inference.Files;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Tensors;

namespace KvIL.Inference.Evaluation.Press;

/// <summary>Repeats one recording of keep sets, scores and logits.</summary>
/// <remarks>
/// One prefill serves all presses, since a press changes only what later tokens see. Each press evicts a fork; logits are compared
/// after the recorded rows, so that they tell of the model and the cache alone.
/// </remarks>
internal sealed class RecordingRun : IDisposable
{
    private readonly string _name;
    private readonly PressRecording _recording;
    private readonly PressTally _tally;
    private readonly Engine _engine;
    private readonly float[][] _full; // logits of the full cache: after the prompt, then after each teacher token

    public RecordingRun(string name, PressRecording recording, Model model, PressTally tally)
    {
        (_name, _recording, _tally) = (name, recording, tally);
        int tokens = recording.Tokens + recording.TeacherIds.Length;
        if (model.Config.NumLayers != recording.Layers || model.Config.NumKvHeads != recording.KvHeads || model.Transformer.Map.NumStores != recording.Layers)
        {
            throw new ModelFileException(
                $"{name}: recorded of a model with {recording.Layers} layers and {recording.KvHeads} KV heads, but {model.Path} has "
                + $"{model.Config.NumLayers} and {model.Config.NumKvHeads}; name the right one with --model.");
        }

        _full = new float[recording.TeacherIds.Length + 1][];
        _engine = new(model, new()
        {
            MaxTokens = tokens, Window = tokens, RowType = DType.F32, Trace = true, MaxLogitRows = Math.Max(1, recording.TeacherIds.Length),
        });
    }

    /// <summary>Runs the cases wanted.</summary>
    public void Run(Func<string, bool> wanted)
    {
        using KvCache cache = _engine.CreateCache();
        _engine.Prefill(cache, 0, _recording.InputIds, EvictionPolicy.Full, reserve: 0);
        _full[0] = _engine.Logits(0).ToArray();
        using (KvCache fork = _engine.Fork(cache, 0, EvictionPolicy.Full, _recording.TeacherIds.Length, out _, remembers: false))
        {
            for (int i = 0; i < _recording.TeacherIds.Length; i++)
            {
                _engine.Forward(fork, [0], [_recording.TeacherIds[i]], [0]);
                _full[i + 1] = _engine.Logits(0).ToArray();
            }
        }

        if (wanted("full"))
        {
            _tally.Add("full", $"{_name}/full", CompareFull());
        }

        foreach (RecordedCase c in _recording.Cases.Where(c => wanted(c.Press)))
        {
            string id = $"{_name}/{c.Prefix[..^1]}";
            if ((c.Failed ? "kvpress failed" : PressMethod.Read(c.Press, c.Parameters, out PressMethod? _)) is string reason)
            {
                _tally.Skip(c.Press, id, reason);
            }
            else
            {
                PressMethod.Read(c.Press, c.Parameters, out PressMethod? method);
                _tally.Add(c.Press, id, Compare(cache, c, method!));
            }

            _tally.Step();
        }
    }

    public void Dispose() => _engine.Dispose();

    private string? CompareFull()
    {
        string? difference = null;
        RecordedLogits recorded = _recording.Logits("full.", _full.Length);
        for (int row = 0; row < _full.Length; row++)
        {
            difference ??= RecordedNumbers.Logits(After(row), recorded, row, _full[row], _recording.FullTolerance, ref _tally["full"].Logit);
        }

        return difference;
    }

    // Rows, scores, then logits; all that differs.
    private string? Compare(KvCache cache, RecordedCase c, PressMethod method)
    {
        Counts counts = _tally[c.Press];
        int[][][] recorded = _recording.Kept(c);
        int[] rows = method.Rows(_recording.Tokens, c.Ratio, _recording.Layers);
        KvCache own;
        try
        {
            own = _engine.Fork(cache, 0, method.Policy.WithBudget(Budget.OfRows(rows.Max())), _recording.TeacherIds.Length, out _, rows, remembers: false);
        }
        catch (RequestException e)
        {
            return e.Message;
        }

        List<string?> differences = [];
        using (own)
        {
            int[][][] kept = Kept(_engine.Traces);
            KeptRows sets = KeptRows.Of(method, recorded, kept, _recording.Ties(c), _recording.InputIds);
            bool equal = sets.Kept == sets.Equal && sets.Fault is null;
            counts.Sets = (counts.Sets.All + 1, counts.Sets.Equal + (equal ? 1 : 0));
            counts.Rows = (counts.Rows.Kept + sets.Kept, counts.Rows.Equal + sets.Equal);
            differences.Add(sets.Difference);
            differences.Add(CompareScores(method, ref counts.Score));
            if (equal)
            {
                differences.Add(CompareLogits(own, c, counts));
            }
            else
            {
                using KvCache same = _engine.ForkRows(cache, 0, recorded, _recording.TeacherIds.Length);
                differences.Add(CompareLogits(same, c, counts));
                counts.OwnDivergence = Math.Max(counts.OwnDivergence, OwnDivergence(own, c));
            }
        }

        return differences.Any(d => d is not null) ? string.Join("; ", differences.OfType<string>()) : null;
    }

    private int[][][] Kept(IReadOnlyList<EvictionTrace> traces)
    {
        int[] all = [.. Enumerable.Range(0, _recording.Tokens)];
        int[][][] kept = [.. Enumerable.Range(0, _recording.Layers).Select(_ => Enumerable.Repeat(all, _recording.KvHeads).ToArray())];
        foreach (EvictionTrace trace in traces)
        {
            int[][] rows = [.. trace.Kept.Select((heads, h) => heads.Select(row => trace.Positions[h][row]).ToArray())];
            foreach (int layer in trace.Readers)
            {
                kept[layer] = rows;
            }
        }

        return kept;
    }

    private string? CompareScores(PressMethod method, ref double largest)
    {
        string? difference = null;
        string name = $"score.{method.ScoreKey}";
        for (int i = 0; i < _recording.ScoreLayers.Length && method.ScoreKey is not null && _recording.Has(name); i++)
        {
            float[] recorded = _recording.Floats(name, _recording.ScoreLayers.Length, _recording.KvHeads, _recording.Tokens);
            int size = _recording.KvHeads * _recording.Tokens;
            int layer = _recording.ScoreLayers[i];
            EvictionTrace? trace = _engine.Traces.FirstOrDefault(t => t.Readers.Contains(layer));
            if (trace is { ByScore: true } && !method.IsCritical)
            {
                difference ??= RecordedNumbers.Scores(method, trace, layer, recorded.AsSpan(i * size, size), ref largest);
            }
        }

        return difference;
    }

    private string? CompareLogits(KvCache fork, RecordedCase c, Counts counts)
    {
        int count = _recording.TeacherIds.Length;
        RecordedLogits recorded = _recording.Logits(c.Prefix, count);
        float[] divergences = _recording.Floats(c.Prefix + "kl", count);
        string? difference = null;
        for (int i = 0; i < count; i++)
        {
            _engine.Forward(fork, [0], [_recording.TeacherIds[i]], [0]);
            ReadOnlySpan<float> logits = _engine.Logits(0);
            difference ??= RecordedNumbers.Logits(After(i + 1), recorded, i, logits, c.LogitTolerance, ref counts.Logit);
            double divergence = RecordedNumbers.Divergence(_full[i + 1], logits);
            difference ??= RecordedNumbers.Near($"{After(i + 1)}, divergence from the full cache", divergences[i], divergence, c.LogitTolerance, ref counts.Kl);
        }

        return difference;
    }

    // The mean difference of divergences from the full cache, KvIL's own rows against the recorded ones.
    private double OwnDivergence(KvCache own, RecordedCase c)
    {
        int count = _recording.TeacherIds.Length;
        if (count == 0)
        {
            return 0;
        }

        _engine.Forward(own, new int[count], _recording.TeacherIds, [.. Enumerable.Range(0, count)]);
        float[] recorded = _recording.Floats(c.Prefix + "kl", count);
        return Math.Abs(Enumerable.Range(0, count).Average(i => RecordedNumbers.Divergence(_full[i + 1], _engine.Logits(i)) - recorded[i]));
    }

    private static string After(int row) => row == 0 ? "after the prompt" : $"after teacher token {row}";
}
