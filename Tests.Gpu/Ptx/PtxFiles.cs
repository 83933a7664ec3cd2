using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using KvIL.Gpu.Devices;
using KvIL.Gpu.Kernels;

namespace KvIL.Tests.Gpu.Ptx;

/// <summary>Makes the PTX of kernels without a GPU, and the files of <c>Gpu/Ptx</c>.</summary>
internal static class PtxFiles
{
    /// <summary>The architectures that the texts are for. ILGPU writes one text for both: its target is never above sm_80.</summary>
    public static IReadOnlyList<CudaArchitecture> Architectures { get; } = [CudaArchitecture.SM_80, CudaArchitecture.SM_90];

    /// <summary>The PTX of a kernel as a driver gets it, in a context of its own: a compilation that fails poisons its context.</summary>
    public static string Compile(CatalogEntry kernel, CudaArchitecture architecture)
    {
        Intrinsics.Install();
        using Context context = Context.Create(builder => builder.Optimize(OptimizationLevel.O2));
        using var backend = new PTXBackend(
            context, new CudaCapabilityContext(architecture), architecture, CudaInstructionSet.ISA_78, null);
        var compiled = (PTXCompiledKernel)backend.Compile(
            EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method), new KernelSpecialization(Team.MaxThreads, Team.MinGroups));
        return PtxText.Patch(compiled.PTXAssembly).ReplaceLineEndings("\n");
    }

    /// <summary>Where a text lies.</summary>
    public static string PathOf(CatalogEntry kernel) => Path.Combine(PtxManifest.Folder, $"{kernel.Name}.ptx");

    /// <summary>Writes all texts and their list, and what ptxas says about registers where there is one.</summary>
    public static void Write()
    {
        foreach (string old in Directory.GetFiles(PtxManifest.Folder, "*.ptx")) File.Delete(old);
        foreach (CatalogEntry kernel in Catalog.All) File.WriteAllText(PathOf(kernel), Compile(kernel, Architectures[0]));

        File.WriteAllText(PtxManifest.FilePath, PtxManifest.Compute());
        if (Ptxas.Find() is string ptxas) File.WriteAllText(RegisterTable.FilePath, RegisterTable.Measure(ptxas).ToString());
        else Console.WriteLine("ptxas was not found: registers.txt stays as it is.");
    }
}
