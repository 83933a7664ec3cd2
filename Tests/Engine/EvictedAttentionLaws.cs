using KvIL.Backends;
using KvIL.Inference.Runtime;
using KvIL.Sharing;
using KvIL.Tensors;
using Xunit;
using Law = KvIL.Tests.Eviction.Law;

namespace KvIL.Tests.Engines;

/// <summary>After eviction the engine is the full model with the dropped keys masked to −∞, whatever layers share.</summary>
/// <remarks>
/// Which keys are masked is read from the stores after each call; everything else (hidden states, rotations of new rows, logits) is
/// computed from the ids in double. A new row at any position but the number of tokens seen has another rotation.
/// </remarks>
public sealed class EvictedAttentionLaws(EngineFixture fixture) : IClassFixture<EngineFixture>
{
    [Fact]
    public void Attention_after_eviction_is_full_attention_with_masked_keys() => Law.ForAll(EvictionCase.Cases, c => Holds(c), maxTest: 120);

    [Fact]
    public void Mutant_one_dropped_key_still_seen() => Law.Catches(EvictionCase.Cases, c => Holds(c, unmask: true), maxTest: 60);

    [Fact]
    public void Mutant_the_map_forgotten() => Law.Catches(EvictionCase.Cases, c => Holds(c, map: SharingMap.FromSources(0, 1, 1, 1)), maxTest: 60);

    [Fact]
    public void Mutant_positions_that_count_the_rows_held() => Law.Catches(EvictionCase.Cases, c => Holds(c, tamper: inner => new TamperedBackend(inner)
    {
        Before = (queue, b) =>
        {
            // One sequence and equal heads: the rows held before a step are the lengths of its first run.
            if (b.Plan.Name != "forward" || TamperedBackend.Bound(b, "store.0") is not IStore store) return;
            int[] length = new int[1];
            queue.Download<int>(store.Lengths, length);
            queue.Synchronize();
            queue.Upload<int>([.. Enumerable.Range(length[0], b.Symbols[0])], TamperedBackend.Bound(b, "positions")!);
        },
    }), maxTest: 60);

    [Fact]
    public void Mutant_rows_that_trade_places_in_compaction() => Law.Catches(EvictionCase.Cases, c => Holds(c, tamper: inner => new TamperedBackend(inner)
    {
        After = (queue, b) =>
        {
            if (b.Plan.Name.StartsWith("evict", StringComparison.Ordinal) && b.Buffers[b.Plan.Outputs[^1].Id] is IStore { Spec: StoreSpec spec } fresh)
                TamperedBackend.Edit<float>(queue, fresh.Keys, 2 * spec.HeadDim, k => (k[0], k[spec.HeadDim]) = (k[spec.HeadDim], k[0]));
        },
    }), maxTest: 60);

    private void Holds(EvictionCase c, Func<IBackend, IBackend>? tamper = null, bool unmask = false, SharingMap? map = null)
    {
        using Session session = fixture.Open(c.Model, c.Options, c.Sharing, tamper);
        Engine engine = session.Engine;
        using KvCache cache = engine.CreateCache();
        int[] ids = [.. c.Prompt, .. c.Following];
        engine.Prefill(cache, 0, c.Prompt, c.Parsed);
        float[] first = engine.Logits(0).ToArray();
        List<float[]> logits = [];
        Dictionary<int, HashSet<int>[][]> seen = []; // by query: positions by store and head
        Random random = new(c.Seed);
        for (int done = 0; done < c.Next;)
        {
            int n = random.Next(1, 1 + Math.Min(3, c.Next - done));
            engine.Forward(cache, new int[n], c.Following.AsSpan(done, n), [.. Enumerable.Range(0, n)]);
            HashSet<int>[][] held = [.. CacheRows.Of(engine, cache, 0).Select(s => s.Select(run => run.Positions.ToHashSet()).ToArray())];
            for (int t = 0; t < n; t++)
            {
                seen[c.Tokens + done + t] = held;
                logits.Add(engine.Logits(t).ToArray());
            }

            done += n;
            Assert.All(held.SelectMany(h => h), positions => Assert.Equal(c.Tokens + done - 1, positions.Max()));
            Assert.Equal(c.Tokens + done, cache.Tokens(0));
        }

        bool Mask(int store, int head, int query, int key) => key <= query
            && (query < c.Tokens || seen[query][Math.Min(store, seen[query].Length - 1)][head].Contains(key) || (unmask && key == 0));
        Definition expected = fixture.Definition(c.Model, map ?? c.Sharing).Run(ids, Mask);
        Near.Row(expected.Logits, c.Tokens - 1, 0, first, "logits of the prompt");
        for (int t = 0; t < c.Next; t++) Near.Row(expected.Logits, c.Tokens + t, 0, logits[t], "logits");
        if (map is null) Near.Rows(expected, CacheRows.Of(engine, cache, 0), c.Model.HeadDim);
    }
}
