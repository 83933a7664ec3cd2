namespace KvIL.Tests.Runner;

/// <summary>What the command line asked for.</summary>
public sealed record Arguments
{
    public const string Usage = """
        arguments: [--all] [--filter TEXT] [--list] [--also PATH.dll]... [--allow-none]
          --all            also run the tests with the trait Length=Long
          --filter TEXT    only the tests with TEXT in their name
          --list           print the names of the tests and count them as skipped
          --also PATH.dll  also run this test assembly, in a process of its own
          --allow-none     finding no test is not a failure
        """;

    public bool All { get; private init; }

    public string? Filter { get; private init; }

    public bool List { get; private init; }

    public bool AllowNone { get; private init; }

    public IReadOnlyList<string> Also { get; private init; } = [];

    /// <summary>Throws <see cref="ArgumentException"/> for what it does not know.</summary>
    public static Arguments Parse(IEnumerable<string> args)
    {
        Arguments result = new();
        Queue<string> rest = new(args);
        while (rest.TryDequeue(out string? name))
        {
            result = name switch
            {
                "--all" => result with { All = true },
                "--list" => result with { List = true },
                "--allow-none" => result with { AllowNone = true },
                "--filter" => result with { Filter = Value(name, rest) },
                "--also" => result with { Also = [.. result.Also, Value(name, rest)] },
                _ => throw new ArgumentException($"unknown argument: {name}"),
            };
        }
        return result;
    }

    /// <summary>The arguments for a child process: the same tests, but a filter may leave it none.</summary>
    public IEnumerable<string> ForChild()
    {
        if (All)
            yield return "--all";
        if (List)
            yield return "--list";
        if (Filter is not null)
        {
            yield return "--filter";
            yield return Filter;
        }
        if (AllowNone || Filter is not null)
            yield return "--allow-none";
    }

    private static string Value(string name, Queue<string> rest) =>
        rest.TryDequeue(out string? value) && value.Length > 0
            ? value
            : throw new ArgumentException($"{name} needs a value");
}
