using Xunit;

namespace KvIL.Tests;

/// <summary>This repository.</summary>
internal static class Repo
{
    public static string Root { get; } = FindRoot();

    /// <summary>A path below the root, given with slashes.</summary>
    public static string PathOf(string relative) => Path.GetFullPath(Path.Combine(Root, relative));

    private static string FindRoot()
    {
        DirectoryInfo? directory = new(AppContext.BaseDirectory);
        while (directory is not null && !File.Exists(Path.Combine(directory.FullName, "KvIL.sln")))
        {
            directory = directory.Parent;
        }

        return directory?.FullName
            ?? throw new InvalidOperationException("The tests must run from a build inside the repository.");
    }
}

/// <summary>Reference material that is not part of the repository: <c>KVIL_SHARED</c>, or <c>../shared</c> beside it.</summary>
internal static class Shared
{
    public static string Root { get; } =
        Environment.GetEnvironmentVariable("KVIL_SHARED") is { Length: > 0 } path ? path : Repo.PathOf("../shared");

    /// <summary>A path below the root, given with slashes.</summary>
    public static string PathOf(string relative) => Path.GetFullPath(Path.Combine(Root, relative));

    public static bool Has(string relative) => Path.Exists(PathOf(relative));
}

/// <summary>A test that needs a file or folder of <see cref="Shared"/>; skipped, with the reason, where it is absent.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SharedFactAttribute : FactAttribute
{
    public SharedFactAttribute(string what)
    {
        if (!Shared.Has(what))
        {
            Skip = $"needs ../shared (KVIL_SHARED): {what}";
        }
    }
}

/// <summary>The same for a test with cases.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SharedTheoryAttribute : TheoryAttribute
{
    public SharedTheoryAttribute(string what)
    {
        if (!Shared.Has(what))
        {
            Skip = $"needs ../shared (KVIL_SHARED): {what}";
        }
    }
}
