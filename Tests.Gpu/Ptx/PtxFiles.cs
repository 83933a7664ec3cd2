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
    /// <summary>The architectures of the files.</summary>
    public static IReadOnlyList<CudaArchitecture> Architectures { get; } = [CudaArchitecture.SM_80, CudaArchitecture.SM_90];

    /// <summary>The PTX of a kernel as a driver gets it, in a context of its own: a compilation that fails poisons its context.</summary>
    public static string Compile(CatalogEntry kernel, CudaArchitecture architecture)
    {
        Intrinsics.Install();
        using Context context = Context.Create(builder => builder.Optimize(OptimizationLevel.O2));
        using var backend = new PTXBackend(
            context, new CudaCapabilityContext(architecture), architecture, CudaInstructionSet.ISA_78, null);
        var compiled = (PTXCompiledKernel)backend.Compile(
            EntryPointDescription.FromExplicitlyGroupedKernel(kernel.Method), new KernelSpecialization(Team.MaxThreads, null));
        return PtxText.Patch(compiled.PTXAssembly).ReplaceLineEndings("\n");
    }

    /// <summary>The name of a text.</summary>
    public static string FileName(CatalogEntry kernel, CudaArchitecture architecture) =>
        $"{kernel.Name}.sm{architecture.Major}{architecture.Minor}.ptx";

    /// <summary>Writes all texts and their list, and what ptxas says about registers where there is one.</summary>
    public static void Write()
    {
        foreach (string old in Directory.GetFiles(PtxManifest.Folder, "*.ptx")) File.Delete(old);
        foreach (CudaArchitecture architecture in Architectures)
        {
            foreach (CatalogEntry kernel in Catalog.All)
            {
                string path = Path.Combine(PtxManifest.Folder, FileName(kernel, architecture));
                File.WriteAllText(path, Compile(kernel, architecture));
            }
        }

        File.WriteAllText(PtxManifest.FilePath, PtxManifest.Compute());
        if (Ptxas.Find() is string ptxas) File.WriteAllText(RegisterTable.FilePath, RegisterTable.Measure(ptxas).ToString());
        else Console.WriteLine("ptxas was not found: registers.txt stays as it is.");
    }
}
