using System.Globalization;
using KvIL.Inference.Evaluation;
using KvIL.Inference.Models;
using KvIL.Sharing;
using KvIL.Tensors;
using Spectre.Console;

namespace KvIL.Cli.Commands;

/// <summary>Sharing, eviction and both at equal bytes: right answers of models that share and of models that do not, at shares of an unshared cache.</summary>
/// <remarks>
/// A model whose stores take the share s of the bytes that its layers would take without sharing keeps the share b/s of the rows where b of the bytes is asked for;
/// b = s is sharing alone. Every column is a split of the same rows: each store alone, in proportion to its readers, or the heads of all stores under one total.
/// </remarks>
internal static class EqualBytes
{
    private static readonly double[] Shares = [1, 0.5, 0.2, 0.1, 0.05];

    /// <summary>Evaluates the models and prints one table.</summary>
    public static int Run(CommandContext context, IReadOnlyList<string> paths, string set, int? limit, int window, Device device, bool json)
    {
        IReadOnlyList<EvaluationItem> items = EvaluationSet.Load(set, limit);
        List<Column> columns = [];
        foreach (string path in paths)
        {
            columns.AddRange(Evaluate(context, path, items, window, device));
        }

        EqualBytesTable table = new(items.Count, Shares, columns);
        if (json)
        {
            Json.Write(context.Terminal, table);
        }
        else
        {
            Write(context.Terminal, table);
        }

        return App.Success;
    }

    private static IEnumerable<Column> Evaluate(CommandContext context, string path, IReadOnlyList<EvaluationItem> items, int window, Device device)
    {
        using LanguageModel model = context.Terminal.Spin($"loading {path}", () => LanguageModel.Open(path, device));
        double stored = StoredShare(model.Model.Transformer);
        (string Name, string Policy)[] policies = [.. Policies(model.Model.Transformer.Map, window)];
        Dictionary<double, string> budgets = Shares.Where(share => share < stored - 1e-9).ToDictionary(share => share, share => Percent(share / stored));
        using Evaluator evaluator = new(model.Model, items, [.. policies.Select(p => p.Policy)], [.. budgets.Values], DType.F32);
        EvaluationReport report = context.Terminal.Track($"evaluating {Path.GetFileName(path)}", progress => evaluator.Run(
            (done, _) => progress((double)done / items.Count), context.Cancelled));
        return [.. policies.Select(p => new Column(
            Path.GetFileName(Path.TrimEndingDirectorySeparator(path)),
            p.Name,
            p.Policy,
            stored,
            [.. Shares.Select(share => share > stored + 1e-9 ? null
                : budgets.TryGetValue(share, out string? budget) ? report.Results.Single(r => r.Policy == p.Policy && r.Budget == budget)
                : report.Results[0])]))];
    }

    // Bytes of the stores over those of a store for every layer.
    private static double StoredShare(Transformer transformer)
    {
        SharingMap map = transformer.Map;
        long Bytes(int layer) => transformer.Config.KvWidthOf(layer);
        return (double)Enumerable.Range(0, map.NumStores).Sum(store => Bytes(map.Owner(store))) / Enumerable.Range(0, map.NumLayers).Sum(Bytes);
    }

    private static IEnumerable<(string Name, string Policy)> Policies(SharingMap map, int window)
    {
        int[] readers = [.. Enumerable.Range(0, map.NumStores).Select(store => map.Readers(store).Length)];
        bool shares = readers.Any(count => count != 1);
        string vote = shares ? ", max" : "";
        yield return ($"ada{vote}", $"ada-snapkv:window={window}");
        if (readers.Distinct().Count() > 1) yield return ("ada, max, readers^1", $"ada-snapkv:window={window},readers=1");
        yield return ($"one total{vote}", $"global-snapkv:window={window},alloc=blend");
        if (shares && map.IsIdempotent) yield return ("one total, owner", $"global-snapkv:window={window},alloc=blend,vote=owner");
    }

    private static void Write(Terminal terminal, EqualBytesTable results)
    {
        Table table = EvalTables.Plain().AddColumns("model", "rows of a store");
        foreach (double share in results.Shares)
        {
            table.AddColumn(new TableColumn(new Text(Percent(share))) { NoWrap = true }.RightAligned());
        }

        foreach (Column column in results.Columns)
        {
            IEnumerable<string> cells = column.Results.Select(r => r is null ? "" : r.Correct.ToString(CultureInfo.InvariantCulture));
            table.AddRow([.. cells.Prepend(column.Name).Prepend(column.Model).Select(text => new Text(text))]);
        }

        terminal.Write(table);
        terminal.WriteLine(
            $"Right answers of {results.Prompts}, at shares of the bytes that the model's layers would take without sharing. "
            + "The largest share in a row is the model with nothing evicted: for a model that shares, sharing alone.");
    }

    private static string Percent(double share) => string.Create(CultureInfo.InvariantCulture, $"{100 * share:0.######}%");

    private sealed record Column(string Model, string Name, string Policy, double StoredShare, IReadOnlyList<EvaluationResult?> Results);

    private sealed record EqualBytesTable(int Prompts, IReadOnlyList<double> Shares, IReadOnlyList<Column> Columns);
}
