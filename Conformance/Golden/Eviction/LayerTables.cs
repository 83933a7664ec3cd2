using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using KvIL.Eviction;

namespace KvIL.Conformance.Golden.Eviction;

/// <summary>The tables of <c>layer_budgets.json</c>: pyramids and kvpress's keep counts. All exact.</summary>
/// <param name="json">The file.</param>
public sealed class LayerTables(JsonObject json)
{
    /// <summary>Name of the group in a report.</summary>
    public const string Group = "layer_budgets";

    private const int MostCount = 1 << 24, MostLayers = 1 << 12;

    private static readonly JsonSerializerOptions Names = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    /// <summary>Runs every table.</summary>
    /// <exception cref="GoldenFormatException">A table lacks a field or has it of another type.</exception>
    public EvictionGoldenGroup Run()
    {
        (int passed, List<string> differences) = (0, []);
        Each<Pyramid>(json["integer_tables"], "integer_tables", CheckPyramid);
        Each<KvPressPyramid>(json["kvpress_tables"], "kvpress_tables", CheckKvPress);
        Each<double[]>((json["kvpress_n_kept"] as JsonObject)?["rows"], "kvpress_n_kept.rows", CheckKeepCount);
        return new(Group, passed, differences, []);

        void Each<T>(JsonNode? table, string name, Action<T, string> check)
        {
            T[] rows = table is null ? [] : Read<T[]>(table, name);
            for (int i = 0; i < rows.Length; i++)
            {
                try
                {
                    check(rows[i] ?? throw Fault($"{name}[{i}]"), $"{name}[{i}]");
                    passed++;
                }
                catch (GoldenDifferenceException e)
                {
                    differences.Add(e.Message);
                }
            }
        }
    }

    private static void CheckPyramid(Pyramid t, string name)
    {
        Require(name, t.NumLayers is >= 1 and <= MostLayers && t.Beta >= 1 && t.Base is >= 0 and <= MostCount
            && t.Window >= 0 && t.SeqLen >= t.Window && t.SeqLen <= MostCount);
        int n = t.SeqLen - t.Window;
        foreach ((string code, Schedule? recorded) in
            new[] { ("adakv_adaptive", t.AdakvAdaptive), ("adakv_snap", t.AdakvSnap), ("factory_pyramid", t.FactoryPyramid) })
        {
            if (recorded is null) continue;
            if (t.NumLayers < 2)
            {
                Compare.Holds($"{name}.{code}: one layer divides by zero there", recorded.Error is not null);
                continue;
            }

            Require($"{name}.{code}", recorded.PrefixBudget?.Length == t.NumLayers && recorded.RetainedLen?.Length == t.NumLayers);
            int[] rows = [.. Enumerable.Range(0, t.NumLayers).Select(l => LayerBudgets.PyramidCompat(t.Base, n, t.Beta, l, t.NumLayers))];
            Compare.Equal($"{name}.{code}.prefix_budget", recorded.PrefixBudget!, rows);
            Compare.Equal($"{name}.{code}.sum_prefix_budget", recorded.SumPrefixBudget, rows.Sum(b => (long)b));
            if (code == "adakv_adaptive") continue; // its lengths are rounded once more, by heads
            bool flat = code == "factory_pyramid" && t.SeqLen < 2 * t.Base;
            Compare.Equal(
                $"{name}.{code}.retained_len", recorded.RetainedLen!,
                rows.Select(b => Math.Min((flat ? t.Base : b) + t.Window, t.SeqLen)));
        }

        int[] exact = new int[t.NumLayers];
        LayerBudgets.PyramidExact(t.Base, n, t.Beta, exact);
        Compare.Equal($"{name}: total of the exact pyramid", (long)t.NumLayers * Math.Min(t.Base, n), exact.Sum(b => (long)b));
    }

    private static void CheckKvPress(KvPressPyramid t, string name)
    {
        Require(name, t.NumLayers is >= 1 and <= MostLayers && t.Beta >= 1 && t.Window >= 0 && t.SeqLen is >= 0 and <= MostCount
            && t.CompressionRatio is >= 0 and <= 1);
        if (t.Error is not null)
        {
            Compare.Equal($"{name}: layers where it divides by zero", 1, t.NumLayers);
            return;
        }

        Require(name, t.BudgetIncludingWindow?.Length == t.NumLayers);
        Compare.Equal($"{name}.budget_including_window", t.BudgetIncludingWindow!, Enumerable.Range(0, t.NumLayers).Select(l =>
            LayerBudgets.PyramidKvPressCompat(t.SeqLen, t.CompressionRatio, t.Window, t.Beta, l, t.NumLayers)));
    }

    private static void CheckKeepCount(double[] row, string name)
    {
        Require(name, row is [>= 0 and <= MostCount, >= 0 and <= 1, >= 0 and <= MostCount]);
        int kept = LayerBudgets.KeepCountCompat((int)row[0], row[1]);
        Compare.Equal(name, (int)row[2], kept);

        // The exact count never loses the row that binary rounding does.
        int exact = LayerBudgets.KeepCount((int)row[0], Ratio.Parse(((decimal)row[1]).ToString(System.Globalization.CultureInfo.InvariantCulture)));
        Compare.Holds($"{name}: the exact count is {exact}, the published {kept}", exact - kept is 0 or 1);
    }

    private static T Read<T>(JsonNode node, string name)
    {
        try
        {
            return node.Deserialize<T>(Names) ?? throw Fault(name);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw Fault(name);
        }
    }

    private static void Require(string name, bool condition)
    {
        if (!condition) throw Fault(name);
    }

    private static GoldenFormatException Fault(string name) =>
        new($"layer_budgets.json: {name} lacks a number or has an impossible one; the set is damaged, so copy it again.");

    private sealed record Schedule(int[]? PrefixBudget, int[]? RetainedLen, long SumPrefixBudget, [property: JsonPropertyName("error")] JsonElement? Error);

    private sealed record Pyramid(
        int NumLayers, int Window, int SeqLen, int Beta, int Base, Schedule? AdakvAdaptive, Schedule? AdakvSnap, Schedule? FactoryPyramid);

    private sealed record KvPressPyramid(
        int NumLayers, int Window, int Beta, int SeqLen, double CompressionRatio, int[]? BudgetIncludingWindow, JsonElement? Error);
}
