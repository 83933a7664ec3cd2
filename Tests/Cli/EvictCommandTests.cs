using System.Text.Json;
using KvIL.Backends;
using KvIL.Cli;
using KvIL.Cli.Commands;
using KvIL.Cli.Golden;
using KvIL.Cli.Measurement;
using KvIL.Conformance.Golden.Eviction;
using KvIL.Eviction;
using KvIL.Ops;
using KvIL.Reference;
using KvIL.Tests.Engines;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary><c>kvil evict</c>: figures of the paper and of its authors' code, from files, and what is refused.</summary>
public sealed class EvictCommandTests : IDisposable
{
    private const string Golden = "golden/eviction";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    // Figure 1 of Ada-KV: B = 6 over three heads of six rows.
    [Theory]
    [InlineData("ada-snapkv:alloc=pure", "4,1,1", "4,1,1", "0,2,4,5|0|0")]
    [InlineData("ada-snapkv:floor=0.2", "3.6,1.2,1.2", "4,1,1", "0,2,4,5|0|0")]
    [InlineData("ada-snapkv:floor=0.5", "3,1.5,1.5", "3,2,1", "0,4,5|0,2|0")]
    [InlineData("ada-snapkv:alloc=floor,floor=0.5", "4,1,1", "4,1,1", "0,2,4,5|0|0")]
    [InlineData("ada-snapkv:alloc=floor,floor=1", "2,2,2", "2,2,2", "0,4|0,2|0,5")]
    [InlineData("snapkv", "2,2,2", "2,2,2", "0,4|0,2|0,5")]
    public void Figure_1_of_the_paper(string policy, string quotas, string budgets, string rows)
    {
        JsonElement result = Result("evict", Figure1(), "--evict", policy, "--budget", "2", "--json");
        Assert.Equal(quotas, Join(result, head => head.GetProperty("quota").GetString()));
        Assert.Equal(budgets, Join(result, head => head.GetProperty("budget").ToString()));
        Assert.Equal(rows, string.Join('|', Heads(result).Select(head => string.Join(',', head.GetProperty("rows").EnumerateArray()))));
        Assert.Equal(6, result.GetProperty("budget").GetProperty("total").GetInt32());
        Assert.Equal(JsonValueKind.Null, result.GetProperty("query").ValueKind);
    }

    [Fact]
    public void The_text_has_budgets_before_and_after_rounding_and_the_rows()
    {
        string text = Tool.Output("evict", Figure1(), "--evict", "ada-snapkv", "--budget", "2");
        Assert.Matches(@"(?m)^ +0 +3\.6 +4 +4 +2 +0, 2, 4-5\r?$", text);
        Assert.Contains("2 = 2 rows a head, 6 of 18; 0 of each head", text, StringComparison.Ordinal);
        Assert.Contains("no loss", text, StringComparison.Ordinal);
    }

    // Cases in which the published rounding loses no row, so that it and KvIL's agree.
    [Theory]
    [InlineData("public-adakv-001", "ada-snapkv:window=8,kernel=1,floor=0.2", 28)]
    [InlineData("public-alloc-022", "ada-snapkv:window=1,kernel=1,alloc=pure", 11)]
    [InlineData("public-alloc-023", "ada-snapkv:window=1,kernel=1,alloc=pure", 11)]
    [InlineData("public-alloc-024", "ada-snapkv:window=1,kernel=1,alloc=pure", 11)]
    [InlineData("public-alloc-025", "ada-snapkv:window=1,kernel=1,alloc=pure", 11)]
    public void A_recorded_case_comes_out_as_recorded(string id, string policy, int rows)
    {
        string folder = Repo.PathOf(Golden);
        GoldenCase c = EvictionGoldenFolder.Open(folder).Cases.Single(c => c.Id == id);
        string input = c.Field<Dictionary<string, string>>("inputs")["k"].Split('.')[0];
        string budget = rows.ToString(System.Globalization.CultureInfo.InvariantCulture);
        JsonElement result = Result("evict", Path.Combine(folder, "inputs.safetensors"), "--input", input, "--evict", policy, "--budget", budget, "--json");

        int[][] kept = c.Expected<int[][]>("kept");
        Assert.Equal(c.Expected<int[]>("budgets"), Heads(result).Select(head => head.GetProperty("budget").GetInt32()));
        Assert.Equal(kept, Heads(result).Select(head => head.GetProperty("rows").EnumerateArray().Select(row => row.GetInt32()).ToArray()));
        Assert.Equal("qd", result.GetProperty("query").GetString());
        SameLoss(c, "definition_loss", result.GetProperty("allocation"));
        if (c.HasField("definition_loss_uniform")) SameLoss(c, "definition_loss_uniform", result.GetProperty("uniform"));
    }

    // kvpress keeps max(1, int(share · n)) of a chunk, which here sum to the budget; it has no loss of these.
    [Theory]
    [InlineData("public-kvpress-028", "keydiff:blocks=16", 40)]
    [InlineData("public-kvpress-029", "knorm:pieces=16", 28)]
    public void Scores_in_parts_come_out_as_recorded(string id, string policy, int rows)
    {
        string folder = Repo.PathOf(Golden);
        GoldenCase c = EvictionGoldenFolder.Open(folder).Cases.Single(c => c.Id == id);
        string input = c.Field<Dictionary<string, string>>("inputs")["k"].Split('.')[0];
        JsonElement result = Result("evict", Path.Combine(folder, "inputs.safetensors"), "--input", input, "--evict", policy, "--budget", $"{rows}", "--json");
        Assert.Equal(c.Expected<int[][]>("kept"), Heads(result).Select(head => head.GetProperty("rows").EnumerateArray().Select(row => row.GetInt32()).ToArray()));
    }

    [Fact]
    public void A_table_of_heads_divides_the_rows_of_a_file()
    {
        string file = Path.Combine(Repo.PathOf(Golden), "inputs.safetensors"), table = _directory.PathOf("table.json");
        File.WriteAllText(table, "[[3, 1, 1, 1], [1, 1, 1, 1]]");
        string[] args = ["evict", file, "--input", "in00", "--evict", $"snapkv:window=8,kernel=1,heads=@{table}", "--budget", "28", "--json"];
        JsonElement result = Result([.. args, "--layer", "0", "--layers", "2"]);
        // 160 rows by 3 : 1 : ... of 10, at most 56 a head: 48, 16, 16, 16 and 16 four times.
        Assert.Equal("48,16,16,16", Join(result, head => head.GetProperty("quota").GetString()));
        Assert.Equal("56,24,24,24", Join(result, head => head.GetProperty("kept").ToString()));
        Assert.Equal("table", result.GetProperty("allocation").GetProperty("rule").GetString());
        Tool.Refuses(App.Usage, "--layer N", args);
        Tool.Refuses(App.Usage, "2 layers", [.. args, "--layer", "0", "--layers", "3"]);
        Tool.Refuses(App.Failure, "no such file", [.. args[..5], "snapkv:heads=@/none.json"]);
    }

    [Theory]
    [InlineData("F16")]
    [InlineData("BF16")]
    [InlineData("F64")]
    public void The_element_type_does_not_matter_where_it_holds_the_numbers(string type)
    {
        string[] args = ["--evict", "ada-snapkv:window=8", "--budget", "40%", "--json"];
        string[] text = [.. new[] { "F32", type }.Select(t => Tool.Output(["evict", _directory.Write("x", LayerFileBytes.Layer(type: t).ToArray()), .. args]))];
        Assert.Equal(text[0], text[1]);
        Assert.Equal("last", JsonDocument.Parse(text[0]).RootElement.GetProperty("query").GetString());
    }

    [Theory]
    [InlineData("sliding:sinks=2")]
    [InlineData("snapkv:window=8,sinks=3")]
    [InlineData("ada-snapkv:window=8,order=pool-group,pool=avg,alloc=floor")]
    [InlineData("ada-pyramid:window=8,beta=3")]
    [InlineData("ada-snapkv:window=8,weights=head,mass=kept")]
    [InlineData("ada-snapkv:window=8,alloc=mask")]
    [InlineData("criticalkv:window=8")]
    [InlineData("chunkkv:window=8,chunk=4")]
    [InlineData("h2o:window=8")]
    [InlineData("ada-tova")]
    [InlineData("knorm")]
    [InlineData("lagkv:lag=7,sinks=2")]
    [InlineData("finch:window=4")]
    [InlineData("ada-curdkv")]
    [InlineData("random:seed=4")]
    [InlineData("expected")]
    [InlineData("leverage")]
    public void Every_policy_meets_its_budget_exactly_and_the_chain_holds(string policy)
    {
        JsonElement result = Result("evict", Write(LayerFileBytes.Layer()), "--evict", policy, "--budget", "15", "--layer", "1", "--layers", "3", "--rope-theta", "10000", "--json");
        Assert.Equal(30, Heads(result).Sum(head => head.GetProperty("kept").GetInt32())); // the middle layer of a pyramid has the mean
        Assert.All(Heads(result), head => Assert.Equal(head.GetProperty("kept").GetInt32(), head.GetProperty("rows").GetArrayLength()));
        Assert.True(result.GetProperty("ok").GetBoolean());
        Assert.True(result.GetProperty("allocation").GetProperty("cost").GetProperty("chain_holds").GetBoolean());
    }

    [Fact]
    public void Scores_that_are_no_numbers_are_ordered_counted_and_reported()
    {
        string file = Write(new LayerFileBytes().Add(
            "scores", "F32", [2, 4], double.NaN, 1, double.PositiveInfinity, double.NegativeInfinity, 0.5, double.NaN, 2, double.PositiveInfinity));
        JsonElement result = Result("evict", file, "--evict", "ada-snapkv:alloc=pure", "--budget", "2", "--json");
        JsonElement scores = result.GetProperty("scores");
        Assert.Equal([2, 2, 1], ((string[])["nan", "positive_infinite", "negative_infinite"]).Select(name => scores.GetProperty(name).GetInt32()));
        Assert.Equal("1,2|2,3", string.Join('|', Heads(result).Select(head => string.Join(',', head.GetProperty("rows").EnumerateArray()))));
        Assert.Contains("2 are NaN, which rank as minus infinity, 2 plus", Tool.Output("evict", file, "--evict", "snapkv", "--budget", "2"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_without_values_has_rows_and_no_loss()
    {
        LayerFileBytes bytes = new LayerFileBytes().Add("q", "F32", [1, 9, 2], LayerFileBytes.Numbers(1, 18)).Add("k", "F32", [1, 9, 2], LayerFileBytes.Numbers(2, 18));
        Assert.Contains("The loss needs v, wo and a query", Tool.Output("evict", Write(bytes), "--evict", "snapkv:window=2", "--budget", "5"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_budget_of_everything_costs_nothing()
    {
        JsonElement cost = Result("evict", Write(LayerFileBytes.Layer()), "--evict", "ada-snapkv:window=8", "--budget", "100%", "--json")
            .GetProperty("allocation").GetProperty("cost");
        Assert.Equal([0, 0], ((string[])["l", "epsilon"]).Select(name => cost.GetProperty(name).GetDouble()));
    }

    [Fact]
    public void Rows_that_the_scores_do_not_decide_are_found()
    {
        LayerInput input = LayerFile.Read(Write(LayerFileBytes.Layer()), null);
        EvictionPolicy policy = EvictionPolicy.Parse("ada-snapkv:window=8,budget=15");
        using TamperedBackend backend = new(new ReferenceBackend(1))
        {
            After = (queue, bindings) =>
            {
                IBuffer rows = bindings.Buffers[bindings.Plan.Ops.OfType<SelectRowsOp>().Single().Y.Id]!;
                TamperedBackend.Edit<int>(queue, rows, 30, values => values[0] ^= 1);
            },
        };
        Assert.False(EvictCommand.Run(backend, policy, "x", input, new(0, 1, null)).Ok);
        using ReferenceBackend sound = new(1);
        Assert.True(EvictCommand.Run(sound, policy, "x", input, new(0, 1, null)).Ok);
    }

    [Theory]
    [InlineData("window of 40 rows that snapkv keeps leaves none of the 40 tokens", "snapkv:window=40")]
    [InlineData("window of 41 rows", "ada-snapkv:window=41")]
    [InlineData("8 of 40 rows a head, below the 12 that ada-snapkv always keeps .window 9, sinks 3.", "ada-snapkv:window=9,sinks=3")]
    [InlineData("below the 10 that sliding always keeps", "sliding:sinks=10")]
    [InlineData("expected looks before RoPE, of which the file says nothing", "expected")]
    public void A_policy_that_does_not_fit_the_prompt_is_refused(string pattern, string policy) =>
        Tool.Refuses(App.Failure, pattern, "evict", Write(LayerFileBytes.Layer()), "--evict", policy, "--budget", "20%");

    [Theory]
    [InlineData("layer a budget of its own", "--evict", "pyramidkv:window=8")]
    [InlineData("layer a budget of its own", "--evict", "ada-pyramid:window=8", "--layer", "1")]
    [InlineData("--layer 4 is none of the 4 layers", "--evict", "pyramidkv:window=8", "--layer", "4", "--layers", "4")]
    [InlineData("--layers to be a whole number from 1 to 65536", "--evict", "pyramidkv", "--layer", "1", "--layers", "9999999")]
    [InlineData("divides rows by what all layers score", "--evict", "global-snapkv:window=8", "--layer", "1", "--layers", "4")]
    [InlineData("--rope-theta must be above 0", "--evict", "expected", "--rope-theta", "0")]
    [InlineData("full keeps everything; name one that evicts", "--evict", "full")]
    [InlineData("Unknown policy 'nosuch'", "--evict", "nosuch")]
    [InlineData("--evict")]
    public void A_command_line_that_does_not_say_enough_is_refused(string pattern, params string[] args) =>
        Tool.Refuses(App.Usage, pattern, ["evict", Write(LayerFileBytes.Layer()), .. args]);

    [Fact]
    public void Tensors_that_do_not_fit_are_refused()
    {
        double[] n = LayerFileBytes.Numbers(1, 48);
        static LayerFileBytes File() => new();
        Refuses("no tensor is called k or scores", File().Add("x", "F32", [2], 1, 2));
        Refuses("has no q, but snapkv scores by 1 queries; give q.", File().Add("k", "F32", [1, 2, 2], n[..4]), "snapkv:window=1,budget=2");
        Refuses("scores has shape .0, 4., and so no heads", File().Add("scores", "F32", [0, 4]));
        Refuses("scores has shape .2, 0., and so no n", File().Add("scores", "F32", [2, 0]));
        Refuses("scores has shape .4. where .heads, n. is expected", File().Add("scores", "F32", [4], n[..4]));
        Refuses("k has shape .1, 0, 2., and so no T", File().Add("q", "F32", [1, 0, 2]).Add("k", "F32", [1, 0, 2]));
        Refuses("q has shape .2, 3, 4., but with k of 4 tokens and 3 channels", File().Add("q", "F32", [2, 3, 4], n[..24]).Add("k", "F32", [1, 4, 3], n[..12]));
        Refuses("3 query heads are no multiple of 2 KV heads", File().Add("q", "F32", [3, 4, 2], n[..24]).Add("k", "F32", [2, 4, 2], n[..16]));
        Refuses("has v but no wo", File().Add("q", "F32", [2, 4, 2], n[..16]).Add("k", "F32", [2, 4, 2], n[..16]).Add("v", "F32", [2, 4, 2], n[..16]));
        Refuses("has wo but no v", File().Add("q", "F32", [2, 4, 2], n[..16]).Add("k", "F32", [2, 4, 2], n[..16]).Add("wo", "F32", [2, 4], n[..8]));
        Refuses("v has shape .2, 2, 4. where .2, 4, 2. fits", LayerOf(v: [2, 2, 4], wo: [3, 4]));
        Refuses("wo has shape .4, 3., but h.d is 4; give o_proj.weight", LayerOf(v: [2, 4, 2], wo: [4, 3]));
        Refuses("q has 1 elements that are NaN, infinite or beyond float32, the first at index 5", Broken(double.NaN, "F32"));
        Refuses("beyond float32, the first at index 5", Broken(1e39, "F64"));
        Refuses("has elements of type I32; convert it to F32, F16, BF16, F64", File().Add("scores", "I32", [1, 2], 1, 2));
        Refuses("reads no scores; name one that does", File().Add("scores", "F32", [1, 2], 1, 2), "sliding");
        Refuses("criticalkv scores by what rows add to the output; give q, k, v and wo", File().Add("scores", "F32", [1, 2], 1, 2), "criticalkv");
        Refuses("curdkv scores by what rows add to the output; give v and wo", File().Add("k", "F32", [1, 8, 2], n[..16]), "curdkv:sinks=0,budget=4");
        Refuses("below the 9 sinks", File().Add("scores", "F32", [1, 12], n[..12]), "snapkv:sinks=9,budget=2");
        Refuses("has the query qd alone, but snapkv scores by 2 queries", File().Add("qd", "F32", [1, 2], n[..2]).Add("k", "F32", [1, 4, 2], n[..8]), "snapkv:window=2,budget=3");

        LayerFileBytes LayerOf(int[] v, int[] wo) => File().Add("q", "F32", [2, 4, 2], n[..16]).Add("k", "F32", [2, 4, 2], n[..16])
            .Add("v", "F32", v, n[..16]).Add("wo", "F32", wo, n[..12]);

        LayerFileBytes Broken(double value, string type) => File().Add("q", type, [2, 4, 2], [.. n[..5], value, .. n[..10]]).Add("k", type, [2, 4, 2], n[..16]);
    }

    [Fact]
    public void Inputs_are_told_apart_by_their_prefix()
    {
        LayerFileBytes two = LayerFileBytes.Layer(prefix: "a.").Add("b.c.scores", "F32", [1, 3], 3, 1, 2);
        Refuses(@"has 2 inputs .a, b\.c.; choose one with --input", two);
        Tool.Refuses(App.Failure, @"no input 'c'; there are a, b\.c", "evict", Write(two), "--evict", "snapkv", "--input", "c");
        JsonElement result = Result("evict", Write(two), "--evict", "snapkv", "--budget", "1", "--input", "b.c", "--json");
        Assert.Equal("b.c", result.GetProperty("input").GetString());
    }

    [Fact]
    public void Damaged_files_are_refused()
    {
        byte[] whole = LayerFileBytes.Layer(tokens: 6).ToArray();
        foreach (int length in (int[])[0, 7, 8, 60, 200, whole.Length - 1])
        {
            Tool.Refuses(App.Failure, "download it again|too few", "evict", _directory.Write("cut", whole[..length]), "--evict", "snapkv:window=2");
        }

        Tool.Refuses(App.Failure, "Could not find|cannot be (read|opened)|no such|does not exist", "evict", _directory.PathOf("none"), "--evict", "snapkv");
        for (int seed = 0; seed < 60; seed++)
        {
            ToolRun run = Tool.Run("evict", _directory.Write("mutant", new Mutator(seed).Mutate(whole)), "--evict", "snapkv:window=2", "--budget", "4");
            if (run.Code != App.Success) Tool.AssertRefusal(App.Failure, "kvil: ", run);
        }
    }

    private void Refuses(string pattern, LayerFileBytes bytes, string policy = "snapkv:window=2") =>
        Tool.Refuses(App.Failure, pattern, "evict", Write(bytes), "--evict", policy);

    private string Write(LayerFileBytes bytes) => _directory.Write("layer.safetensors", bytes.ToArray());

    private string Figure1() => Write(new LayerFileBytes().Add(
        "scores", "F32", [3, 6], .32, .01, .18, .08, .22, .19, .89, .01, .05, .02, .01, .02, .68, .01, .08, .04, .09, .10));

    private static JsonElement Result(params string[] args) => JsonDocument.Parse(Tool.Output(args)).RootElement;

    private static JsonElement.ArrayEnumerator Heads(JsonElement result) => result.GetProperty("allocation").GetProperty("heads").EnumerateArray();

    private static string Join(JsonElement result, Func<JsonElement, string?> field) => string.Join(',', Heads(result).Select(field));

    private static void SameLoss(GoldenCase c, string field, JsonElement allotment)
    {
        Dictionary<string, JsonElement> recorded = c.Field<Dictionary<string, JsonElement>>(field);
        JsonElement cost = allotment.GetProperty("cost");
        foreach ((string ours, string theirs) in ((string, string)[])[("l", "loss_l1"), ("theta", "theta"), ("epsilon_head", "eps_head"), ("epsilon", "eps"), ("c", "C")])
        {
            double expected = recorded[theirs].GetDouble();
            Assert.Equal(expected, cost.GetProperty(ours).GetDouble(), 1e-9 * Math.Abs(expected));
        }

        Assert.All(
            recorded["retained_mass"].EnumerateArray().Zip(cost.GetProperty("retained_mass").EnumerateArray()),
            pair => Assert.Equal(pair.First.GetDouble(), pair.Second.GetDouble(), 1e-12));
    }
}
