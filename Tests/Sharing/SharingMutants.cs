using System.Collections.Concurrent;
using System.Collections.Immutable;
using System.Reflection;
using KvIL.Conformance.Generators;
using KvIL.Conformance.Theorems.Sharing;
using KvIL.Sharing;

namespace KvIL.Tests.Sharing;

/// <summary>Planted faults of <see cref="SharingMath"/>, and the laws that kill them.</summary>
internal static class SharingMutants
{
    private const int Cases = 30, Seed = 11;
    private static readonly ConcurrentDictionary<string, Lazy<SharingLaw[]>> s_killers = [];

    /// <summary>The mutants in the order in which they are written.</summary>
    public static IReadOnlyList<SharingMath> All { get; } =
    [
        .. typeof(SharingMutants).GetNestedTypes(BindingFlags.NonPublic).Where(t => t.IsSubclassOf(typeof(SharingMath)))
            .OrderBy(t => t.MetadataToken).Select(t => (SharingMath)Activator.CreateInstance(t)!),
        new PublishedDecode(),
    ];

    /// <summary>The laws that a mutant breaks, of those about what it changes.</summary>
    public static SharingLaw[] Killers(SharingMath mutant) => s_killers.GetOrAdd(mutant.Name, _ => new(() =>
    {
        bool runs = mutant.GetType().GetMethod(nameof(SharingMath.Run))!.DeclaringType != typeof(SharingMath);
        return [.. SharingLaws.All.Where(law => law is SharingLaw<SharedRunCase> == runs).AsParallel().AsOrdered()
            .Where(law => Enumerable.Range(0, Cases).Any(i => law.On(mutant).Run(Seed + i, 1).Violations > 0))];
    })).Value;

    private static SharingMap Changed(SharingMap map, Func<int, int> source) =>
        SharingMap.FromSources([.. Enumerable.Range(0, map.NumLayers).Select(source)], allowsNonIdempotent: true);

    private sealed class Middle_rounded_up : SharingMath
    {
        public override SharingMap Map(SharingConfiguration configuration, int layers)
        {
            SharingMap map = base.Map(configuration, layers);
            return configuration.Position != Position.Middle ? map : Changed(map, layer =>
            {
                ImmutableArray<int> readers = map.Readers(map.Stores[layer]);
                return (readers[0] + readers[^1] + 1) / 2;
            });
        }
    }

    private sealed class A_store_too_many : SharingMath
    {
        public override SharingMap Map(SharingConfiguration configuration, int layers) =>
            base.Map(configuration with { KvLayers = Math.Min(layers, configuration.KvLayers + 1) }, layers);
    }

    private sealed class Always_one_that_shares : SharingMath
    {
        public override SharingMap Map(SharingConfiguration configuration, int layers) =>
            base.Map(configuration with { KvLayers = Math.Max(configuration.PinsFirstLayer ? 2 : 1, Math.Min(configuration.KvLayers, layers - 1)) }, Math.Max(layers, 2));
    }

    private sealed class A_sandwich_with_its_spare_layer_on_top : SharingMath
    {
        public override SharingMap Map(SharingConfiguration configuration, int layers)
        {
            if (configuration.Partition != Partition.Sandwich) return base.Map(configuration, layers);
            (int a, int b) = ((configuration.KvLayers - 1) / 2, layers - 1 - (configuration.KvLayers / 2));
            int owner = configuration.Position switch
            {
                Position.Bottom => a,
                Position.LowerQuarter => ((3 * a) + b) / 4,
                Position.Middle => (a + b) / 2,
                Position.UpperQuarter => (a + (3 * b)) / 4,
                _ => b,
            };
            return Changed(SharingMap.Identity(layers), layer => layer >= a && layer <= b ? owner : layer);
        }
    }

    private sealed class The_first_layer_reads_the_last : SharingMath
    {
        public override SharingMap Map(SharingConfiguration configuration, int layers) =>
            Changed(base.Map(configuration, layers), layer => layer == 0 ? layers - 1 : base.Map(configuration, layers).Sources[layer]);
    }

    private sealed class Owners_that_read_the_next_layer : SharingMath
    {
        public override SharingMap Map(SharingConfiguration configuration, int layers)
        {
            SharingMap map = base.Map(configuration, layers);
            return Changed(map, layer => map.Sources[layer] == layer ? Math.Min(layer + 1, layers - 1) : map.Sources[layer]);
        }
    }

    private sealed class Windows_forgotten_in_short_texts : SharingMath
    {
        public override string Format(LayerTypes types, bool isShort) => base.Format(isShort ? LayerTypes.Of(types.Map) : types, isShort);
    }

    private sealed class Repeats_counted_one_less : SharingMath
    {
        public override string Format(LayerTypes types, bool isShort) => base.Format(types, isShort).Replace("x3", "x2", StringComparison.Ordinal);
    }

    private sealed class Slices_up_to_the_first_target : SharingMath
    {
        public override ImmutableArray<LayerSlice> Slices(SharingMap map)
        {
            List<LayerSlice> slices = [];
            for (int first = 0, end; first < map.NumLayers; first = end)
            {
                end = Math.Max(first, map.Sources[first]) + 1;
                slices.Add(new(first, end, map.ReadsAbove(first)));
            }

            return [.. slices];
        }
    }

    private sealed class One_slice_of_everything : SharingMath
    {
        public override ImmutableArray<LayerSlice> Slices(SharingMap map) => [new(0, map.NumLayers, map.IsCyclic)];
    }

    private sealed class The_last_own_layer_for_every_kind : SharingMath
    {
        public override SharingMap SharedTail(IReadOnlyList<bool> slides, int shared) => base.SharedTail([.. slides.Select(_ => true)], shared);
    }

    private sealed class A_store_cut_by_its_owners_window : SharingMath
    {
        public override IReadOnlyList<int?> Retentions(SharingMap map, IReadOnlyList<int?> windows) =>
            [.. Enumerable.Range(0, map.NumStores).Select(store => windows[map.Owner(store)])];
    }

    private sealed class Bytes_of_every_layer : SharingMath
    {
        public override long ElementsPerToken(SharingMap map, int kvHeads, int headDim) => 2L * map.NumLayers * kvHeads * headDim;
    }

    private sealed class A_mean_without_the_owner : SharingMath
    {
        public override double[][] Averaged(SharingMap map, IReadOnlyList<double[]> projections) =>
            base.Averaged(map, [.. projections.Select((p, layer) => map.Readers(map.Stores[layer]).Length > 1 && map.Sources[layer] == layer ? [.. p.Select(_ => 0.0)] : p)]);
    }

    private sealed class A_mean_over_all_layers : SharingMath
    {
        public override double[][] Averaged(SharingMap map, IReadOnlyList<double[]> projections) =>
            [.. Enumerable.Range(0, map.NumStores).Select(_ => base.Averaged(SharingMap.FromGroupsOf(map.NumLayers, map.NumLayers), projections)[0])];
    }

    private sealed class Projections_kept_for_all_layers : SharingMath
    {
        public override double[][] Averaged(SharingMap map, IReadOnlyList<double[]> projections) => [.. projections];
    }

    private sealed class A_gain_that_is_dropped : SharingMath
    {
        public override double[] FoldedLogits(double[] query, double[] gain, IReadOnlyList<double[]> keys) => base.FoldedLogits(query, [.. gain.Select(_ => 1.0)], keys);
    }

    private sealed class A_pass_too_few : SharingMath
    {
        public override double[][] Run(SharedModel model, IReadOnlyList<int> prompt, PrefillStrategy strategy, IReadOnlyList<int> continuation) =>
            base.Run(model, prompt, strategy with { Passes = Math.Max(1, strategy.Passes == int.MaxValue ? prompt.Count - 1 : strategy.Passes - 1) }, continuation);
    }

    private sealed class Prompts_forgotten_before_the_rest : SharingMath
    {
        public override double[][] Run(SharedModel model, IReadOnlyList<int> prompt, PrefillStrategy strategy, IReadOnlyList<int> continuation) =>
            [.. base.Run(model, prompt, strategy, []), .. base.Run(model, [], strategy, continuation)];
    }

    private sealed class Exact_prompts_where_iterated_ones_are_asked_for : SharingMath
    {
        public override double[][] Run(SharedModel model, IReadOnlyList<int> prompt, PrefillStrategy strategy, IReadOnlyList<int> continuation) =>
            base.Run(model, prompt, PrefillStrategy.Sequential, continuation);
    }

    private sealed class The_last_token_first : SharingMath
    {
        public override double[][] Run(SharedModel model, IReadOnlyList<int> prompt, PrefillStrategy strategy, IReadOnlyList<int> continuation) =>
            base.Run(model, prompt.Count > 1 ? [prompt[^1], .. prompt.Skip(1)] : prompt, strategy, continuation);
    }

    private sealed class A_window_of_one_more : SharingMath
    {
        public override double[][] Run(SharedModel model, IReadOnlyList<int> prompt, PrefillStrategy strategy, IReadOnlyList<int> continuation) =>
            base.Run(model with { Windows = [.. model.Windows.Select(window => window + 1)] }, prompt, strategy, continuation);
    }

    private sealed class Strictly_past_forgotten : SharingMath
    {
        public override double[][] Run(SharedModel model, IReadOnlyList<int> prompt, PrefillStrategy strategy, IReadOnlyList<int> continuation) =>
            base.Run(model with { StrictlyPast = false }, prompt, strategy, continuation);
    }

    private sealed class Readers_above_read_themselves : SharingMath
    {
        public override double[][] Run(SharedModel model, IReadOnlyList<int> prompt, PrefillStrategy strategy, IReadOnlyList<int> continuation) =>
            base.Run(model with { Map = Changed(model.Map, layer => model.Map.ReadsAbove(layer) ? layer : model.Map.Sources[layer]) }, prompt, strategy, continuation);
    }

    private sealed class Readers_below_read_themselves : SharingMath
    {
        public override double[][] Run(SharedModel model, IReadOnlyList<int> prompt, PrefillStrategy strategy, IReadOnlyList<int> continuation) =>
            base.Run(model with { Map = Changed(model.Map, layer => model.Map.ReadsAbove(layer) ? model.Map.Sources[layer] : layer) }, prompt, strategy, continuation);
    }
}
