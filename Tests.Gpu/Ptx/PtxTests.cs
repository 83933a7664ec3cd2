using System.Text.RegularExpressions;
using ILGPU.Runtime.Cuda;
using KvIL.Gpu.Devices;
using KvIL.Gpu.Kernels;
using Xunit;

namespace KvIL.Tests.Gpu.Ptx;

/// <summary>What ILGPU makes of every kernel: it compiles, the text is the committed one, and it needs no stack.</summary>
public sealed class PtxTests
{
    public static TheoryData<string> Kernels => [.. Catalog.All.Select(kernel => kernel.Name)];

    [Theory]
    [MemberData(nameof(Kernels))]
    public void A_kernel_compiles_to_the_committed_text(string name)
    {
        CatalogEntry kernel = Catalog.Find(name);
        foreach (CudaArchitecture architecture in PtxFiles.Architectures)
        {
            string text = PtxFiles.Compile(kernel, architecture);
            Assert.DoesNotContain(".extern", text, StringComparison.Ordinal);
            Assert.Equal(PtxManifest.Read(PtxFiles.PathOf(kernel)), text);
        }
    }

    [Fact]
    public void No_product_and_sum_may_be_contracted()
    {
        foreach (string path in Directory.GetFiles(PtxManifest.Folder, "*.ptx"))
        {
            Assert.DoesNotMatch(@"\b(add|sub|mul)\.(f32|f64)\b", File.ReadAllText(path));
        }
    }

    [Fact]
    public void Every_kernel_is_in_the_catalog()
    {
        IEnumerable<Type> bodies = typeof(Team).Assembly.GetTypes().Where(
            type => type.GetInterfaces().Any(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IKernelBody<>)));
        IEnumerable<Type> known = Catalog.All.Select(k => k.Body.IsGenericType ? k.Body.GetGenericTypeDefinition() : k.Body).Distinct();
        Assert.Equal(bodies.Select(t => t.Name).Order(), known.Select(t => t.Name).Order());
        Assert.Equal(Catalog.All.Count, Catalog.All.Select(kernel => kernel.Name).Distinct().Count());
    }

    [Fact]
    public void Value_ids_are_renumbered_by_first_appearance()
    {
        const string Text = "bra L_907;\nL_31: add.f32 a_907, b_31;\n@%p3 bra.uni L_31;\n.target sm_80";
        const string Expected = "bra L_0;\nL_1: add.rn.f32 a_0, b_1;\n@%p3 bra L_1;\n.target sm_80";
        Assert.Equal(Expected, PtxText.Patch(Text));
    }

    [PtxasFact]
    [Trait("Length", "Long")]
    public void Ptxas_uses_no_stack_spills_nothing_and_counts_the_committed_registers()
    {
        RegisterTable measured = RegisterTable.Measure(Ptxas.Find()!);
        Assert.All(measured.Rows, row => Assert.True(row.Spills == 0, $"{row.File} on {row.Architecture}: {row.Spills} bytes of stack or spilled"));
        string committed = PtxManifest.Read(RegisterTable.FilePath);

        // Another release allocates otherwise; what holds for all of them stands above.
        string release = Regex.Match(committed, @"ptxas (\d+\.\d+)").Groups[1].Value;
        Assert.NotEmpty(release);
        if (release == measured.Release) Assert.Equal(committed, measured.ToString());
    }
}
