using KvIL.Backends;
using KvIL.Conformance;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Inference.Runtime;
using KvIL.Sharing;
using Xunit;
using Law = KvIL.Tests.Eviction.Law;

namespace KvIL.Tests.Engines;

/// <summary>The rows that an engine keeps are the best by definition: scores in double from its own keys and remembered queries.</summary>
/// <remarks>
/// Class <c>Selection</c>: a dropped row may stand above a kept one only by what rounding does to both scores. A shared store has one
/// keep-list, from the largest score that any of its readers gives.
/// </remarks>
public sealed class KeptBestLaws(EngineFixture fixture) : IClassFixture<EngineFixture>
{
    [Fact]
    public void Kept_rows_have_the_best_scores() => Law.ForAll(EvictionCase.Cases, c => Holds(c), maxTest: 200);

    [Fact]
    public void Mutant_only_the_owner_scores() => Law.Catches(EvictionCase.Cases, c => Holds(c, (map, store) => [map.Owner(store)]));

    [Fact]
    public void Mutant_a_definition_by_other_queries() => Law.Catches(EvictionCase.Cases, c => Holds(c, shift: 1));

    [Fact]
    public void Mutant_an_engine_that_forgets_its_last_token() => Law.Catches(EvictionCase.Cases, c => Holds(c, tamper: inner => new TamperedBackend(inner)
    {
        Before = (_, b) =>
        {
            // One token fewer than were seen: the wrong queries score.
            if (b.Plan.Name.StartsWith("evict", StringComparison.Ordinal)) TamperedBackend.Rebind(b, "tokens", t => t - 1);
        },
    }));

    private void Holds(
        EvictionCase c, Func<SharingMap, int, IEnumerable<int>>? readers = null, int shift = 0, Func<IBackend, IBackend>? tamper = null)
    {
        EvictionPolicy policy = c.Parsed;
        if (!policy.UsesScores) return;
        using Session session = fixture.Open(c.Model, c.Options, c.Sharing, tamper);
        Engine engine = session.Engine;
        using KvCache cache = engine.CreateCache();
        engine.Prefill(cache, 0, c.Prompt, EvictionPolicy.Full);
        using KvCache fork = engine.Fork(cache, 0, policy, 1, out _);
        for (int store = 0; store < c.Sharing.NumStores; store++)
        {
            RunRows[] all = CacheRows.Of(engine, cache, store, 0), kept = CacheRows.Of(engine, fork, store, 0);
            int mean = kept.Sum(run => run.Length) / kept.Length;
            if (mean == c.Tokens || mean <= policy.Window) continue;
            (double[,] scores, double share) = Scores(
                engine, cache, policy, all, readers?.Invoke(c.Sharing, store) ?? c.Sharing.Readers(store), shift);
            bool global = policy.Heads == HeadAllocation.Pure;
            (double Worst, double Best)[] heads = [.. kept.Select((run, h) => Cut(scores, h, run, policy))];
            for (int h = 0; h < heads.Length; h++)
            {
                double worst = global ? heads.Min(head => head.Worst) : heads[h].Worst;
                Assert.True(heads[h].Best * (1 - share) <= worst * (1 + share), $"store {store}, head {h}: dropped {heads[h].Best:R}, kept {worst:R}");
            }
        }
    }

    // The worst candidate kept, and the best one dropped.
    private static (double Worst, double Best) Cut(double[,] scores, int head, RunRows kept, EvictionPolicy policy)
    {
        (double worst, double best) = (double.PositiveInfinity, 0);
        for (int j = policy.Sinks; j < scores.GetLength(1); j++)
        {
            if (kept.Positions.Contains(j)) worst = Math.Min(worst, scores[head, j]);
            else best = Math.Max(best, scores[head, j]);
        }

        return (worst, best);
    }

    // Scores [kv_heads, tokens − window], and the share of a score that float32 may be off.
    private static (double[,] Scores, double Share) Scores(
        Engine engine, KvCache cache, EvictionPolicy policy, RunRows[] runs, IEnumerable<int> readers, int shift)
    {
        int tokens = cache.Tokens(0), d = engine.Model.Config.HeadDim, heads = engine.Model.Config.NumQueryHeads, ring = engine.Options.Window;
        double[,,] k = new double[runs.Length, tokens, d], q = new double[heads, tokens, d];
        for (int cell = 0; cell < k.Length; cell++) k[cell / d / tokens, cell / d % tokens, cell % d] = runs[cell / d / tokens].Key(cell / d % tokens, d)[cell % d];
        double[,] best = new double[runs.Length, tokens - policy.Window];
        double magnitude = 0;
        bool pooledFirst = policy.Order == PoolOrder.PoolThenGroup; // else the readers vote before their scores are pooled
        foreach (int layer in readers)
        {
            float[] remembered = CacheRows.Download<float>(engine, cache.Windows[layer], ring * heads * d);
            for (int cell = 0; cell < q.Length; cell++)
            {
                (int i, int p, int c) = (cell / d / tokens, cell / d % tokens, cell % d);
                if (p >= tokens - policy.Window) q[i, p, c] = remembered[(((((p - shift + ring) % ring) * heads) + i) * d) + c];
            }

            magnitude = Math.Max(magnitude, Largest(q, k));
            double[,] scores = WindowScores.Scores(
                WindowScores.Attention(q, k, policy.Window), runs.Length, pooledFirst ? policy.Kernel : 1, policy.Pool, policy.Order, Enumerable.Average);
            for (int cell = 0; cell < best.Length; cell++)
            {
                (int h, int j) = (cell / best.GetLength(1), cell % best.GetLength(1));
                best[h, j] = Math.Max(best[h, j], scores[h, j]);
            }
        }

        best = pooledFirst ? best : WindowScores.Pool(best, policy.Kernel, policy.Pool);
        // A mean over the window, the group and the pooled rows: sums of non-negative terms, so one relative bound.
        double spread = Tolerance.AttentionSpread(tokens, d, magnitude);
        return (best, Tolerance.WindowScore(spread + Tolerance.Gamma(heads + policy.Kernel + 6), policy.Window, 1));
    }

    private static double Largest(double[,,] q, double[,,] k)
    {
        (int heads, int tokens, int d) = (q.GetLength(0), q.GetLength(1), q.GetLength(2));
        int group = heads / k.GetLength(0);
        return Enumerable.Range(0, heads * tokens * tokens).Max(n =>
        {
            (int i, int t, int j) = (n / tokens / tokens, n / tokens % tokens, n % tokens);
            return Enumerable.Range(0, d).Sum(c => Math.Abs(q[i, t, c] * k[i / group, j, c])) / Math.Sqrt(d);
        });
    }
}
