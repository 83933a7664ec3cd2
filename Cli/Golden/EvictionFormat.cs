using KvIL.Conformance.Golden.Eviction;

namespace KvIL.Cli.Golden;

/// <summary>Scores, budgets and kept rows that the official code of eviction methods gives, against KvIL's definitions.</summary>
internal sealed class EvictionFormat : IGoldenFormat
{
    private const int MostFailures = 20;

    public string Name => GoldenSet.Format;

    public string Sign => $"manifest.json with \"format\": \"{GoldenSet.Format}\"";

    public bool Recognises(string directory) => EvictionGoldenFolder.Recognises(directory);

    public GoldenResult Run(string directory, GoldenOptions options)
    {
        try
        {
            EvictionGoldenReport report = EvictionGolden.Run(EvictionGoldenFolder.Open(directory), cancelled: options.Cancelled);
            return new(
                Name,
                "group",
                [.. report.Groups.Select(g => new GoldenGroup(g.Name, g.Passed, g.Failed, g.NotImplemented.Count))],
                [.. report.Groups.SelectMany(g => g.Differences).Take(MostFailures).Select(Failure)]);
        }
        catch (GoldenFormatException e)
        {
            throw new IOException($"{directory}: {e.Message}", e);
        }
    }

    // "id (method): what differs"
    private static GoldenFailure Failure(string difference)
    {
        int colon = difference.IndexOf(": ", StringComparison.Ordinal);
        return colon < 0 ? new("", difference) : new(difference[..colon], difference[(colon + 2)..]);
    }
}
