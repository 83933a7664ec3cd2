using System.Text.Json;
using KvIL.Cli.Kernels;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary><c>kvil kernels</c>: every committed text has its kernel, and every kernel says what it computes.</summary>
public sealed class KernelsCommandTests
{
    private static readonly string Folder = Repo.PathOf("Gpu/Ptx");

    [Fact]
    public void Every_committed_text_belongs_to_a_kernel_and_every_kernel_has_one()
    {
        IEnumerable<string> committed = Directory.GetFiles(Folder, "*.ptx").Select(path => Path.GetFileNameWithoutExtension(path)!);
        IReadOnlyList<GpuKernel> kernels = KernelCatalog.Load();
        Assert.Equal(committed.Order(StringComparer.Ordinal), kernels.SelectMany(kernel => kernel.Texts).Select(text => text.Name).Order(StringComparer.Ordinal));
        Assert.All(kernels, kernel => Assert.NotEmpty(kernel.Texts));
    }

    [Fact]
    public void Every_kernel_says_what_it_computes_who_owns_what_and_what_it_takes() => Assert.All(KernelCatalog.Load(), kernel =>
    {
        Assert.Matches(@"^.{8,}\.$", kernel.Summary);
        Assert.Matches("(group|thread)", kernel.Ownership);
        Assert.DoesNotMatch("[<>]{2}|cref|///", kernel.Summary + kernel.Ownership);
        Assert.True(kernel.Arguments.Count >= 3, kernel.Name);
        Assert.Contains(kernel.Arguments, argument => argument.Summary.Length > 0);
    });

    [Fact]
    public void Every_text_has_its_registers_as_the_table_has_them()
    {
        string table = File.ReadAllText(Path.Combine(Folder, "registers.txt"));
        Assert.All(KernelCatalog.Load().SelectMany(kernel => kernel.Texts), text =>
        {
            Assert.Equal(["sm_80", "sm_90"], text.Registers.Keys);
            Assert.All(text.Registers, pair => Assert.Matches($@"(?m)^ *{pair.Value} +0 +{pair.Key} {text.Name}\.ptx\r?$", table));
        });
    }

    [Fact]
    public void The_list_names_every_kernel()
    {
        string list = Tool.Output("kernels");
        Assert.All(KernelCatalog.Load(), kernel => Assert.Matches($@"(?m)^  {kernel.Name} ", list));
        Assert.Contains("sm_80 and sm_90: the most registers of a thread", list, StringComparison.Ordinal);
    }

    [Fact]
    public void A_kernel_is_described_with_its_arguments()
    {
        string page = Tool.Output("kernels", "windowsums");
        Assert.StartsWith("WindowSums: m = max_j s_j, ", page, StringComparison.Ordinal);
        Assert.Contains("One group owns a (query head, query)", page, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^  Y +ArrayView<float> +F32 \[query_heads, length\]\.\r?$", page);
        Assert.Contains("WindowSums_F16: ", page, StringComparison.Ordinal);
        Assert.Contains("WindowSums_F32: ", page, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^  Sums\.Mass +ArrayView<double> +F64 \[query_heads, mass\]\.\r?$", Tool.Output("kernels", "LossChannels"));
        Assert.DoesNotContain("WindowSums_F32", Tool.Output("kernels", "WindowSums_F16"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GroupMean", "GroupMean")]
    [InlineData("linearrow_bf16", "LinearRow_BF16")]
    public void The_ptx_is_the_committed_text_under_comments(string name, string text)
    {
        string output = Tool.Output("kernels", name, "--ptx");
        string committed = File.ReadAllText(Path.Combine(Folder, $"{text}.ptx")).ReplaceLineEndings("\n");
        Assert.EndsWith(committed, output, StringComparison.Ordinal);
        string[] above = output[..^committed.Length].Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.NotEmpty(above);
        Assert.All(above, line => Assert.StartsWith("//", line, StringComparison.Ordinal));
    }

    [Fact]
    public void Json_has_the_same()
    {
        JsonElement all = JsonDocument.Parse(Tool.Output("kernels", "--json")).RootElement.GetProperty("kernels");
        Assert.Equal(KernelCatalog.Load().Count, all.GetArrayLength());
        JsonElement one = JsonDocument.Parse(Tool.Output("kernels", "Pool_Largest", "--ptx", "--json")).RootElement;
        Assert.Equal("Pool", one.GetProperty("name").GetString());
        Assert.Equal("Pool_Largest", Assert.Single(one.GetProperty("texts").EnumerateArray()).GetProperty("name").GetString());
        Assert.True(one.GetProperty("texts")[0].GetProperty("registers").GetProperty("sm_90").GetInt32() > 0);
        Assert.Contains(".visible .entry Kernel_Run(", one.GetProperty("ptx").GetString(), StringComparison.Ordinal);
    }
}
