namespace KvIL.Cli.Golden;

/// <summary>A format of recorded results that KvIL checks itself against.</summary>
internal interface IGoldenFormat
{
    /// <summary>Its name.</summary>
    string Name { get; }

    /// <summary>How a folder of it is known, a clause.</summary>
    string Sign { get; }

    /// <summary>Whether the folder has this format; looks at no more than that takes.</summary>
    bool Recognises(string directory);

    /// <summary>Checks everything in the folder.</summary>
    /// <exception cref="IOException">A file is missing or damaged; the message is one sentence.</exception>
    GoldenResult Run(string directory, CancellationToken cancelled);
}

/// <summary>What a check found.</summary>
/// <param name="Format">The format's name.</param>
/// <param name="GroupedBy">What a group is, such as a template.</param>
/// <param name="Groups">The counts of each group.</param>
/// <param name="Failures">The first failures.</param>
internal sealed record GoldenResult(string Format, string GroupedBy, IReadOnlyList<GoldenGroup> Groups, IReadOnlyList<GoldenFailure> Failures)
{
    public int Passed => Groups.Sum(group => group.Passed);

    public int Failed => Groups.Sum(group => group.Failed);

    public int NotImplemented => Groups.Sum(group => group.NotImplemented);
}

/// <summary>The vectors of one template, method or model.</summary>
internal sealed record GoldenGroup(string Name, int Passed, int Failed, int NotImplemented);

/// <summary>A vector that did not come out as recorded.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Difference">What is different, one line.</param>
internal sealed record GoldenFailure(string Id, string Difference);
