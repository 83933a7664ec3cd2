using KvIL.Conformance.Theorems.Sharing;
using KvIL.Conformance.Theory.Sharing;
using KvIL.Sharing;

namespace KvIL.Conformance.Generators;

/// <summary>One of the configurations of sharing for some layers.</summary>
/// <param name="Configuration">The configuration.</param>
/// <param name="Layers">L.</param>
public sealed record ConfigurationCase(SharingConfiguration Configuration, int Layers) : ICase<ConfigurationCase>
{
    /// <inheritdoc/>
    public static ConfigurationCase Generate(Random random)
    {
        int layers = random.Next(1, 41), stores = random.Of(1, layers, random.Next(1, layers + 1));
        bool pins = random.Next(3) == 0 && stores > 1;
        return new(new(random.Of(Enum.GetValues<Partition>()), random.Of(Enum.GetValues<Position>()), stores, pins), layers);
    }

    /// <inheritdoc/>
    public IEnumerable<ConfigurationCase> Shrink()
    {
        if (Layers > Configuration.KvLayers) yield return this with { Layers = Layers - 1 };
        if (Configuration.KvLayers > (Configuration.PinsFirstLayer ? 2 : 1)) yield return this with { Configuration = Configuration with { KvLayers = Configuration.KvLayers - 1 } };
        if (Configuration.PinsFirstLayer) yield return this with { Configuration = Configuration with { PinsFirstLayer = false } };
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Configuration} of {Layers} layers";
}

/// <summary>Any map, with marks for windows.</summary>
/// <param name="Sources">By layer, the layer that it reads.</param>
/// <param name="Marks">Bit i: whether layer i has a window.</param>
/// <param name="Seed">Seed of whatever else a law draws.</param>
public sealed record MapCase(int[] Sources, int Marks, int Seed) : ICase<MapCase>
{
    internal SharingMap Map => SharingMap.FromSources(Sources, allowsNonIdempotent: true);

    internal LayerTypes Types => new(Map, [.. Sources.Select((_, layer) => Slides(layer))]);

    /// <inheritdoc/>
    public static MapCase Generate(Random random) => new(Maps.Draw(random, random.Next(1, 12), permissive: random.Next(2) == 0), random.Next(4096), random.Next());

    internal bool Slides(int layer) => (Marks >> layer & 1) != 0;

    /// <inheritdoc/>
    public IEnumerable<MapCase> Shrink()
    {
        foreach (int[] fewer in Maps.Shrink(Sources)) yield return this with { Sources = fewer };
        if (Marks != 0) yield return this with { Marks = Marks & (Marks - 1) };
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Types}, seed {Seed}";
}

/// <summary>A tiny model that shares, a prompt, and how it goes through.</summary>
/// <param name="Sources">By layer, the layer that it reads.</param>
/// <param name="Tokens">Tokens of the text; at least 1.</param>
/// <param name="Chunk">Tokens that iterate together, or a number of passes; at least 1.</param>
/// <param name="Window">Keys that layers with an odd number see at most; 0 for all.</param>
/// <param name="StrictlyPast">Whether every layer sees only keys before its token.</param>
/// <param name="Seed">Seed of weights and tokens.</param>
public sealed record SharedRunCase(int[] Sources, int Tokens, int Chunk, int Window, bool StrictlyPast, int Seed) : ICase<SharedRunCase>
{
    internal SharingMap Map => SharingMap.FromSources(Sources, allowsNonIdempotent: true);

    internal SharedModel Model => new(SharedLlamaWeights.Random(Sources.Length, SharedModel.Vocabulary, Seed), Map)
    {
        StrictlyPast = StrictlyPast, Windows = [.. Sources.Select((_, layer) => Window > 0 && layer % 2 == 1 ? Window : (int?)null)],
    };

    internal int[] Text => Generators.Draw.Integers(Seed, 1000, Tokens, SharedModel.Vocabulary);

    /// <inheritdoc/>
    public static SharedRunCase Generate(Random random) => new(
        Maps.Draw(random, random.Next(1, 6), permissive: random.Next(6) == 0), random.Next(1, 11), random.Of(1, 2, 3, 4, 9), random.Of(0, 0, 1, 2, 4), random.Next(6) == 0, random.Next(1 << 20));

    /// <inheritdoc/>
    public IEnumerable<SharedRunCase> Shrink()
    {
        foreach (int[] fewer in Maps.Shrink(Sources)) yield return this with { Sources = fewer };
        if (Tokens > 1) yield return this with { Tokens = Tokens - 1 };
        if (Chunk > 1) yield return this with { Chunk = Chunk - 1 };
        if (Window > 0) yield return this with { Window = 0 };
        if (StrictlyPast) yield return this with { StrictlyPast = false };
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Map}, {Tokens} tokens, chunk {Chunk}, window {Window}{(StrictlyPast ? ", strictly past" : "")}, seed {Seed}";
}

/// <summary>Random sharing maps.</summary>
internal static class Maps
{
    /// <summary>A configuration, or any map; owners read themselves unless <paramref name="permissive"/>.</summary>
    public static int[] Draw(Random random, int layers, bool permissive)
    {
        if (permissive) return [.. Enumerable.Range(0, layers).Select(_ => random.Next(layers))];
        if (random.Next(2) == 0)
        {
            SharingConfiguration configuration = new(random.Of(Enum.GetValues<Partition>()), random.Of(Enum.GetValues<Position>()), random.Next(1, layers + 1));
            return [.. configuration.Map(layers).Sources];
        }

        int[] owners = [.. Enumerable.Range(0, layers).Where(_ => random.Next(2) == 0).DefaultIfEmpty(random.Next(layers))];
        bool acyclic = random.Next(2) == 0 && owners[0] == 0;
        return [.. Enumerable.Range(0, layers).Select(layer => owners.Contains(layer) ? layer : random.Of([.. owners.Where(owner => !acyclic || owner < layer)]))];
    }

    /// <summary>The map without its last layer, where nobody reads that; and with one layer reading itself, where that is still idempotent.</summary>
    public static IEnumerable<int[]> Shrink(int[] sources)
    {
        int last = sources.Length - 1;
        if (last > 0 && !sources[..last].Contains(last)) yield return sources[..last];
        for (int layer = 0; layer <= last; layer++)
        {
            if (sources[layer] == layer) continue;
            int[] own = [.. sources];
            own[layer] = layer;
            yield return own;
        }
    }
}
