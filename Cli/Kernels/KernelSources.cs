using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace KvIL.Cli.Kernels;

/// <summary>Kernels and argument structs with their comments, read from the kernels' sources: what is told of a kernel is what its author wrote beside it.</summary>
internal sealed partial class KernelSources
{
    private readonly List<SourceKernel> _kernels = [];
    private readonly Dictionary<string, List<KernelArgument>> _structs = new(StringComparer.Ordinal);

    /// <summary>The kernels: types that implement IKernelBody.</summary>
    public IReadOnlyList<SourceKernel> Kernels => _kernels;

    /// <summary>Reads sources.</summary>
    public static KernelSources Parse(IEnumerable<string> sources)
    {
        KernelSources parsed = new();
        foreach (string source in sources)
        {
            parsed.Add(source);
        }

        return parsed;
    }

    /// <summary>The fields of the struct that a kernel takes; where one of them is what another kernel takes, its fields.</summary>
    public IReadOnlyList<KernelArgument> Arguments(SourceKernel kernel) => [.. Fields(kernel.ArgumentType)];

    private IEnumerable<KernelArgument> Fields(string type) => _structs[type].SelectMany(field =>
    {
        string fieldType = field.Type.Split('<')[0];
        return _kernels.Exists(kernel => kernel.ArgumentType == fieldType)
            ? Fields(fieldType).Select(inner => inner with { Name = $"{field.Name}.{inner.Name}" })
            : [field];
    });

    private void Add(string source)
    {
        StringBuilder comment = new();
        List<KernelArgument> fields = []; // of the struct that the line is in
        foreach (string line in source.Split('\n'))
        {
            if (Comment().Match(line) is { Success: true } written)
            {
                comment.Append(written.Groups["text"].Value).Append('\n');
                continue;
            }

            if (Kernel().Match(line) is { Success: true } kernel)
            {
                XElement told = Xml(comment);
                _kernels.Add(new(kernel.Groups["name"].Value, Text(told, "summary"), Text(told, "remarks"), kernel.Groups["args"].Value));
            }

            if (Struct().Match(line) is { Success: true } type)
            {
                fields = _structs[type.Groups["name"].Value] = [];
            }
            else if (Field().Match(line) is { Success: true } field)
            {
                fields.Add(new(field.Groups["name"].Value, field.Groups["type"].Value, Text(Xml(comment), "summary")));
            }

            comment.Clear();
        }
    }

    private static XElement Xml(StringBuilder comment) => XElement.Parse($"<told>{comment}</told>");

    private static string Text(XElement told, string element)
    {
        StringBuilder text = new();
        foreach (XNode node in told.Element(element)?.DescendantNodes() ?? [])
        {
            if (node is XText words)
            {
                text.Append(words.Value);
            }
            else if (node is XElement reference && (reference.Attribute("cref") ?? reference.Attribute("name"))?.Value is string target)
            {
                text.Append(target.Split('{', '(')[0].Split('.')[^1]);
            }
        }

        return Blanks().Replace(text.ToString(), " ").Trim();
    }

    [GeneratedRegex(@"^\s*/// ?(?<text>.*)$")]
    private static partial Regex Comment();

    [GeneratedRegex(@"\bstruct (?<name>\w+)(<[^>]*>)? : IKernelBody<(?<args>\w+)(<[^>]*>)?>")]
    private static partial Regex Kernel();

    [GeneratedRegex(@"^internal (readonly )?struct (?<name>\w+)")]
    private static partial Regex Struct();

    [GeneratedRegex(@"^    public (?<type>[\w<>]+) (?<name>\w+);")]
    private static partial Regex Field();

    [GeneratedRegex(@"\s+")]
    private static partial Regex Blanks();
}

/// <summary>A kernel as its source tells it.</summary>
/// <param name="Name">Name of the type.</param>
/// <param name="Summary">Its summary, as text.</param>
/// <param name="Remarks">Its remarks, as text.</param>
/// <param name="ArgumentType">Name of the struct that it takes.</param>
internal sealed record SourceKernel(string Name, string Summary, string Remarks, string ArgumentType);
