using System.Globalization;
using Spectre.Console;

namespace KvIL.Cli.Commands;

/// <summary>An inspection for people.</summary>
internal static class InspectionText
{
    public static void Write(Terminal terminal, Inspection i)
    {
        Grid grid = new Grid().AddColumn(new GridColumn().NoWrap().PadRight(2)).AddColumn();
        void Row(string name, string value) => grid.AddRow(new Text(name), new Text(Terminal.Visible(value)));

        Row("model", $"{i.Path}: {i.Architecture}, {N(i.Parameters)} parameters");
        Row("format", i.Format);
        Row("shape", $"{i.Layers} layers, hidden {N(i.HiddenSize)}, MLP {N(i.IntermediateSize)}, {i.QueryHeads} query and {i.KvHeads} KV heads of {i.HeadDim}");
        IGrouping<(int KvHeads, int HeadDim), StoreInfo>[] shapes = [.. i.Sharing.Stores.GroupBy(store => (store.KvHeads, store.HeadDim))];
        if (shapes.Length > 1)
        {
            Row("KV heads", string.Join("; ", shapes.Select(shape => $"{shape.Key.KvHeads} of {shape.Key.HeadDim} in the stores of layers {string.Join(", ", shape.Select(store => store.Owner))}")));
        }

        Row("embeddings", $"{N(i.VocabSize)} tokens, {(i.TiedEmbeddings ? "tied to the output" : "output of its own")}");
        Row("context", $"{N(i.Context)} positions, RoPE base {N(i.RopeTheta)}, RMSNorm eps {i.RmsNormEps.ToString("G7", CultureInfo.InvariantCulture).ToLowerInvariant()}");
        if (i.Windows.Any(window => window is not null))
        {
            Row("windows", string.Join(", ", i.Windows.OfType<int>().GroupBy(window => window)
                .Select(group => $"{N(group.Key)} tokens in {group.Count()} of {i.Layers} layers")));
        }

        Row("tokenizer", i.Tokenizer is { } tokenizer
            ? $"{tokenizer.Kind}, {N(tokenizer.Size)} tokens, start {tokenizer.Bos?.ToString(CultureInfo.InvariantCulture) ?? "none"}"
                + (tokenizer.AddsBos ? " (put in front of a prompt)" : "")
            : "none");
        Row("chat template", i.ChatTemplate is { } template ? $"{N(template.Length)} characters: {template.FirstLine}" : "none");
        Row("end tokens", i.Eos.Count == 0 ? "none" : string.Join(", ", i.Eos));
        terminal.Write(grid);

        terminal.WriteLine();
        terminal.Write(InspectionLists.Types(i));
        terminal.WriteLine();
        terminal.Write(Bytes(i));
        terminal.WriteLine(i.Kv.Formula);
        terminal.WriteLine();
        if (i.Sharing.Layers.All(layer => layer.Kind == "own"))
        {
            terminal.WriteLine($"each layer reads its own store: layer l reads store l, l = 0 to {i.Layers - 1}");
        }
        else
        {
            SharingPicture.Write(terminal, i.Sharing, i.Kv.BytesPerToken);
        }

        InspectionLists.Write(terminal, i);
    }

    private static Table Bytes(Inspection i)
    {
        Table table = EvalTables.Plain().AddColumn("KV cache");
        foreach (string type in (ReadOnlySpan<string>)["F16", "F32"])
        {
            table.AddColumn(new TableColumn(type).RightAligned());
        }

        void Row(string name, TypedBytes bytes, Func<long, string> show) =>
            table.AddRow(new Text(name), new Text(show(bytes.F16)), new Text(show(bytes.F32)));

        Row("a row: one token, one KV head", i.Kv.RowBytes, bytes => $"{N(bytes)} B");
        Row("a token, one layer's store", i.Kv.BytesPerTokenAndStore, bytes => $"{N(bytes)} B");
        Row($"a token, all {i.Stores.Distinct().Count()} stores", i.Kv.BytesPerToken, bytes => $"{N(bytes)} B");
        Row("a full context", i.Kv.BytesOfContext, ByteSize.Show);
        return table;
    }

    private static string N(double value) => value.ToString("#,0.####", CultureInfo.InvariantCulture);
}
