using KvIL.Eviction;
using KvIL.Inference.Files;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Tensors;

namespace KvIL.Inference.Evaluation.Press;

/// <summary>Repeats a list of prompts with outcomes: teacher-forced answers and continuations after each press.</summary>
/// <remarks>
/// The context is prefilled once. Forks of it answer the question that they have not seen; after the question has followed, forks of the
/// whole prompt answer it. What is compared is how many answers are right, which the README of the recordings leaves two apart.
/// </remarks>
internal sealed class OutcomeRun : IDisposable
{
    /// <summary>How far counts of right answers, or of rows with the full cache's choice, may be apart.</summary>
    public const int Allowance = 2;

    // Of a mean of differences of logits and their normalisers, each within 5e-4.
    private const double FullTolerance = 1e-3;

    private readonly string _name;
    private readonly IReadOnlyList<OutcomePrompt> _prompts;
    private readonly PressTally _tally;
    private readonly Engine _engine;
    private readonly Dictionary<string, (string Press, Cell Cell)> _cells = [];

    public OutcomeRun(string name, IReadOnlyList<OutcomePrompt> prompts, Model model, PressTally tally)
    {
        (_name, _prompts, _tally) = (name, prompts, tally);
        if (prompts.FirstOrDefault(p => p.Answer.Any(id => id >= model.Config.VocabSize)) is OutcomePrompt odd)
        {
            throw new ModelFileException(
                $"{name}: an answer of prompt {odd.Id} has a token outside the vocabulary of {model.Config.VocabSize} of {model.Path}; name the right model with --model.");
        }

        int tokens = prompts.Max(p => p.Context.Length + p.Question.Length + p.Answer.Length);
        _engine = new(model, new()
        {
            MaxTokens = tokens, Window = tokens, RowType = DType.F32, MaxLogitRows = prompts.Max(p => p.Answer.Length),
        });
    }

    /// <summary>Runs the presses wanted on every prompt.</summary>
    public void Run(Func<string, bool> wanted)
    {
        foreach (OutcomePrompt prompt in _prompts)
        {
            Run(prompt, wanted);
        }

        foreach ((string id, (string press, Cell cell)) in _cells)
        {
            if (cell.Compared == 0)
            {
                _tally.Skip(press, id, "every budget is below the rows that are always kept, where kvpress's order of ties decides");
                continue;
            }

            _tally.Add(press, id, Math.Abs(cell.Own - cell.Recorded) <= Allowance ? null
                : $"{cell.Own} answers right, recorded {cell.Recorded}, of {cell.Compared} prompts; {Allowance} apart allowed");
            Counts counts = _tally[press];
            counts.Right = (counts.Right.Recorded + cell.Recorded, counts.Right.Own + cell.Own, counts.Right.All + cell.Compared);
        }
    }

    public void Dispose() => _engine.Dispose();

    private void Run(OutcomePrompt prompt, Func<string, bool> wanted)
    {
        using KvCache cache = _engine.CreateCache();
        _engine.Prefill(cache, 0, prompt.Context, EvictionPolicy.Full, reserve: prompt.Question.Length);
        List<(RecordedOutcome Outcome, PressMethod Method)> cases = [];
        foreach (RecordedOutcome outcome in prompt.Results.Where(r => wanted(r.Press)))
        {
            string id = $"{_name}/{prompt.Id}/{outcome.Press}.{outcome.Ratio * 100:0}";
            if (PressMethod.Read(outcome.Press, null, out PressMethod? method) is string reason)
            {
                _tally.Skip(outcome.Press, id, reason);
                _tally.Step();
            }
            else
            {
                cases.Add((outcome, method!));
            }
        }

        if (prompt.IsContinuation)
        {
            RunContinuation(prompt, cache, cases, wanted);
            return;
        }

        Dictionary<string, IReadOnlyList<float[]>> scores = [];
        foreach ((RecordedOutcome outcome, PressMethod method) in cases)
        {
            using KvCache fork = Fork(cache, method, outcome.Ratio, prompt.Question.Length + prompt.Answer.Length, scores);
            Answered answered = Feed(fork, prompt.Question, prompt.Answer, first: null);
            Count(prompt, outcome, method, answered, seen: false, prompt.Context.Length);
        }

        _engine.Follow(cache, 0, prompt.Question);
        float[] first = _engine.Logits(0).ToArray();
        if (wanted("full"))
        {
            using KvCache full = _engine.Fork(cache, 0, EvictionPolicy.Full, prompt.Answer.Length, out _, remembers: false);
            CheckFull(prompt, Feed(full, [], prompt.Answer, first));
        }

        scores.Clear();
        foreach ((RecordedOutcome outcome, PressMethod method) in cases)
        {
            using KvCache fork = Fork(cache, method, outcome.Ratio, prompt.Answer.Length, scores);
            Count(prompt, outcome, method, Feed(fork, [], prompt.Answer, first), seen: true, prompt.Context.Length + prompt.Question.Length);
            _tally.Step();
        }
    }

    // A score depends neither on the ratio nor on the split over heads, so that presses share it.
    private KvCache Fork(KvCache cache, PressMethod method, double ratio, int reserve, Dictionary<string, IReadOnlyList<float[]>> scores)
    {
        int[] rows = method.Rows(cache.Tokens(0), ratio, _engine.Model.Transformer.Map.NumStores);
        IReadOnlyList<float[]>? given = null;
        if (method.ScoreKey is string key && !scores.TryGetValue(key, out given))
        {
            scores[key] = given = _engine.RowScores(cache, 0, method.Policy);
        }

        return _engine.Fork(cache, 0, method.Policy.WithBudget(Budget.OfRows(rows.Max())), reserve, out _, rows, remembers: false, given);
    }

    // Every answer token but the last is fed; before it the question, where the cache has not seen it.
    private Answered Feed(KvCache fork, int[] question, int[] answer, float[]? first)
    {
        int[] fed = [.. question, .. answer[..^1]];
        int rows = first is null ? answer.Length : answer.Length - 1;
        if (rows > 0)
        {
            _engine.Forward(fork, new int[fed.Length], fed, [.. Enumerable.Range(fed.Length - rows, rows)]);
        }

        (bool right, double nll) = (true, 0);
        for (int i = 0; i < answer.Length; i++)
        {
            ReadOnlySpan<float> logits = first is null ? _engine.Logits(i) : i == 0 ? first : _engine.Logits(i - 1);
            right &= RecordedNumbers.Best(logits) == answer[i];
            nll += i == 0 ? 0 : LogProbability.LogSumExp(logits) - logits[answer[i]];
        }

        return new(right, nll / Math.Max(1, answer.Length - 1));
    }

    private void CheckFull(OutcomePrompt prompt, Answered answered)
    {
        string? difference = RecordedNumbers.Near("mean NLL", prompt.Full[1], answered.Nll, FullTolerance, ref _tally["full"].Nll);
        difference ??= answered.Right == (prompt.Full[0] != 0) ? null : $"answered {(answered.Right ? "right" : "wrong")}, recorded the opposite";
        _tally.Add("full", $"{_name}/{prompt.Id}", difference);
    }

    private void Count(OutcomePrompt prompt, RecordedOutcome outcome, PressMethod method, Answered answered, bool seen, int tokens)
    {
        string id = $"{_name}/{outcome.Press}.{outcome.Ratio * 100:0} {(seen ? "aware" : "agnostic")}";
        if (!_cells.TryGetValue(id, out (string, Cell Cell) entry))
        {
            _cells[id] = entry = (outcome.Press, new());
        }

        if (!method.IsDetermined(tokens, outcome.Ratio, _engine.Model.Config.NumLayers))
        {
            return;
        }

        entry.Cell.Compared++;
        entry.Cell.Recorded += outcome.Figures[seen ? 0 : 2] != 0 ? 1 : 0;
        entry.Cell.Own += answered.Right ? 1 : 0;
        Counts counts = _tally[outcome.Press];
        counts.Nll = Math.Max(counts.Nll, Math.Abs(answered.Nll - outcome.Figures[seen ? 1 : 3]));
    }

    // Rows after each token of the continuation; the first token is left out of the mean.
    private void RunContinuation(OutcomePrompt prompt, KvCache cache, List<(RecordedOutcome, PressMethod)> cases, Func<string, bool> wanted)
    {
        int count = prompt.Answer.Length;
        int[] rows = [.. Enumerable.Range(0, count)];
        using KvCache whole = _engine.Fork(cache, 0, EvictionPolicy.Full, count, out _, remembers: false);
        _engine.Forward(whole, new int[count], prompt.Answer, rows);
        float[][] full = [.. rows.Select(i => _engine.Logits(i).ToArray())];
        if (wanted("full"))
        {
            double nll = rows[1..].Select(i => LogProbability.LogSumExp(full[i - 1]) - full[i - 1][prompt.Answer[i]]).DefaultIfEmpty(0).Average();
            _tally.Add("full", $"{_name}/{prompt.Id}", RecordedNumbers.Near("mean NLL", prompt.Full[0], nll, FullTolerance, ref _tally["full"].Nll));
        }

        Dictionary<string, IReadOnlyList<float[]>> scores = [];
        foreach ((RecordedOutcome outcome, PressMethod method) in cases)
        {
            string id = $"{_name}/{prompt.Id}/{outcome.Press}.{outcome.Ratio * 100:0}";
            if (method.IsDetermined(prompt.Context.Length, outcome.Ratio, _engine.Model.Config.NumLayers))
            {
                using KvCache fork = Fork(cache, method, outcome.Ratio, count, scores);
                _engine.Forward(fork, new int[count], prompt.Answer, rows);
                (double divergence, double nll, int same) = (0, 0, 0);
                for (int i = 0; i < count; i++)
                {
                    ReadOnlySpan<float> logits = _engine.Logits(i);
                    divergence += RecordedNumbers.Divergence(full[i], logits) / count;
                    nll += i + 1 < count ? (LogProbability.LogSumExp(logits) - logits[prompt.Answer[i + 1]]) / (count - 1) : 0;
                    same += RecordedNumbers.Best(logits) == RecordedNumbers.Best(full[i]) ? 1 : 0;
                }

                Counts counts = _tally[outcome.Press];
                counts.Divergence = Math.Max(counts.Divergence, Math.Abs(divergence - outcome.Figures[0]));
                counts.Nll = Math.Max(counts.Nll, Math.Abs(nll - outcome.Figures[1]));
                _tally.Add(outcome.Press, id, Math.Abs(same - outcome.Figures[3]) <= Allowance ? null
                    : $"{same} of {count} rows with the full cache's choice, recorded {outcome.Figures[3]:0}; {Allowance} apart allowed");
            }
            else
            {
                _tally.Skip(outcome.Press, id, "the budget is below the rows that are always kept, where kvpress's order of ties decides");
            }

            _tally.Step();
        }
    }

    private readonly record struct Answered(bool Right, double Nll);

    private sealed class Cell
    {
        public int Compared { get; set; }

        public int Recorded { get; set; }

        public int Own { get; set; }
    }
}
