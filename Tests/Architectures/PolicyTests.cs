using KvIL.Eviction;
using KvIL.Inference;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Reference;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Architectures;

/// <summary>Every policy runs on the models whose layers share, or whose stores have several shapes.</summary>
public sealed class PolicyTests
{
    private const int Prompt = 80;
    private const int Kept = 40;

    private static readonly string[] s_folders = ["gemma3n", "gemma4", "gemma4-keqv", "hunyuan-cla", "hunyuan-dense"];

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string folder in s_folders)
            {
                foreach (string method in EvictionPolicy.Names.Except(["full"])) cases.Add(folder, method);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Cuts_a_prompt_to_the_budget_and_goes_on(string folder, string method)
    {
        EvictionPolicy policy = EvictionPolicy.Parse($"{method}:budget=50%");
        using ReferenceBackend backend = new(1);
        using Model model = Model.Open(TinyRandom.PathOf(folder), backend);
        using Engine engine = new(model, new()
        {
            MaxTokens = Prompt + 10, Chunk = 32, RowType = DType.F32, Window = policy.NeedsAllQueries ? 0 : policy.Queries(int.MaxValue),
            RemembersPrompt = policy.NeedsAllQueries,
        });
        using KvCache cache = engine.CreateCache();
        if (folder.StartsWith("hunyuan", StringComparison.Ordinal) && method is "expected" or "capkv" or "leverage")
        {
            Assert.Contains("cannot be turned back", Assert.Throws<RequestException>(Run).Message);
            return;
        }

        Run();
        Assert.True(engine.Logits(0).ToArray().All(float.IsFinite));

        void Run()
        {
            engine.Prefill(cache, 0, [.. Enumerable.Range(0, Prompt).Select(i => ((i * 37) + 11) % 128)], policy, reserve: 10);
            int[] evicted = engine.Evicting(policy);
            Assert.NotEmpty(evicted);
            Assert.Equal(evicted.Sum(store => (long)Kept * engine.KvHeads(store)), evicted.Sum(store => (long)cache.Rows(store, 0)));
            for (int i = 0; i < 5; i++)
            {
                engine.Forward(cache, [0], [i + 3], [0]);
            }
        }
    }
}
