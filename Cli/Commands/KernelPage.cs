using System.Globalization;
using KvIL.Cli.Kernels;
using Spectre.Console;

namespace KvIL.Cli.Commands;

/// <summary>Kernels for people.</summary>
internal static class KernelPage
{
    public static void WriteList(Terminal terminal, IReadOnlyList<GpuKernel> kernels)
    {
        string[] architectures = Architectures(kernels.SelectMany(kernel => kernel.Texts));
        Table table = EvalTables.Plain().AddColumn(new TableColumn("kernel").NoWrap()).AddColumn("computes").AddColumn("element types");
        foreach (string architecture in architectures)
        {
            table.AddColumn(new TableColumn(architecture).RightAligned().NoWrap());
        }

        foreach (GpuKernel kernel in kernels)
        {
            string types = string.Join(", ", kernel.Texts.Where(text => text.Name.Length > kernel.Name.Length).Select(text => text.Name[(kernel.Name.Length + 1)..]));
            IEnumerable<string> registers = architectures.Select(architecture => Number(kernel.Texts.Max(text => text.Registers.GetValueOrDefault(architecture))));
            table.AddRow([.. ((string[])[kernel.Name, kernel.Summary, types, .. registers]).Select(cell => new Text(cell))]);
        }

        terminal.Write(table);
        terminal.WriteLine($"{kernels.Count} kernels, {kernels.Sum(kernel => kernel.Texts.Count)} texts. {string.Join(" and ", architectures)}: the most registers of a thread.");
    }

    /// <summary>One kernel; with its PTX, everything else stands in comments, so that an assembler takes the output.</summary>
    public static void Write(Terminal terminal, GpuKernel kernel, string? ptx)
    {
        if (ptx is null)
        {
            foreach (string line in Describe(kernel))
            {
                terminal.WriteLine(line);
            }

            return;
        }

        foreach (string line in Describe(kernel))
        {
            terminal.Out.Write($"// {line}".TrimEnd() + "\n");
        }

        terminal.Out.Write(ptx);
    }

    private static IEnumerable<string> Describe(GpuKernel kernel)
    {
        yield return $"{kernel.Name}: {kernel.Summary}";
        yield return kernel.Ownership;
        yield return "";
        yield return "arguments";
        int width = kernel.Arguments.Max(argument => argument.Name.Length);
        int typeWidth = kernel.Arguments.Max(argument => argument.Type.Length);
        foreach (KernelArgument argument in kernel.Arguments)
        {
            yield return $"  {argument.Name.PadRight(width)}  {argument.Type.PadRight(typeWidth)}  {argument.Summary}".TrimEnd();
        }

        yield return "";
        yield return "registers of a thread";
        foreach (KernelText text in kernel.Texts)
        {
            yield return $"  {text.Name}: {string.Join(", ", text.Registers.Select(pair => $"{Number(pair.Value)} on {pair.Key}"))}";
        }
    }

    private static string[] Architectures(IEnumerable<KernelText> texts) =>
        [.. texts.SelectMany(text => text.Registers.Keys).Distinct().Order(StringComparer.Ordinal)];

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
