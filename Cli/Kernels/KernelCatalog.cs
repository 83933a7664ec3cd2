using System.Globalization;
using System.Reflection;

namespace KvIL.Cli.Kernels;

/// <summary>The kernels as they are committed: sources, PTX and registers are in this assembly, so that a build without ILGPU has them too.</summary>
internal static class KernelCatalog
{
    private const string Sources = "kernels/";
    private const string Texts = "ptx/";
    private const string Suffix = ".ptx";

    private static readonly Assembly s_assembly = typeof(KernelCatalog).Assembly;

    /// <summary>Every kernel, by name.</summary>
    public static IReadOnlyList<GpuKernel> Load()
    {
        ILookup<string, KernelText> texts = RegistersByText()
            .Select(pair => new KernelText(pair.Key, pair.Value))
            .ToLookup(text => text.Name.Split('_')[0]);
        KernelSources sources = KernelSources.Parse(Resources(Sources).Select(Read));
        return
        [
            .. sources.Kernels.OrderBy(kernel => kernel.Name, StringComparer.Ordinal).Select(kernel =>
                new GpuKernel(kernel.Name, kernel.Summary, kernel.Remarks, sources.Arguments(kernel), [.. texts[kernel.Name]])),
        ];
    }

    /// <summary>The PTX of a text.</summary>
    public static string Ptx(KernelText text) => Read($"{Texts}{text.Name}{Suffix}");

    // A line of the table: registers, bytes of stack and spills, architecture, file.
    private static SortedDictionary<string, SortedDictionary<string, int>> RegistersByText()
    {
        SortedDictionary<string, SortedDictionary<string, int>> all = new(StringComparer.Ordinal);
        foreach (string resource in Resources(Texts).Where(name => name.EndsWith(Suffix, StringComparison.Ordinal)))
        {
            all.Add(resource[Texts.Length..^Suffix.Length], new(StringComparer.Ordinal));
        }

        foreach (string line in Read($"{Texts}registers.txt").Split('\n').Skip(1))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [string registers, _, string architecture, string file]
                && all.TryGetValue(file[..^Suffix.Length], out SortedDictionary<string, int>? ofText))
            {
                ofText.Add(architecture, int.Parse(registers, CultureInfo.InvariantCulture));
            }
        }

        return all;
    }

    private static IEnumerable<string> Resources(string folder) =>
        s_assembly.GetManifestResourceNames().Where(name => name.StartsWith(folder, StringComparison.Ordinal)).Order(StringComparer.Ordinal);

    private static string Read(string resource)
    {
        using StreamReader reader = new(s_assembly.GetManifestResourceStream(resource)!);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
