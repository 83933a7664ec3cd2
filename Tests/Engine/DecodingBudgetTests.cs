using KvIL.Eviction;
using KvIL.Inference.Generation;
using KvIL.Inference.Runtime;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Engines;

/// <summary>A budget binds what is generated too, where nothing of the prompt had to go; and a fork keeps every sequence's own count.</summary>
public sealed class DecodingBudgetTests(EngineFixture fixture) : IClassFixture<EngineFixture>
{
    [Theory]
    [InlineData("sliding:sinks=2,slack=3,budget=16", 16)]
    [InlineData("snapkv:window=4,slack=3,budget=16", 16)]
    [InlineData("snapkv:window=8,slack=3,budget=50%", 8)] // the window covers the prompt, and may fill up
    public void A_prompt_that_is_kept_whole_does_not_lift_the_budget(string text, int kept)
    {
        const int Prompt = 6, New = 40;
        SyntheticModel model = SyntheticModel.All[2];
        using Session session = fixture.Open(model, new() { RowType = DType.F32, Window = 8 });
        EvictionPolicy policy = EvictionPolicy.Parse(text);
        using KvCache cache = session.Engine.CreateCache();
        int[] ids = Ids.Random(1, Prompt + New, model.Vocabulary);
        session.Engine.Prefill(cache, 0, ids.AsSpan(0, Prompt), policy, New);
        using KvCache fork = session.Engine.Fork(cache, 0, policy, New, out _);
        foreach (KvCache each in (KvCache[])[cache, fork])
        {
            int held = Prompt;
            foreach (int id in ids[Prompt..])
            {
                session.Engine.Forward(each, [0], [id], [0]);
                held = 1 + (held == kept + policy.Slack ? kept : held);
                Assert.Equal((long)held * model.KvHeads, each.Rows(0, 0));
            }
        }
    }

    [Fact]
    public void A_generation_holds_the_budget_and_needs_no_more_than_was_checked()
    {
        Inference.Models.Model demo = fixture.Model(EngineFixture.Demo);
        Generation text = new(demo, Ids.Prompt(demo, 0, 20), new()
        {
            Eviction = EvictionPolicy.Parse("sliding:budget=64,slack=8"),
            MaxTokens = 200,
            StopAtEos = false,
        });
        Assert.Equal(200, text.Count(piece => piece.Id >= 0));
        GenerationStatistics s = text.Statistics;
        Assert.InRange(s.KvHeldBytes, 1, s.KvFullBytes * 40 / 100); // 72 rows of 220
        using Engine engine = new(demo, new() { MaxTokens = 220 });
        MemoryNeed need = MemoryNeed.Of(engine, EvictionPolicy.Parse("sliding:budget=64,slack=8"), 20, 200);
        Assert.Equal(need.KvPeak, s.KvPeakBytes);
    }

    [Fact]
    public void A_fork_keeps_the_count_of_every_sequence()
    {
        const int Prompt = 20;
        SyntheticModel model = SyntheticModel.All[2];
        using Session session = fixture.Open(model, new() { RowType = DType.F32, Window = 4, Sequences = 2 });
        Engine engine = session.Engine;
        EvictionPolicy first = EvictionPolicy.Parse("snapkv:window=4,budget=10,slack=5"), second = EvictionPolicy.Parse("sliding:budget=7,slack=2");
        using KvCache cache = engine.CreateCache();
        engine.Prefill(cache, 0, Ids.Random(1, Prompt, model.Vocabulary), EvictionPolicy.Full, 0);
        engine.Prefill(cache, 1, Ids.Random(2, Prompt, model.Vocabulary), second, 30);
        using KvCache fork = engine.Fork(cache, 0, first, 30, out _);
        (int Kept, int Slack)[] rules = [(10, 5), (7, 2)];
        int[] held = [10, 7];
        for (int i = 0; i < 30; i++)
        {
            engine.Forward(fork, [0, 1], [i % model.Vocabulary, 1], [0]);
            for (int sequence = 0; sequence < 2; sequence++)
            {
                (int kept, int slack) = rules[sequence];
                held[sequence] = 1 + (held[sequence] == kept + slack ? kept : held[sequence]);
                Assert.Equal((long)held[sequence] * model.KvHeads, fork.Rows(0, sequence));
            }
        }
    }
}
