namespace KvIL.Conformance.Golden.Eviction;

/// <summary>What became of the cases of one group.</summary>
/// <param name="Name">The group.</param>
/// <param name="Passed">Cases of which everything recorded is reproduced.</param>
/// <param name="Differences">One sentence for each case that failed: the first number that differs.</param>
/// <param name="NotImplemented">One sentence for each case of a kind or method that KvIL does not have.</param>
public sealed record EvictionGoldenGroup(
    string Name, int Passed, IReadOnlyList<string> Differences, IReadOnlyList<string> NotImplemented)
{
    /// <summary>Cases that differ.</summary>
    public int Failed => Differences.Count;
}

/// <summary>The result of a run over a set.</summary>
/// <param name="Groups">In the order of the set.</param>
/// <param name="Applied">How often each check had something to compare.</param>
public sealed record EvictionGoldenReport(IReadOnlyList<EvictionGoldenGroup> Groups, IReadOnlyDictionary<string, int> Applied)
{
    /// <summary>Cases that passed.</summary>
    public int Passed => Groups.Sum(g => g.Passed);

    /// <summary>Cases that failed.</summary>
    public int Failed => Groups.Sum(g => g.Failed);

    /// <summary>Cases not implemented.</summary>
    public int NotImplemented => Groups.Sum(g => g.NotImplemented.Count);
}
