using System.Security.Cryptography;
using System.Text;

namespace KvIL.Tests.Gpu.Ptx;

/// <summary>Where the committed PTX lies, what it was made from, and the list that tells a stale text without making it again.</summary>
/// <remarks>
/// Uses no ILGPU, so that the other test assembly compiles it too. The list, <c>Gpu/Ptx/manifest.txt</c>, has a line
/// <c>HASH sources</c> and a line <c>HASH FILE</c> for each text; line ends do not count.
/// </remarks>
internal static class PtxManifest
{
    /// <summary>What the kernels, and with them the texts, depend on.</summary>
    private static readonly string[] s_sources =
    [
        "Abstractions/Eviction/HeadShares.cs",
        "Abstractions/Eviction/ProtectedRows.cs",
        "Abstractions/Eviction/ScoreOrder.cs",
        "Gpu/Devices/PtxText.cs",
        "Gpu/Kernels",
    ];

    /// <summary>The repository that this assembly was built in.</summary>
    public static string Root
    {
        get
        {
            DirectoryInfo? folder = new(AppContext.BaseDirectory);
            while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "KvIL.sln"))) folder = folder.Parent;
            return folder?.FullName ?? throw new DirectoryNotFoundException("KvIL.sln was found in no folder above the tests.");
        }
    }

    /// <summary>The folder of the texts.</summary>
    public static string Folder => Path.Combine(Root, "Gpu", "Ptx");

    /// <summary>The list.</summary>
    public static string FilePath => Path.Combine(Folder, "manifest.txt");

    /// <summary>The list as it should be for the sources and texts that are there.</summary>
    public static string Compute()
    {
        var text = new StringBuilder();
        text.Append($"{Hash(Sources())} sources\n");
        foreach (string path in Directory.GetFiles(Folder, "*.ptx").Order(StringComparer.Ordinal))
        {
            text.Append($"{Hash(Read(path))} {Path.GetFileName(path)}\n");
        }

        return text.ToString();
    }

    /// <summary>A file with line feeds, whatever git made of its line ends.</summary>
    public static string Read(string path) => File.ReadAllText(path).ReplaceLineEndings("\n");

    private static string Sources()
    {
        var text = new StringBuilder();
        foreach (string source in s_sources)
        {
            string path = Path.Combine(Root, source);
            IEnumerable<string> files = Directory.Exists(path) ? Directory.GetFiles(path, "*.cs").Order(StringComparer.Ordinal) : [path];
            foreach (string file in files) text.Append(Path.GetFileName(file)).Append('\n').Append(Read(file));
        }

        return text.ToString();
    }

    private static string Hash(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
