using System.Globalization;
using KvIL.Conformance.Golden.Eviction;

namespace KvIL.Cli.Golden.Lckv;

/// <summary>What was compared, in groups in the order in which they first come, with the largest difference of each.</summary>
internal sealed class Tally
{
    private readonly List<(string Name, Counts Counts)> _groups = [];
    private readonly List<GoldenFailure> _failures = [];

    public IReadOnlyList<GoldenGroup> Groups => [.. _groups.Select(g => new GoldenGroup(g.Name, g.Counts.Passed, g.Counts.Failed, g.Counts.Left))];

    public IReadOnlyList<GoldenFailure> Failures => _failures;

    /// <summary>One line for each group whose differences were measured.</summary>
    public IEnumerable<string> Differences => _groups.Where(g => g.Counts.Limit > 0).Select(g => string.Create(
        CultureInfo.InvariantCulture, $"{g.Name}: largest difference {g.Counts.Largest:0.0e+0}, tolerance {g.Counts.Limit:0e+0}"));

    /// <summary>Something that is as recorded or not; null for as recorded.</summary>
    public void Add(string group, string id, string? difference)
    {
        Counts counts = Of(group);
        if (difference is null)
        {
            counts.Passed++;
            return;
        }

        counts.Failed++;
        _failures.Add(new(id, difference));
    }

    /// <summary>Something that is not computed.</summary>
    public void Leave(string group, int count) => Of(group).Left += count;

    /// <summary>Rows of numbers, to a tolerance; numbers that are no numbers never pass.</summary>
    public void Near(string group, string id, GoldenTensor expected, IReadOnlyList<double[]> actual, double tolerance)
    {
        int width = expected.Values.Length / Math.Max(1, actual.Count);
        if (actual.Count * width != expected.Values.Length || actual.Any(row => row.Length != width))
        {
            Add(group, id, $"{expected.Values.Length} numbers are recorded, and {actual.Sum(row => row.Length)} were computed");
            return;
        }

        (double largest, int at) = (0, -1);
        for (int i = 0; i < expected.Values.Length; i++)
        {
            double difference = Math.Abs(expected.Values[i] - actual[i / width][i % width]);
            if (!(difference <= largest)) (largest, at) = (difference, i);
            if (double.IsNaN(difference)) break;
        }

        Near(group, id, largest, tolerance, at < 0 ? "" : $" at row {at / width}, column {at % width}");
    }

    /// <summary>One difference, to a tolerance.</summary>
    public void Near(string group, string id, double difference, double tolerance, string where = "")
    {
        Counts counts = Of(group);
        (counts.Largest, counts.Limit) = (Math.Max(counts.Largest, difference), tolerance);
        Add(group, id, difference <= tolerance ? null : string.Create(
            CultureInfo.InvariantCulture, $"off by {difference:0.0e+0}{where}, more than {tolerance:0e+0}"));
    }

    private Counts Of(string group)
    {
        if (_groups.FirstOrDefault(g => g.Name == group).Counts is { } counts) return counts;
        _groups.Add((group, new()));
        return _groups[^1].Counts;
    }

    private sealed class Counts
    {
        public int Passed, Failed, Left;
        public double Largest, Limit;
    }
}
