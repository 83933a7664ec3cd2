using KvIL.Cli.Golden.Lckv;
using KvIL.Conformance.Golden.Eviction;
using KvIL.Conformance.Theory.Sharing;
using KvIL.Inference.Files;
using KvIL.Sharing;
using Xunit;

namespace KvIL.Tests.Sharing;

/// <summary>The definition in double of models with shared keys and values, against the official code.</summary>
public sealed class DefinitionGoldenTests
{
    private static readonly string s_folder = Repo.PathOf("golden/lckv");

    public static TheoryData<string> Cases => [.. LckvFolder.Open(s_folder).Cases.Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Definition_gives_every_recorded_tensor(string name)
    {
        LckvFolder folder = LckvFolder.Open(s_folder);
        Check(folder, folder.Cases.Single(c => c.Name == name));
    }

    [SharedFact("golden/lckv")]
    [Trait("Length", "Long")]
    public void Definition_gives_every_tensor_of_the_whole_set()
    {
        LckvFolder folder = LckvFolder.Open(Shared.PathOf("golden/lckv"));
        Parallel.ForEach(folder.Cases, c => Check(LckvFolder.Open(Shared.PathOf("golden/lckv")), c));
    }

    [Fact]
    public void Maps_of_the_repository_resolve_as_published()
    {
        Tally tally = new();
        LckvFolder folder = LckvFolder.Open(s_folder);
        foreach (LckvMap map in folder.Published) MapChecks.Run(map, tally);
        foreach (LckvCase c in folder.Cases) MapChecks.Run(c, folder.Config(c), tally);
        Assert.Empty(tally.Failures);
        Assert.Equal(17 + (2 * folder.Cases.Count) + folder.Cases.Count(c => c.Family == "nine"), tally.Groups.Single().Passed);
    }

    // The published decode, and how far it is from the definition: what docs/sharing.md says.
    [Fact]
    public void Published_decode_is_wrong_from_the_second_token_on()
    {
        LckvFolder folder = LckvFolder.Open(s_folder);
        LckvCase c = folder.Cases.Single(c => c.Name == "sandwich-top-L9-l3");
        IReadOnlyDictionary<string, GoldenTensor> tensors = folder.Tensors(c);
        double[] published = tensors["logits_seq_main"].Values, exact = tensors["logits_exact"].Values;
        double[] rows = [.. published.Zip(exact, (a, b) => Math.Abs(a - b)).Chunk(128).Select(row => row.Max())];
        Assert.InRange(rows[0], 0, 1e-4);
        Assert.All(rows.Skip(1), off => Assert.True(off > 0.01));
        Assert.Equal(6.94, rows.Max(), 0.005);
    }

    private static void Check(LckvFolder folder, LckvCase recorded)
    {
        IReadOnlyDictionary<string, GoldenTensor> tensors = folder.Tensors(recorded);
        ModelConfig config = folder.Config(recorded);
        Tally tally = new();
        new DefinitionChecks(recorded, config, folder.Weights(recorded), tensors, tally).Run();
        int[] input = Integers(tensors["input_ids"]), prompt = Integers(tensors["prompt_ids"]);
        SharedLlama model = Model(folder, recorded, config, 0), wider = Model(folder, recorded, config, 1);
        void Compare(string name, Func<double[][]> rows)
        {
            if (tensors.TryGetValue(name, out GoldenTensor? tensor)) tally.Near("float32", $"{recorded.Name}/{name}", tensor, rows(), 1e-4);
        }

        Compare("logits_exact", () => model.Sequential(input));
        Compare("logits_exact_window_plus_1", () => wider.Sequential(input));
        foreach ((string passes, int count) in ((string, int)[])[("1_1", 2), ("3_1", 4), ("7_2", 9)])
        {
            Compare($"logits_iter_{passes}", () => model.Iterate(new(model.Map), input, count));
        }

        CompareGreedy("greedy", cache => prompt.Select(token => model.Step(cache, token)).ToArray()[^1]);
        CompareGreedy("greedy_iter_7_2", cache => model.Iterate(cache, prompt, 9)[^1]);
        CompareCaches();
        Assert.Empty(tally.Failures);
        Assert.True(tally.Groups.Sum(g => g.Passed) >= 2);

        void CompareGreedy(string name, Func<SharedCache, double[]> first)
        {
            SharedCache cache = new(model.Map);
            Compare(name + "_logits", () => model.Greedy(cache, first(cache), 20));
        }

        void CompareCaches()
        {
            SharedCache cache = new(model.Map);
            foreach (int token in input) model.Step(cache, token);
            foreach (int owner in Enumerable.Range(0, model.Map.NumStores).Select(model.Map.Owner))
            {
                Compare($"cache_k.{owner}", () => cache.Rows(owner, 0, input.Length).Keys);
                Compare($"cache_v.{owner}", () => cache.Rows(owner, 0, input.Length).Values);
            }
        }
    }

    private static SharedLlama Model(LckvFolder folder, LckvCase recorded, ModelConfig config, int more)
    {
        SharedLlamaSizes sizes = new(config.HiddenSize, config.NumQueryHeads, config.NumKvHeads, config.HeadDim, config.Layers[0].Rope!.Theta, config.RmsNormEps);
        SharedLlamaWeights weights = new(sizes, folder.Weights(recorded).ToDictionary(w => w.Key, w => w.Value.Values));
        SharingMap map = config.Sharing!;
        return new(weights.WithDeadNaN(map), map) { StrictlyPast = config.StrictlyPast, Windows = [.. config.Layers.Select(layer => layer.Window + more)] };
    }

    private static int[] Integers(GoldenTensor tensor) => [.. tensor.Values.Select(value => (int)value)];
}
