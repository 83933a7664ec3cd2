using System.Collections.Immutable;
using KvIL.Conformance.Generators;
using KvIL.Sharing;

namespace KvIL.Conformance.Theorems.Sharing;

/// <summary>Laws of maps, their texts and their plans of passes.</summary>
internal static class MapLaws
{
    private const string Framework = "Wu and Tu 2025 (arXiv:2410.14442), §2.1";
    private const string Published = "LCKV dd21716, configuration and README";
    private const string Gemma = "transformers, gemma3n and gemma4; llama.cpp #15504";

    public static IReadOnlyList<SharingLaw> All { get; } =
    [
        new SharingLaw<ConfigurationCase>(
            "C1", "Every_owner_reads_itself", "kv(kv(i)) = kv(i)", Framework, "the equation", (m, c) =>
            {
                ImmutableArray<int> kv = m.Map(c.Configuration, c.Layers).Sources;
                Expect.True(kv.All(source => kv[source] == source), $"the map is {string.Join('_', kv)}");
            }),
        new SharingLaw<ConfigurationCase>(
            "C2", "There_are_as_many_stores_as_asked", "|image(kv)| = l", Framework, "the number asked for", (m, c) =>
                Expect.True(m.Map(c.Configuration, c.Layers).Sources.Distinct().Count() == c.Configuration.KvLayers, $"the map is {m.Map(c.Configuration, c.Layers)}")),
        new SharingLaw<ConfigurationCase>(
            "C3", "As_many_stores_as_layers_is_no_sharing", "l = L ⇒ kv(i) = i", Framework, "the identity", (m, c) => Near.Same(
                "sources", [.. Enumerable.Range(0, c.Layers)], m.Map(c.Configuration with { KvLayers = c.Layers, PinsFirstLayer = c.Configuration.PinsFirstLayer && c.Layers > 1 }, c.Layers).Sources)),
        new SharingLaw<ConfigurationCase>(
            "C4", "Owners_stand_where_the_configuration_says", "bottom: kv(i) = min block; middle: ⌊(a + b)/2⌋; top: max block; quarters ⌊(3a + b)/4⌋, ⌊(a + 3b)/4⌋", Framework, "the equations on the blocks of the map", Stands),
        new SharingLaw<ConfigurationCase>(
            "C5", "Readers_of_a_store_are_neighbours_in_order", "kv(i) ≤ kv(i + 1)", Framework, "order", (m, c) =>
            {
                ImmutableArray<int> kv = m.Map(c.Configuration, c.Layers).Sources;
                Expect.True(kv.Zip(kv.Skip(1)).All(pair => pair.First <= pair.Second), $"the map is {string.Join('_', kv)}");
            }),
        new SharingLaw<ConfigurationCase>(
            "C5b", "Blocks_have_the_sizes_of_the_partition", "pizza: 1 … 1, L − l + 1; sandwich: ⌈(l − 1)/2⌉ ones, a block, ⌊(l − 1)/2⌋ ones; lasagna: sizes differ by 1 at most, smaller ones first", Framework, "the sizes", Sizes),
        new SharingLaw<MapCase>(
            "C6", "Texts_and_maps_are_the_same", "parse(format(kv)) = kv, windows included, in both forms", Published, "the map", (m, c) =>
            {
                foreach (bool isShort in (bool[])[false, true])
                {
                    string text = m.Format(c.Types, isShort);
                    Expect.True(m.Parse(text).Equals(c.Types), $"{text} is read as {m.Parse(text)}");
                }
            }),
        new SharingLaw<OneCase>("C6b", "Published_maps_are_configurations", "README strings = generator", Published, "the strings", PublishedMaps),
        new SharingLaw<MapCase>(
            "C31", "A_slice_holds_every_layer_that_its_layers_wait_for", "slices partition [0, L); kv(i) > i ⇒ i, kv(i) in one cyclic slice; no slice can be cut; plain ones touch no plain one", "LCKV dd21716, iteration_plan", "all cuts", Closed),
        new SharingLaw<MapCase>(
            "C7", "The_search_for_a_layer_of_ones_kind_is_the_shortcut", "kv(i) = first − 2 or first − 1 where the last two own layers slide and do not", Gemma, "llama.cpp's rule", Shortcut),
        new SharingLaw<OneCase>("C7b", "Released_models_read_the_layers_that_they_should", "3n E2B, E4B: 18, 19; 4 E2B: 13, 14; 4 E4B: 22, 23", Gemma, "the table", Released),
        new SharingLaw<MapCase>(
            "C8", "Shared_layers_read_layers_of_their_kind", "kind(kv(i)) = kind(i), kv(i) the last own layer of that kind", Gemma, "the kinds", (m, c) =>
            {
                (bool[]? kinds, int shared) = Tail(c);
                if (kinds is null) return;
                ImmutableArray<int> kv = m.SharedTail(kinds, shared).Sources;
                int first = kinds.Length - shared;
                int[] expected = [.. kinds.Select((kind, i) => i < first ? i : Array.FindLastIndex(kinds, first - 1, other => other == kind))];
                Near.Same("sources", expected, kv);
            }),
        new SharingLaw<MapCase>(
            "C8b", "A_store_holds_what_its_widest_reader_sees", "R_o = max { W_i : kv(i) = o }, all tokens if a reader sees all", "LCKV dd21716 truncates by the owner's own mark, which is wrong in decode", "the maximum", (m, c) =>
            {
                int?[] windows = [.. c.Sources.Select((_, layer) => c.Slides(layer) ? 1 + layer : (int?)null)];
                IReadOnlyList<int?> held = m.Retentions(c.Map, windows);
                for (int store = 0; store < c.Map.NumStores; store++)
                {
                    int most = c.Map.Readers(store).Max(layer => windows[layer] ?? int.MaxValue);
                    Expect.True((held[store] ?? int.MaxValue) == most, $"store {store} holds {held[store]?.ToString() ?? "all"}");
                }
            }),
        new SharingLaw<MapCase>(
            "C22", "A_token_takes_keys_and_values_of_every_store", "Σ_o n_kv · 2 d", "Wu and Tu 2025, §2; the engine's bytes are tested", "the sum over owners", (m, c) =>
                Expect.True(m.ElementsPerToken(c.Map, 3, 8) == c.Sources.Distinct().Sum(_ => 3L * 2 * 8), $"{m.ElementsPerToken(c.Map, 3, 8)} elements")),
    ];

    private static void Stands(SharingMath m, ConfigurationCase c)
    {
        SharingMap map = m.Map(c.Configuration, c.Layers);
        for (int store = 0; store < map.NumStores; store++)
        {
            (int a, int b) = (map.Readers(store)[0], map.Readers(store)[^1]);
            int owner = c.Configuration.Position switch
            {
                Position.Bottom => a,
                Position.LowerQuarter => ((3 * a) + b) / 4,
                Position.Middle => (a + b) / 2,
                Position.UpperQuarter => (a + (3 * b)) / 4,
                _ => b,
            };
            Expect.True(map.Owner(store) == owner, $"layers {a} to {b} read {map.Owner(store)}, expected {owner}");
        }
    }

    private static void Sizes(SharingMath m, ConfigurationCase c)
    {
        SharingMap map = m.Map(c.Configuration, c.Layers);
        int[] sizes = [.. Enumerable.Range(0, map.NumStores).Select(store => map.Readers(store).Length)];
        (int l, int rest) = (c.Configuration.KvLayers, c.Layers - c.Configuration.KvLayers + 1);
        int[] parts = c.Configuration.PinsFirstLayer ? sizes[1..] : sizes;
        int own = c.Configuration.Partition == Partition.Pizza ? l - 1 : (int)Math.Ceiling((l - 1) / 2.0);
        bool holds = c.Configuration.Partition == Partition.Lasagna
            ? parts[^1] - parts[0] <= 1 && parts.SequenceEqual(parts.Order()) && (!c.Configuration.PinsFirstLayer || sizes[0] == 1)
            : sizes.Index().All(size => size.Item == (size.Index == own ? rest : 1));
        Expect.True(holds, $"the sizes are {string.Join(' ', sizes)}");
    }

    private static void PublishedMaps(SharingMath m, OneCase c)
    {
        foreach ((string text, string configuration, int layers) in ((string, string, int)[])[
            ("0_20x20_21", "sandwich-top:3", 22), ("0_10x20_21", "sandwich-middle:3", 22), ("0_10x10_11", "sandwich-top:3", 12), ("0_6x6_7", "sandwich-top:3", 8),
            ("0_1_2_3_4_16x12_17_18_19_20_21", "sandwich-top:11", 22), ("0x2_2x2_4x2_6x2_8x2_10x2_12x2_14x2_16x2_18x2_20x2", "lasagna-bottom:11", 22),
            ("0_1_2_3_4_5_6_7_8_9_10_11x11", "pizza-bottom:12", 22), ("0_1_2_7x9", "pizza-middle:4", 12), ("0_1_6x9_11", "sandwich-middle:4", 12),
            ("1x3_4x3_7x3_10x3", "lasagna-middle:4", 12), ("2x3_5x3_8x3_11x3", "lasagna-top:4", 12)])
        {
            SharingMap map = m.Map(SharingConfiguration.Parse(configuration), layers);
            Expect.True(m.Parse(text).Map.Equals(map), $"{configuration} of {layers} layers is {map}, published is {text}");
            Expect.True(m.Format(LayerTypes.Of(map), isShort: true) == text, $"{configuration} is written {m.Format(LayerTypes.Of(map), isShort: true)}");
        }
    }

    private static void Closed(SharingMath m, MapCase c)
    {
        ImmutableArray<LayerSlice> slices = m.Slices(c.Map);
        int[] kv = c.Sources;
        Near.Same("layers of the slices", [.. Enumerable.Range(0, kv.Length)], [.. slices.SelectMany(slice => Enumerable.Range(slice.First, slice.Length))]);
        foreach ((int i, LayerSlice slice) in slices.Index())
        {
            int[] layers = [.. Enumerable.Range(slice.First, slice.Length)];
            Expect.True(slice.IsCyclic == layers.Any(layer => kv[layer] > layer), $"slice {slice} is marked wrongly");
            Expect.True(layers.All(layer => kv[layer] < slice.End), $"slice {slice} waits for a layer above it");
            Expect.True(
                !slice.IsCyclic || Enumerable.Range(slice.First + 1, slice.Length - 1).All(cut => layers.Any(layer => layer < cut && kv[layer] >= cut)), $"slice {slice} can be cut");
            Expect.True(i == 0 || slice.IsCyclic || slices[i - 1].IsCyclic, $"slice {slice} should be one with the slice below");
        }
    }

    // Kinds of layers and how many share, such that every kind stands below; no kinds where that cannot be.
    private static (bool[]? Kinds, int Shared) Tail(MapCase c)
    {
        bool[] kinds = [.. c.Sources.Select((_, layer) => c.Slides(layer))];
        int shared = c.Seed % kinds.Length;
        bool[] below = kinds[..^shared];
        return kinds[^shared..].All(below.Contains) ? (kinds, shared) : (null, 0);
    }

    private static void Shortcut(SharingMath m, MapCase c)
    {
        if (Tail(c) is not ({ Length: > 1 } kinds, var shared) || kinds.Length - shared < 2) return;
        int first = kinds.Length - shared;
        (kinds[first - 2], kinds[first - 1]) = (true, false);
        Near.Same("sources", [.. kinds.Select((slides, i) => i < first ? i : first - (slides ? 2 : 1))], m.SharedTail(kinds, shared).Sources);
    }

    private static void Released(SharingMath m, OneCase c)
    {
        foreach ((string model, int layers, int shared, int pattern, int sliding, int full) in ((string, int, int, int, int, int)[])[
            ("Gemma 3n E2B", 30, 10, 5, 18, 19), ("Gemma 3n E4B", 35, 15, 5, 18, 19), ("Gemma 4 E2B", 35, 20, 5, 13, 14), ("Gemma 4 E4B", 42, 18, 6, 22, 23)])
        {
            bool[] slides = [.. Enumerable.Range(0, layers).Select(layer => (layer + 1) % pattern != 0)];
            Near.Same(model, [.. slides.Select((slide, i) => i < layers - shared ? i : slide ? sliding : full)], m.SharedTail(slides, shared).Sources);
        }
    }
}
