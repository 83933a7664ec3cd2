using System.Text.Json;
using KvIL.Cli;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

public sealed class CheckCommandTests : IDisposable
{
    private static readonly string s_model = Repo.PathOf("models/tiny-random/olmo2");

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Prints_a_line_for_each_quantity_and_passes()
    {
        string text = Tool.Output("check", s_model, "--threads", "1");
        Assert.Matches(@"seq0 +logits +6144 ", text);
        Assert.Matches(@"seq1 +k +2 ", text);
        Assert.Matches(@"seq0 +greedy +24 +none ", text);
        Assert.Contains("passed: 2 sequences of ", text, StringComparison.Ordinal);
        Assert.DoesNotContain("FAILED", text, StringComparison.Ordinal);
    }

    [Fact]
    public void One_changed_number_fails()
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(s_model, "reference.safetensors"));
        bytes[^2] ^= 0x40; // an exponent bit of the last number
        string path = _directory.PathOf("changed.safetensors");
        File.WriteAllBytes(path, bytes);
        ToolRun run = Tool.Run("check", s_model, "--reference", path, "--json");
        Assert.Equal((App.Failure, ""), (run.Code, run.Error));
        using JsonDocument json = JsonDocument.Parse(run.Out);
        JsonElement root = json.RootElement;
        Assert.False(root.GetProperty("passed").GetBoolean());
        JsonElement failed = Assert.Single(
            root.GetProperty("sequences").EnumerateArray().SelectMany(s => s.GetProperty("quantities").EnumerateArray()),
            quantity => !quantity.GetProperty("passed").GetBoolean());
        Assert.True(failed.GetProperty("difference").GetDouble() > 0.001);
        ToolRun table = Tool.Run("check", s_model, "--reference", path);
        Assert.Equal(App.Failure, table.Code);
        Assert.Contains("FAILED: 1 of 2 sequences", table.Out, StringComparison.Ordinal);
    }

    [Fact]
    public void A_missing_foreign_or_damaged_reference_is_refused()
    {
        string model = _directory.PathOf("model");
        Directory.CreateDirectory(model);
        foreach (string name in new[] { "config.json", "model.safetensors" })
        {
            File.Copy(Path.Combine(s_model, name), Path.Combine(model, name));
        }

        Tool.Refuses(App.Failure, "there is no reference of this model; name one with --reference", "check", model);
        string weights = Path.Combine(s_model, "model.safetensors");
        Tool.Refuses(App.Failure, "no reference of the layout kvil-reference/1", "check", model, "--reference", weights);
        string other = Repo.PathOf("models/kvil-demo/reference.safetensors");
        Tool.Refuses(App.Failure, "the reference is of another model", "check", model, "--reference", other);
        string cut = _directory.PathOf("cut.safetensors");
        File.WriteAllBytes(cut, File.ReadAllBytes(Path.Combine(s_model, "reference.safetensors"))[..5000]);
        Tool.Refuses(App.Failure, "data_offsets|cut short", "check", model, "--reference", cut);
        Tool.Refuses(App.Usage, "--reference is empty", "check", model, "--reference", "");
    }

    [Fact]
    public void Where_no_tolerance_is_stated_it_is_the_default()
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(s_model, "reference.safetensors"));
        int at = bytes.AsSpan().IndexOf("tolerances"u8);
        "Tolerances"u8.CopyTo(bytes.AsSpan(at));
        string path = _directory.PathOf("unstated.safetensors");
        File.WriteAllBytes(path, bytes);
        Assert.Contains("1.0e-3 (default)", Tool.Output("check", s_model, "--reference", path), StringComparison.Ordinal);
    }
}
