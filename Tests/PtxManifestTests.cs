using KvIL.Tests.Gpu.Ptx;
using Xunit;

namespace KvIL.Tests;

/// <summary>The committed PTX belongs to the kernels beside it: told from files alone, where ILGPU cannot be had too.</summary>
public sealed class PtxManifestTests
{
    [Fact]
    public void The_manifest_names_the_sources_and_texts_that_are_there()
    {
        Assert.True(
            PtxManifest.Read(PtxManifest.FilePath) == PtxManifest.Compute(),
            "Gpu/Ptx is stale: a kernel or a text changed. Run: dotnet run --project Tests.Gpu -c Release -- --write-ptx");
    }

    [Fact]
    public void Every_text_has_an_entry_point()
    {
        string[] texts = Directory.GetFiles(PtxManifest.Folder, "*.ptx");
        Assert.NotEmpty(texts);
        Assert.All(texts, path => Assert.Contains(".visible .entry Kernel_Run(", PtxManifest.Read(path), StringComparison.Ordinal));
    }
}
