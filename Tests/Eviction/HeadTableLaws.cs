using FsCheck;
using FsCheck.Fluent;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Inference.Files;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>Fixed weights of heads: exact totals, the definition's rows, the text, and tables that are none.</summary>
public sealed class HeadTableLaws
{
    private delegate int[][] Splitter(long[][] weights, int candidates, int average);

    // Whole weights, which are taken as they are.
    private static readonly Arbitrary<(long[][] Weights, int Candidates, int Average)> Cases = Arb.From(
        from layers in Gen.Choose(1, 5)
        from heads in Gen.Choose(1, 4)
        from weights in Gen.Elements(0L, 1, 1, 2, 3, 7, 64).ArrayOf(heads).ArrayOf(layers)
        from candidates in Gen.Choose(0, 40)
        from average in Gen.Choose(0, candidates)
        select ((long[][])[[.. weights[0].Skip(1).Prepend(64)], .. weights[1..]], candidates, average));

    [Fact]
    public void Totals_are_exact_and_no_head_has_more_than_its_rows() => Law.ForAll(Cases, c => MeetsTotals(c, Split));

    [Fact]
    public void Heads_get_what_the_definition_says() => Law.ForAll(Cases, c => Agrees(c, Split), 400);

    [Fact]
    public void Mutant_a_table_read_by_heads_first() => Law.Catches(Cases, c => Agrees(c, (weights, candidates, average) =>
    {
        long[] turned = [.. Enumerable.Range(0, weights[0].Length).SelectMany(h => weights.Select(layer => layer[h]))];
        return Split([.. turned.Chunk(weights[0].Length)], candidates, average);
    }));

    [Fact]
    public void Mutant_layers_that_share_alike() => Law.Catches(Cases, c => Agrees(c, (weights, candidates, average) =>
        [.. weights.Select(layer => FixedShares.Split(layer, [.. layer.Select(_ => candidates)], (long)average * layer.Length))]));

    [Fact]
    public void Mutant_layers_that_cap_nothing() => Law.Catches(Cases, c => MeetsTotals(c, (weights, candidates, average) =>
    {
        long sum = weights.Sum(layer => layer.Sum());
        return [.. weights.Select(layer => layer.Select(w => (int)(w * average * weights.Length * layer.Length / sum)).ToArray())];
    }));

    [Fact]
    public void Quotas_are_the_budgets_before_rounding() => Law.ForAll(Cases, c =>
    {
        HeadTable table = Table(c.Weights);
        int[] rows = new int[table.Layers];
        table.SplitOverLayers(c.Candidates, c.Average, rows);
        Ratio[] layers = table.LayerQuotas(c.Candidates, c.Average);
        int[] lengths = [.. Enumerable.Repeat(c.Candidates + 3, table.Heads)];
        for (int layer = 0; layer < rows.Length; layer++)
        {
            Assert.True(layers[layer].Floor(1) <= rows[layer] && rows[layer] <= layers[layer].Floor(1) + 1);
            long total = (rows[layer] + 3L) * table.Heads;
            Ratio[] quotas = table.Quotas(layer, lengths, 3, total);
            Assert.All(table.Split(layer, lengths, 3, total).Zip(quotas), pair =>
                Assert.True(pair.Second.Floor(1) <= pair.First && pair.First <= pair.Second.Floor(1) + 1));
            Assert.Equal(total, quotas.Sum(q => (double)q.Numerator / q.Denominator), 1e-6);
        }
    });

    [Fact]
    public void Equal_weights_are_the_uniform_budget()
    {
        EvictionPolicy table = EvictionPolicy.Parse("snapkv:window=4,budget=10,heads=2:2/2:2/2:2");
        Assert.Equal([10, 10, 10], StoreRows.Of(table, 50, 3));
        Assert.Equal([10, 10], table.Table!.Split(0, [50, 50], 4, 20));
    }

    [Fact]
    public void A_table_moves_rows_between_layers()
    {
        EvictionPolicy table = EvictionPolicy.Parse("snapkv:window=4,budget=10,heads=3:1/2:2/0:0");
        Assert.Equal([13, 13, 4], StoreRows.Of(table, 50, 3));
        Assert.Equal([18, 8], table.Table!.Split(0, [50, 50], 4, 26));
        Assert.Equal(new Ratio(13, 1), AllocationQuotas.OfStores(table, 50, 3)[0]);
    }

    [Fact]
    public void A_policy_prints_the_table_that_it_reads() => Law.ForAll(Cases, c =>
    {
        HeadTable table = HeadTable.Of([.. c.Weights.Select(layer => layer.Select(w => w / 3.0).ToArray())]);
        EvictionPolicy policy = EvictionPolicy.Parse($"expected:budget=20%,heads={table}");
        Assert.Equal((table, policy), (policy.Table, EvictionPolicy.Parse(policy.ToString())));
        Assert.Equal(policy.GetHashCode(), EvictionPolicy.Parse(policy.ToString()).GetHashCode());
        Assert.NotEqual(policy, EvictionPolicy.Parse($"expected:budget=20%,heads={table}:1".Replace("/", ":1/", StringComparison.Ordinal)));
    });

    [Theory]
    [InlineData("snapkv:heads=", "''")]
    [InlineData("snapkv:heads=1:x", "'x'")]
    [InlineData("snapkv:heads=1:NaN", "NaN")]
    [InlineData("snapkv:heads=1:1e999", "layer 0, head 1")]
    [InlineData("snapkv:heads=1:-1", "layer 0, head 1")]
    [InlineData("snapkv:heads=1:2/3", "layer 1 has 1")]
    [InlineData("snapkv:heads=0:0/0:0", "above 0")]
    [InlineData("snapkv:heads=@table.json", "'@table.json'")]
    [InlineData("snapkv:heads=1:2,positions=consecutive", "equal length")]
    [InlineData("snapkv:heads=1:2,readers=1", "leave one of them out")]
    [InlineData("ada-snapkv:heads=1:2", "snapkv has it")]
    [InlineData("global-knorm:heads=1:2", "knorm has it")]
    [InlineData("sliding:heads=1:2", "has it")]
    public void What_is_no_table_is_refused(string text, string says)
    {
        PolicyFormatException refusal = Assert.Throws<PolicyFormatException>(() => EvictionPolicy.Parse(text));
        Assert.Contains(says, refusal.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', refusal.Message);
    }

    [Fact]
    public void A_table_of_a_hostile_size_is_refused_at_once()
    {
        string text = string.Concat(Enumerable.Repeat("1:", 3_000_000)) + "1";
        long before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Throws<PolicyFormatException>(() => HeadTable.Parse(text));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
    }

    [Theory]
    [InlineData("[[3, 1], [0.5, 2e-3]]", null)]
    [InlineData("[[3, 1], [0.5]]", "layer 1 has 1")]
    [InlineData("[[3, -1]]", "from 0 to")]
    [InlineData("[[3, NaN]]", "not JSON")]
    [InlineData("[[3, null]]", "from 0 to")]
    [InlineData("[3, 1]", "an array")]
    [InlineData("{}", "an array")]
    [InlineData("[]", "0 layers")]
    [InlineData("[[]]", "0 heads")]
    [InlineData("[[0]]", "above 0")]
    public void A_table_from_a_file(string json, string? says)
    {
        using TemporaryDirectory directory = new();
        string path = directory.PathOf("table.json");
        File.WriteAllText(path, json);
        if (says is null)
        {
            Assert.Equal("3:1/0.5:0.002", HeadTableFile.Read(path).ToString());
            return;
        }

        ModelFileException refusal = Assert.Throws<ModelFileException>(() => HeadTableFile.Read(path));
        Assert.Contains(says, refusal.Message, StringComparison.Ordinal);
        Assert.StartsWith(path, refusal.Message, StringComparison.Ordinal);
    }

    private static HeadTable Table(long[][] weights) => HeadTable.Of([.. weights.Select(layer => layer.Select(w => (double)w).ToArray())]);

    private static int[][] Split(long[][] weights, int candidates, int average)
    {
        HeadTable table = Table(weights);
        int[] rows = new int[table.Layers], lengths = [.. Enumerable.Repeat(candidates, table.Heads)];
        table.SplitOverLayers(candidates, average, rows);
        return [.. rows.Select((r, layer) => table.Split(layer, lengths, 0, (long)r * table.Heads))];
    }

    private static void MeetsTotals((long[][] Weights, int Candidates, int Average) c, Splitter split)
    {
        int[][] budgets = split(c.Weights, c.Candidates, c.Average);
        Assert.Equal((long)c.Average * budgets.Length * budgets[0].Length, budgets.Sum(layer => layer.Sum(b => (long)b)));
        Assert.All(budgets.SelectMany(b => b), b => Assert.InRange(b, 0, c.Candidates));
    }

    private static void Agrees((long[][] Weights, int Candidates, int Average) c, Splitter split) =>
        Assert.Equal(FixedShares.OfHeads(c.Weights, c.Candidates, c.Average), split(c.Weights, c.Candidates, c.Average));
}
