using System.Globalization;
using Spectre.Console;

namespace KvIL.Cli.Commands;

/// <summary>The lists of an inspection: types of tensors, tensors, metadata.</summary>
internal static class InspectionLists
{
    /// <summary>How many tensors and bytes each stored type has.</summary>
    public static Table Types(Inspection inspection)
    {
        Table table = EvalTables.Plain().AddColumn("tensors");
        table.AddColumn(new TableColumn("number").RightAligned()).AddColumn(new TableColumn("bytes").RightAligned());
        foreach (TensorTypeInfo type in inspection.Tensors)
        {
            table.AddRow(new Text(Terminal.Visible(type.Type)), new Text(N(type.Count)), new Text(ByteSize.Show(type.Bytes)));
        }

        return table;
    }

    /// <summary>The lists that were asked for, a line an entry: they are read by other programs too.</summary>
    public static void Write(Terminal terminal, Inspection inspection)
    {
        if (inspection.TensorList is { } tensors)
        {
            terminal.WriteLine();
            int width = tensors.Max(tensor => tensor.Name.Length);
            foreach (TensorInfo tensor in tensors)
            {
                string shape = $"[{string.Join(", ", tensor.Shape)}]";
                terminal.WriteLine(Terminal.Visible($"{tensor.Name.PadRight(width)}  {tensor.Type,-6} {shape,-16} {N(tensor.Bytes)} B at {tensor.Offset}"));
            }
        }

        if (inspection.Metadata is { } metadata)
        {
            terminal.WriteLine();
            foreach (MetadataInfo value in metadata)
            {
                terminal.WriteLine(Terminal.Visible($"{value.Key} ({value.Type}) = {value.Value}"));
            }
        }
    }

    private static string N(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);
}
