using KvIL.Eviction;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Inference.Tokenization;
using KvIL.Tensors;

namespace KvIL.Inference.Evaluation;

/// <summary>How one policy did at one budget.</summary>
/// <param name="Policy">The policy, as given.</param>
/// <param name="Budget">The budget, as given; <c>100%</c> for the full cache.</param>
/// <param name="Correct">Prompts of which every answer token was the most likely one given the answer so far.</param>
/// <param name="Total">Prompts.</param>
/// <param name="Kl">Mean over prompts and answer tokens of KL(full ‖ policy), nats.</param>
/// <param name="Short">Prompts whose budget was below the policy's window.</param>
public sealed record EvaluationResult(string Policy, string Budget, int Correct, int Total, double Kl, int Short);

/// <summary>Two policies on the same prompts at one budget.</summary>
/// <param name="A">A policy, as given.</param>
/// <param name="B">Another, as given.</param>
/// <param name="Budget">The budget, as given.</param>
/// <param name="OnlyA">Prompts that only A got right.</param>
/// <param name="OnlyB">Prompts that only B got right.</param>
/// <param name="P">Two-sided sign test: the probability of a split at least this uneven between equals.</param>
public sealed record EvaluationPair(string A, string B, string Budget, int OnlyA, int OnlyB, double P);

/// <summary>All results of an evaluation.</summary>
/// <param name="Results">The full cache first, then by policy and budget in the order given.</param>
/// <param name="Pairs">Every pair of policies at every budget.</param>
public sealed record EvaluationReport(IReadOnlyList<EvaluationResult> Results, IReadOnlyList<EvaluationPair> Pairs);

/// <summary>Compares policies on prompts with known answers.</summary>
/// <remarks>
/// Each prompt is prefilled once; each policy and budget then evicts a fork of that cache and is fed the answer, token by token
/// as if it had said it. The first token is predicted by the full cache in every case, since eviction comes after the prompt.
/// </remarks>
public sealed class Evaluator : IDisposable
{
    private readonly Engine _engine;
    private readonly List<Prepared> _items;
    private readonly List<Cell> _cells = [];
    private readonly List<(string Text, EvictionPolicy Policy)> _policies;
    private readonly List<string> _budgets;

    /// <summary>An evaluation of policies at budgets on prompts.</summary>
    /// <exception cref="RequestException">A prompt does not fit the model's context, a policy names a budget, or the model has no tokenizer, or memory is short.</exception>
    public Evaluator(
        Model model, IReadOnlyList<EvaluationItem> items, IReadOnlyList<string> policies, IReadOnlyList<string> budgets, DType rowType = DType.F32, int chunk = 512,
        long? memoryLimit = null)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(items);
        ITokenizer tokenizer = model.Tokenizer
            ?? throw new RequestException("The model has no tokenizer, so prompts cannot be read; add one beside its weights.");
        _items = [.. items.Select(item => Prepare(item, tokenizer, model.Config.MaxPositions))];
        _policies = [.. policies.Distinct().Select(text => (text, EvictionPolicy.Parse(text))).Where(p => !p.Item2.KeepsEverything)];
        _budgets = [.. budgets.Distinct()];
        if (_policies.FirstOrDefault(p => p.Policy.HasBudget).Text is string named)
        {
            throw new RequestException($"The policy '{named}' names a budget, and budgets are given apart; leave one of them out.");
        }

        _cells.Add(new("full", "100%", EvictionPolicy.Full, items.Count));
        _cells.AddRange(
            from p in _policies
            from budget in _budgets
            select new Cell(p.Text, budget, p.Policy.WithBudget(Budget.Parse(budget)), items.Count));
        int longest = _items.Max(item => item.Answer.Length);
        int maxTokens = _items.Max(item => item.Prompt.Length + item.Answer.Length);
        _engine = new(model, new()
        {
            MaxTokens = maxTokens,
            Chunk = chunk,
            RowType = rowType,
            Window = _policies.Select(p => p.Policy.Queries(maxTokens)).Where((queries, i) => queries < maxTokens || _policies[i].Policy.NeedsAllQueries).Append(0).Max(),
            MaxLogitRows = Math.Max(longest, 1),
        });
        CheckMemory(longest, memoryLimit);
    }

    /// <summary>Runs every prompt.</summary>
    /// <param name="progress">Told prompts done and the results so far.</param>
    /// <param name="cancellation">Stops between prompts.</param>
    public EvaluationReport Run(Action<int, EvaluationReport>? progress = null, CancellationToken cancellation = default)
    {
        for (int i = 0; i < _items.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            RunItem(_items[i], i);
            progress?.Invoke(i + 1, Report(i + 1));
        }

        return Report(_items.Count);
    }

    /// <inheritdoc/>
    public void Dispose() => _engine.Dispose();

    /// <summary>Two-sided exact sign test of <paramref name="a"/> wins against <paramref name="b"/>.</summary>
    public static double SignTest(int a, int b)
    {
        // P = 2 · Σ_{k ≤ min(a, b)} C(n, k) / 2ⁿ, at most 1; terms by recurrence in logarithms, so that no count overflows.
        int n = a + b;
        double logTerm = -n * Math.Log(2);
        double tail = 0;
        for (int k = 0; k <= Math.Min(a, b); k++)
        {
            tail += Math.Exp(logTerm);
            logTerm += Math.Log(n - k) - Math.Log(k + 1);
        }

        return Math.Min(1, 2 * tail);
    }

    // A prompt's cache and one fork of it, which may keep everything.
    private void CheckMemory(int longestAnswer, long? limit)
    {
        try
        {
            MemoryNeed need = MemoryNeed.Of(_engine, EvictionPolicy.Full, _items.Max(item => item.Prompt.Length), longestAnswer);
            (need with { KvPeak = 2 * need.KvPeak }).Check(limit);
        }
        catch
        {
            _engine.Dispose();
            throw;
        }
    }

    private static Prepared Prepare(EvaluationItem item, ITokenizer tokenizer, int context)
    {
        int[] prompt = tokenizer.Encode(item.Prompt);
        int[] answer = tokenizer.Encode(item.Answer, addBos: false);
        if (answer.Length == 0 || prompt.Length == 0 || prompt.Length + answer.Length > context)
        {
            throw new RequestException(
                $"Line {item.Line}: {prompt.Length} prompt and {answer.Length} answer tokens; both must be there and together fit the model's context of {context}.");
        }

        return new(prompt, answer);
    }

    private void RunItem(Prepared item, int index)
    {
        using KvCache cache = _engine.CreateCache();
        _engine.Prefill(cache, 0, item.Prompt, EvictionPolicy.Full, reserve: 0);
        double[] first = LogProbability.Of(_engine.Logits(0));
        double[][]? full = null;
        foreach (Cell cell in _cells)
        {
            using KvCache fork = _engine.Fork(cache, 0, cell.Policy, item.Answer.Length, out _);
            double[][] actual = [first, .. FeedAnswer(fork, item.Answer)];
            full ??= actual; // the first cell is the full cache
            cell.Kl += actual.Zip(full, Divergence).Average();
            cell.Right[index] = actual.Zip(item.Answer).All(step => IndexOfLargest(step.First) == step.Second);
            cell.Short += cell.Policy.UsesScores && cell.Policy.Budget.RowsFor(item.Prompt.Length) < cell.Policy.Window ? 1 : 0;
        }
    }

    // Log-probabilities after each answer token but the last.
    private List<double[]> FeedAnswer(KvCache cache, int[] answer)
    {
        int count = answer.Length - 1;
        List<double[]> steps = [];
        if (count > 0)
        {
            _engine.Forward(cache, new int[count], answer.AsSpan(0, count), [.. Enumerable.Range(0, count)]);
        }

        for (int i = 0; i < count; i++)
        {
            steps.Add(LogProbability.Of(_engine.Logits(i)));
        }

        return steps;
    }

    // KL(full ‖ actual) = Σ p_full (log p_full − log p_actual)
    private static double Divergence(double[] actual, double[] full)
    {
        double sum = 0;
        for (int i = 0; i < full.Length; i++)
        {
            sum += Math.Exp(full[i]) * (full[i] - actual[i]);
        }

        return sum;
    }

    private static int IndexOfLargest(double[] x)
    {
        int best = 0;
        for (int i = 1; i < x.Length; i++)
        {
            best = x[i] > x[best] ? i : best;
        }

        return best;
    }

    private EvaluationReport Report(int done) => new(
        [.. _cells.Select(cell => new EvaluationResult(cell.Text, cell.Budget, cell.Right.Count(right => right), done, cell.Kl / done, cell.Short))],
        [.. from budget in _budgets
            from a in Enumerable.Range(0, _policies.Count)
            from b in Enumerable.Range(a + 1, _policies.Count - a - 1)
            select Pair(_policies[a].Text, _policies[b].Text, budget)]);

    private EvaluationPair Pair(string a, string b, string budget)
    {
        bool[] rightA = _cells.Single(cell => cell.Text == a && cell.Budget == budget).Right;
        bool[] rightB = _cells.Single(cell => cell.Text == b && cell.Budget == budget).Right;
        int onlyA = rightA.Zip(rightB).Count(pair => pair.First && !pair.Second);
        int onlyB = rightA.Zip(rightB).Count(pair => pair.Second && !pair.First);
        return new(a, b, budget, onlyA, onlyB, SignTest(onlyA, onlyB));
    }

    private sealed record Prepared(int[] Prompt, int[] Answer);

    private sealed record Cell(string Text, string Budget, EvictionPolicy Policy, int Items)
    {
        public bool[] Right { get; } = new bool[Items];

        public double Kl { get; set; }

        public int Short { get; set; }
    }
}
