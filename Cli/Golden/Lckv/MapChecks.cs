using System.Text.RegularExpressions;
using KvIL.Inference.Files;
using KvIL.Sharing;

namespace KvIL.Cli.Golden.Lckv;

/// <summary>Maps, owners and plans of passes, against those that the official code resolves.</summary>
internal static partial class MapChecks
{
    private const string Group = "maps and plans";
    private const int Passes = 9;

    /// <summary>The text gives the recorded map and plan, and the map gives the text.</summary>
    public static void Run(LckvMap recorded, Tally tally) => tally.Add(Group, recorded.Name, Difference(recorded));

    /// <summary>The same for a case, with its config; and one of the nine configurations is what the generator gives.</summary>
    public static void Run(LckvCase recorded, ModelConfig config, Tally tally)
    {
        Run(recorded.Map, tally);
        tally.Add(Group, $"{recorded.Name}/config", config.Sharing is not { } map ? "the config has no map"
            : !map.Sources.AsSpan().SequenceEqual(recorded.Map.Source) ? $"the config's map is {map}"
            : config.StrictlyPast != recorded.StrictlyPast ? "force_nodiag is another"
            : null);
        if (recorded.Family == "nine" && Generated(recorded) is { } made)
        {
            tally.Add(Group, $"{recorded.Name}/generator", made.Sources.AsSpan().SequenceEqual(recorded.Map.Source) ? null : $"the generator gives {made}");
        }
    }

    private static string? Difference(LckvMap recorded)
    {
        LayerTypes types;
        try
        {
            types = LayerTypes.Parse(recorded.LayerTypes, allowsNonIdempotent: true);
        }
        catch (FormatException e)
        {
            return e.Message;
        }

        SharingMap map = types.Map;
        int[][] plan = [.. map.Slices.Select(slice => (int[])[slice.First, slice.End, slice.IsCyclic ? Passes : 1])];
        return !map.Sources.AsSpan().SequenceEqual(recorded.Source) ? $"the text gives the sources {map}"
            : !types.Sliding.SequenceEqual(recorded.Sliding ?? [.. recorded.Source.Select(_ => false)]) ? "the text marks other layers for a window"
            : !Enumerable.Range(0, map.NumStores).Select(map.Owner).SequenceEqual(recorded.Owners) ? "the owners are others"
            : plan.Length != recorded.Plan.Length || plan.Zip(recorded.Plan).Any(slices => !slices.First.SequenceEqual(slices.Second))
                ? $"the plan is {string.Join(", ", plan.Select(slice => $"[{string.Join(", ", slice)}]"))}"
            : types.ToString() != recorded.LayerTypes ? $"the map is written {types}"
            : !LayerTypes.Parse(types.ToShortString(), allowsNonIdempotent: true).Equals(types) ? $"the short text {types.ToShortString()} is another map"
            : null;
    }

    // Of sandwich-middle-L9-l3; null where the name is no configuration, or the paper has no rule for it.
    private static SharingMap? Generated(LckvCase recorded)
    {
        Match name = NineName().Match(recorded.Name);
        if (!name.Success) return null;
        try
        {
            (int layers, SharingConfiguration configuration) = (recorded.Map.Source.Length, SharingConfiguration.Parse($"{name.Groups[1].Value}:{recorded.Map.Owners.Length}"));
            bool ruled = configuration.Partition != Partition.Lasagna || layers % configuration.KvLayers == 0;
            return ruled ? configuration.Map(layers) : null;
        }
        catch (Exception e) when (e is FormatException or ArgumentException)
        {
            return null;
        }
    }

    [GeneratedRegex("^([a-z]+-[a-z-]+?)-L[0-9]")]
    private static partial Regex NineName();
}
