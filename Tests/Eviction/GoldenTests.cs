using System.Text.Json;
using System.Text.Json.Nodes;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>KvIL against numbers recorded from the papers' own code.</summary>
public sealed class GoldenTests
{
    private static readonly GoldenSet Set = GoldenSet.Load();

    [Fact]
    public void Every_case_agrees()
    {
        Dictionary<string, int> applied = Run(Set);
        Assert.Equal(GoldenChecks.All.Keys.Order(), applied.Keys.Order()); // every check has a case
    }

    [Fact]
    public void Neither_names_nor_order_matter() => Assert.Equal(Run(Set), Run(Set.Renamed(seed: 11)));

    [Fact]
    public void Pyramid_tables()
    {
        foreach (JsonNode? table in Budgets("integer_tables"))
        {
            int Field(string name) => (int)table![name]!;
            (int layers, int window, int rows) = (Field("num_layers"), Field("window"), Field("base"));
            int n = Field("seq_len") - window;
            int Layer(int l) => LayerBudgets.PyramidCompat(rows, n, Field("beta"), l, layers);
            foreach (string code in (string[])["adakv_adaptive", "adakv_snap", "factory_pyramid"])
            {
                JsonNode recorded = table![code]!;
                if (recorded["error"] is not null)
                {
                    Assert.Throws<ArgumentOutOfRangeException>(() => Layer(0)); // a division by L - 1 = 0 there
                    continue;
                }

                int[] budgets = [.. Enumerable.Range(0, layers).Select(Layer)];
                Assert.Equal(recorded["prefix_budget"].Deserialize<int[]>(), budgets);
                Assert.Equal((int)recorded["sum_prefix_budget"]!, budgets.Sum());
                if (code == "adakv_adaptive") continue; // its lengths are rounded once more

                bool flat = code == "factory_pyramid" && Field("seq_len") < 2 * rows;
                Assert.Equal(
                    recorded["retained_len"].Deserialize<int[]>(),
                    budgets.Select(b => Math.Min((flat ? rows : b) + window, Field("seq_len"))));
            }

            int[] exact = new int[layers];
            LayerBudgets.PyramidExact(rows, n, Field("beta"), exact);
            Assert.Equal(layers * Math.Min(rows, n), exact.Sum());
        }
    }

    [Fact]
    public void Pyramid_tables_of_kvpress()
    {
        foreach (JsonNode? table in Budgets("kvpress_tables"))
        {
            int Field(string name) => (int)table![name]!;
            int layers = Field("num_layers");
            int Layer(int l) => LayerBudgets.PyramidKvPressCompat(
                Field("seq_len"), (double)table!["compression_ratio"]!, Field("window"), Field("beta"), l, layers);
            if (table!["error"] is not null) Assert.Throws<ArgumentOutOfRangeException>(() => Layer(0));
            else Assert.Equal(table["budget_including_window"].Deserialize<int[]>(), Enumerable.Range(0, layers).Select(Layer));
        }
    }

    [Fact]
    public void Keep_counts_of_kvpress()
    {
        foreach (JsonNode? row in Layers()["kvpress_n_kept"]!["rows"]!.AsArray())
        {
            (int length, double ratio, int kept) = ((int)row![0]!, (double)row[1]!, (int)row[2]!);
            Assert.Equal(kept, LayerBudgets.KeepCountCompat(length, ratio));

            // The exact count never loses the row that binary rounding does.
            Ratio removed = Ratio.Parse(((decimal)row[1]!).ToString(System.Globalization.CultureInfo.InvariantCulture));
            Assert.InRange(LayerBudgets.KeepCount(length, removed) - kept, 0, 1);
        }
    }

    private static Dictionary<string, int> Run(GoldenSet set)
    {
        Dictionary<string, int> applied = [];
        foreach (GoldenCase c in set.Cases)
        {
            foreach ((string name, Func<GoldenCase, bool> check) in GoldenChecks.All)
            {
                try
                {
                    if (check(c)) applied[name] = applied.GetValueOrDefault(name) + 1;
                }
                catch (Exception e)
                {
                    Assert.Fail($"{name} of {c}: {e}");
                }
            }
        }

        return applied;
    }

    private static JsonNode Layers() => JsonNode.Parse(File.ReadAllText(Path.Combine(GoldenSet.Folder, "layer_budgets.json")))!;

    private static JsonArray Budgets(string name) => Layers()[name]!.AsArray();
}
