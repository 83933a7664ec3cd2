using FsCheck;
using FsCheck.Fluent;
using KvIL.Eviction;
using KvIL.Inference.Runtime;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Tests.Engines;

/// <summary>A prompt, a policy, a sharing map of four layers, and tokens that follow.</summary>
public sealed record EvictionCase(string Policy, int Tokens, int Next, int Chunk, string Map, int Seed)
{
    private const int Ring = 9;

    private static readonly string[] Methods =
    [
        "sliding:sinks=2,", "snapkv:window=3,kernel=3,", "snapkv:window=9,sinks=2,kernel=1,order=pool-group,",
        "ada-snapkv:window=4,kernel=5,alloc=pure,", "ada-snapkv:window=5,kernel=3,pool=avg,", "ada-snapkv:window=2,alloc=floor,floor=1/3,sinks=1,",
        "pyramidkv:window=4,kernel=3,beta=3,", "ada-pyramid:window=3,kernel=3,beta=2,",
    ];

    // Each layer its own, CLA2, all read layer 0, and two without order.
    private static readonly string[] Maps = ["0 1 2 3", "0 0 2 2", "0 0 0 0", "0 1 0 1", "0 1 1 0"];

    public static Arbitrary<EvictionCase> Cases { get; } = Arb.From(
        from method in Gen.Elements(Methods)
        from slack in Gen.Choose(0, 4)
        from tokens in Gen.Choose(2, 36)
        from share in Gen.Choose(1, 110)
        from next in Gen.Choose(1, 8)
        from chunk in Gen.Elements(3, 8, 64)
        from map in Gen.Elements(Maps)
        from seed in Gen.Choose(0, 1_000_000)
        select new EvictionCase($"{method}slack={slack},budget={Math.Max(1, tokens * share / 100)}", tokens, next, chunk, map, seed),
        c => c.Shrink());

    /// <summary>One of the maps.</summary>
    internal static SharingMap AnyMap(int seed) => SharingMap.FromSources([.. Maps[seed % Maps.Length].Split(' ').Select(int.Parse)]);

    internal SyntheticModel Model => SyntheticModel.Deep;

    internal SharingMap Sharing => SharingMap.FromSources([.. Map.Split(' ').Select(int.Parse)]);

    internal EvictionPolicy Parsed => EvictionPolicy.Parse(Policy);

    internal int[] Prompt => Ids.Random(Seed, Tokens, Model.Vocabulary);

    internal int[] Following => Ids.Random(Seed + 1, Next, Model.Vocabulary);

    internal EngineOptions Options => new() { Chunk = Chunk, RowType = DType.F32, Window = Ring, MaxLogitRows = Next };

    private IEnumerable<EvictionCase> Shrink()
    {
        if (Next > 1) yield return this with { Next = Next - 1 };
        if (Tokens > 2) yield return this with { Tokens = Tokens - 1 };
        if (Chunk < 64) yield return this with { Chunk = 64 };
        if (Map != Maps[0]) yield return this with { Map = Maps[0] };
    }
}
