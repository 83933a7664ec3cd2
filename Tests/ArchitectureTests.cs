using System.Reflection;
using System.Text.RegularExpressions;
using Xunit;

namespace KvIL.Tests;

/// <summary>The arrows between assemblies, and the sizes of files and methods.</summary>
public sealed class ArchitectureTests
{
    private const int MostLines = 400;
    private const int MostMethodLines = 60;

    // What an assembly may refer to: of ours, and of packages. Everything may refer to the runtime.
    private static readonly Dictionary<string, string[]> Arrows = new()
    {
        ["KvIL.Abstractions"] = [],
        ["KvIL.Reference"] = ["KvIL.Abstractions", "System.Numerics.Tensors"],
        ["KvIL.Gpu"] = ["KvIL.Abstractions", "ILGPU"],
        ["KvIL.Inference"] = ["KvIL.Abstractions"],
        ["KvIL.Conformance"] = ["KvIL.Abstractions"],
        ["KvIL"] = ["KvIL.Abstractions", "KvIL.Reference", "KvIL.Gpu", "KvIL.Inference"],
    };

    // Longer than allowed, each with its reason.
    private static readonly Dictionary<string, string> Exceptions = new()
    {
        ["Reference/Simd/Tile.cs"] = "sixteen accumulators must be locals of one loop to stay in registers",
    };

    private static readonly string[] Projects =
        ["Abstractions", "Reference", "Gpu", "Inference", "KvIL", "Conformance", "Cli", "Tests", "Tests.Gpu", "bench"];

    public static TheoryData<string> Assemblies => [.. Arrows.Keys.Where(name => File.Exists(PathOf(name)))];

    [Theory]
    [MemberData(nameof(Assemblies))]
    public void Assemblies_point_one_way(string name)
    {
        IEnumerable<string> referenced = Assembly.LoadFrom(PathOf(name)).GetReferencedAssemblies().Select(a => a.Name!);
        Assert.Empty(referenced.Where(r => !IsRuntime(r)).Except(Arrows[name]));
    }

    [Fact]
    public void All_but_the_gpu_backend_are_looked_at() => Assert.InRange(Arrows.Keys.Count(name => File.Exists(PathOf(name))), Arrows.Count - 1, Arrows.Count);

    [Fact]
    public void Files_are_short() => Assert.DoesNotContain(Sources(), file => File.ReadLines(file).Count() > MostLines);

    [Fact]
    public void Methods_are_short() => Assert.Empty(
        from file in Sources()
        let name = Path.GetRelativePath(Repo.Root, file).Replace('\\', '/')
        where !Exceptions.ContainsKey(name)
        from line in LongMethods(File.ReadAllLines(file))
        select $"{name}:{line}");

    [Fact]
    public void Exceptions_are_needed() => Assert.All(Exceptions.Keys, name => Assert.Single(LongMethods(File.ReadAllLines(Repo.PathOf(name)))));

    [Fact]
    public void A_long_method_is_seen()
    {
        string[] body = [.. Enumerable.Repeat("        x++;", MostMethodLines)];
        Assert.Equal([2], LongMethods(["class C {", "    public static void F(int x)", "    {", .. body, "    }", "}"]));
        Assert.Empty(LongMethods(["class C {", "    public static void F(int x)", "    {", .. body[3..], "    }", "}"]));
        Assert.Empty(LongMethods(["class C {", "    private static readonly int[] Table =", "    [", .. body, "    ];", "}"]));
    }

    private static string PathOf(string name) => Path.Combine(AppContext.BaseDirectory, name + ".dll");

    private static bool IsRuntime(string name) => name is "mscorlib" or "netstandard"
        || (name.StartsWith("System", StringComparison.Ordinal) && name != "System.Numerics.Tensors");

    private static IEnumerable<string> Sources() => Projects.Select(Repo.PathOf).Where(Directory.Exists)
        .SelectMany(project => Directory.EnumerateFiles(project, "*.cs", SearchOption.AllDirectories))
        .Where(file => !Regex.IsMatch(file, @"[\\/](bin|obj)[\\/]"));

    // A member is what stands in braces of their own lines, four columns in or eight or twelve when nested, signature included.
    private static IEnumerable<int> LongMethods(string[] lines)
    {
        for (int i = 1; i < lines.Length; i++)
        {
            Match brace = Regex.Match(lines[i], @"^( {4}| {8}| {12})\{$");
            if (!brace.Success) continue;
            int first = i - 1;
            while (first > 0 && !Regex.IsMatch(lines[first - 1], @"^\s*$|[;{}\]]\s*$|^\s*(//|#)")) first--;
            string signature = string.Join(' ', lines[first..i]);
            if (Regex.IsMatch(signature, @"\b(class|struct|record|interface|enum|namespace)\s+\w") || signature.Contains(" = ", StringComparison.Ordinal)) continue;
            int end = Array.FindIndex(lines, i, line => line.StartsWith(brace.Groups[1].Value + "}", StringComparison.Ordinal));
            if (end - first + 1 > MostMethodLines) yield return first + 1;
        }
    }
}
