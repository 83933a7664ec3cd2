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

    /// <summary>Whether it runs models, which can take long: only then a part can be chosen, and models named.</summary>
    bool RunsModels => false;

    /// <summary>Checks everything in the folder, or what is chosen of it.</summary>
    /// <exception cref="IOException">A file is missing or damaged; the message is one sentence.</exception>
    GoldenResult Run(string directory, GoldenOptions options);
}

/// <summary>How a folder is checked.</summary>
/// <param name="Cancelled">Ends the run.</param>
internal sealed record GoldenOptions(CancellationToken Cancelled)
{
    /// <summary>Parts to check, <c>FILE/METHOD</c>; none for everything.</summary>
    public IReadOnlyList<string> Only { get; init; } = [];

    /// <summary>Where models are, <c>[NAME=]PATH</c>.</summary>
    public IReadOnlyList<string> Models { get; init; } = [];

    /// <summary>Threads; 0 for one per processor.</summary>
    public int Threads { get; init; }

    /// <summary>Told the share done, from 0 to 1.</summary>
    public Action<double> Progress { get; init; } = _ => { };
}

/// <summary>What a check found.</summary>
/// <param name="Format">The format's name.</param>
/// <param name="GroupedBy">What a group is, such as a template.</param>
/// <param name="Groups">The counts of each group.</param>
/// <param name="Failures">The first failures.</param>
internal sealed record GoldenResult(string Format, string GroupedBy, IReadOnlyList<GoldenGroup> Groups, IReadOnlyList<GoldenFailure> Failures)
{
    /// <summary>What was measured beside, and why something was not compared: one line each.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

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
