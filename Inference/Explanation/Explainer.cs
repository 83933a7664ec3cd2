using System.Collections.Immutable;
using KvIL.Eviction;
using KvIL.Inference.Generation;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;

namespace KvIL.Inference.Explanation;

/// <summary>Evicts a prompt and says why each of its rows stayed or went.</summary>
public static class Explainer
{
    /// <summary>Runs a prompt through the model under a policy, as a generation would, and explains its eviction.</summary>
    /// <param name="model">The model.</param>
    /// <param name="prompt">The prompt, at least one token.</param>
    /// <param name="question">Tokens that follow it; they are kept, and need no pass to be explained.</param>
    /// <param name="options">Policy, protected ranges, element type, chunk, memory limit and progress; what concerns the text generated is not read.</param>
    /// <exception cref="RequestException">The prompt is empty or above the context, a range is outside it, or the policy cannot be run.</exception>
    public static EvictionExplanation Explain(Model model, IReadOnlyList<int> prompt, IReadOnlyList<int> question, GenerationOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(prompt);
        ArgumentNullException.ThrowIfNull(question);
        ArgumentNullException.ThrowIfNull(options);
        Check(model, prompt.Count, prompt.Count + question.Count);
        Engine.CheckTable(model, options.Eviction);
        int[] positions = [.. options.Protect.SelectMany(range => Generation.Generation.Positions(range, prompt.Count)).Distinct().Order()];
        int stores = model.Transformer.Map.NumStores;
        (IReadOnlyList<EvictionTrace> traces, IReadOnlyList<EvictionCost> costs) =
            StoreRows.Of(options.Eviction, prompt.Count, stores).Min() < prompt.Count
                ? Evict(model, [.. prompt], question.Count, positions, options)
                : ([], []);
        Ratio?[] quotas = AllocationQuotas.OfStores(options.Eviction, prompt.Count, stores);
        return new(options.Eviction, prompt, question, [.. Enumerable.Range(0, stores).Select(store =>
        {
            ImmutableArray<int> layers = model.Transformer.Map.Readers(store);
            StoreExplanation explained = traces.FirstOrDefault(trace => trace.Store == store) is { } trace && trace.Kept.Sum(rows => rows.Length) < trace.Scores.Sum(s => s.Length)
                ? Explain(trace, options.Eviction, positions)
                : Whole(store, layers, model.Config.NumKvHeadsOf(model.Transformer.Map.Owner(store)), prompt.Count);
            return explained with { Quota = quotas[store], Costs = [.. costs.Where(cost => layers.Contains(cost.Layer))] };
        })]);
    }

    /// <summary>Explains what a trace shows.</summary>
    /// <param name="trace">The trace of one store, of a policy that dropped something.</param>
    /// <param name="policy">The policy.</param>
    /// <param name="userProtected">Positions that the user wanted kept.</param>
    public static StoreExplanation Explain(EvictionTrace trace, EvictionPolicy policy, IReadOnlyCollection<int> userProtected)
    {
        ArgumentNullException.ThrowIfNull(trace);
        ArgumentNullException.ThrowIfNull(policy);
        ArgumentNullException.ThrowIfNull(userProtected);
        HeadAllocation rule = trace.ByScore ? policy.Heads : HeadAllocation.Uniform;
        long total = trace.Kept.Sum(rows => (long)rows.Length);
        HeadQuota[] quotas = rule == HeadAllocation.Table
            ? AllocationQuotas.OfTable(Compared(trace), total, policy.Table!, trace.Store, trace.Sinks + trace.Window + userProtected.Count)
            : AllocationQuotas.OfHeads(Compared(trace), total, rule, policy.Floor);
        HashSet<int> wanted = [.. userProtected];
        return new(trace.Store, trace.Readers, [.. trace.Kept.Select((_, head) => Head(trace, head, quotas[head], wanted))])
        {
            ByScore = trace.ByScore, Rule = rule, Sinks = trace.Sinks, Window = trace.Window,
        };
    }

    private static void Check(Model model, int prompt, int all)
    {
        if (prompt == 0)
        {
            throw new RequestException("The prompt has no tokens; give at least one.");
        }

        if (all > model.Config.MaxPositions)
        {
            throw new RequestException($"The prompt has {all} tokens, the model's context is {model.Config.MaxPositions}; shorten the prompt.");
        }
    }

    private static (IReadOnlyList<EvictionTrace> Traces, IReadOnlyList<EvictionCost> Costs) Evict(
        Model model, int[] prompt, int question, int[] positions, GenerationOptions options)
    {
        EvictionPolicy policy = options.Eviction;
        using Engine engine = new(model, new()
        {
            Chunk = Math.Max(1, Math.Min(options.Chunk, prompt.Length)),
            MaxTokens = prompt.Length + question,
            RowType = options.RowType,
            Window = Generation.Generation.Queries(policy, prompt.Length + question, measures: true, evictsAgain: false),
            RemembersPrompt = policy.NeedsAllQueries,
            MeasureLoss = true,
            Trace = true,
        });
        MemoryNeed.Of(engine, policy, prompt.Length, 0, question).Check(options.MemoryLimit);
        using KvCache cache = engine.CreateCache();
        engine.Protect(cache, 0, positions);
        IReadOnlyList<EvictionCost> costs = engine.Prefill(cache, 0, prompt, policy, question, options.PrefillProgress);
        return ([.. engine.Traces], costs);
    }

    private static StoreScores Compared(EvictionTrace trace)
    {
        int stride = trace.Compared.Max(scores => scores.Length);
        float[] all = new float[trace.Compared.Length * stride];
        for (int head = 0; head < trace.Compared.Length; head++)
        {
            trace.Compared[head].CopyTo(all, head * stride);
        }

        return new(all, stride, [.. trace.Compared.Select(scores => scores.Length)], trace.Sinks, trace.Window);
    }

    private static HeadExplanation Head(EvictionTrace trace, int head, HeadQuota quota, HashSet<int> userProtected)
    {
        float[] scores = trace.Scores[head];
        int[] positions = trace.Positions[head];
        int windowBegins = scores.Length - ProtectedRows.Window(scores.Length, trace.Window);
        int sinks = ProtectedRows.Sinks(scores.Length, trace.Sinks, trace.Window);
        RowReason[] reasons = new RowReason[scores.Length];
        Array.Fill(reasons, RowReason.Dropped);
        foreach (int row in trace.Kept[head])
        {
            reasons[row] = trace.ByScore ? RowReason.Score : RowReason.Recent;
        }

        List<int> ranked = [];
        for (int row = 0; row < scores.Length; row++)
        {
            RowReason? always = row >= windowBegins ? RowReason.Window : row < sinks ? RowReason.Sink
                : userProtected.Contains(positions[row]) ? RowReason.Protected : null;
            reasons[row] = always ?? reasons[row];
            if (always is null)
            {
                ranked.Add(row);
            }
        }

        int[] ranks = new int[scores.Length];
        int rank = 0;
        foreach (int row in ranked.OrderByDescending(row => ScoreOrder.Key(scores[row])).ThenBy(row => row))
        {
            ranks[row] = ++rank;
        }

        return new(head, quota, trace.Kept[head].Length, positions, scores, ranks, reasons);
    }

    private static StoreExplanation Whole(int store, ImmutableArray<int> layers, int heads, int tokens)
    {
        HeadQuota quota = new(new(tokens, 1), tokens, new(tokens, 1), 0);
        int[] positions = [.. Enumerable.Range(0, tokens)];
        return new(store, layers, [.. Enumerable.Range(0, heads).Select(head => new HeadExplanation(
            head, quota, tokens, positions, new float[tokens], new int[tokens], new RowReason[tokens]))]);
    }
}
