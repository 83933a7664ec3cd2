using KvIL.Reference;
#if KVIL_GPU
using KvIL.Gpu;
#endif

namespace KvIL;

/// <summary>A device of this machine.</summary>
/// <param name="Name">The name that <see cref="Device.Parse"/> takes.</param>
/// <param name="Hardware">What it is, in its driver's words.</param>
/// <param name="Driver">What reaches it.</param>
/// <param name="MemoryBytes">Its memory; null where it has none of its own.</param>
public sealed record DeviceInfo(string Name, string Hardware, string Driver, long? MemoryBytes);

/// <summary>What of the processor the CPU engine uses.</summary>
/// <param name="Threads">Threads it takes unless told otherwise.</param>
/// <param name="InstructionSets">Instruction sets.</param>
/// <param name="LaneBits">Bits of the vectors of elementwise work and sums.</param>
/// <param name="TileBits">Bits of the vectors of the product that prefill, scores and attention are made of.</param>
public sealed record CpuInfo(int Threads, IReadOnlyList<string> InstructionSets, int LaneBits, int TileBits);

/// <summary>The devices of this machine, and one sentence for each kind that it has none of.</summary>
/// <param name="Cpu">The processor.</param>
/// <param name="Devices">Every device, the CPU first and, in a build with ILGPU, its emulation last.</param>
/// <param name="Absent">Why there is no GPU of a kind: the build, no driver, a driver without a device.</param>
/// <param name="Broken">Kinds of GPU whose driver is there and failed.</param>
public sealed record Machine(CpuInfo Cpu, IReadOnlyList<DeviceInfo> Devices, IReadOnlyList<string> Absent, IReadOnlyList<string> Broken)
{
    /// <summary>Whether this build has the GPU backend.</summary>
    public static bool BuiltWithGpu =>
#if KVIL_GPU
        true;
#else
        false;
#endif

    /// <summary>Looks at this machine.</summary>
    public static Machine Examine()
    {
        CpuInfo cpu = new(Environment.ProcessorCount, CpuFeatures.InstructionSets, CpuFeatures.LaneBits, CpuFeatures.TileBits);
        List<DeviceInfo> devices =
        [
            new("cpu", $"{cpu.Threads} {(cpu.Threads == 1 ? "thread" : "threads")}", ".NET " + Environment.Version, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes),
        ];
        List<string> absent = [];
        List<string> broken = [];
        AddGpus(devices, absent, broken);
        return new(cpu, devices, absent, broken);
    }

#if KVIL_GPU
    private static void AddGpus(List<DeviceInfo> devices, List<string> absent, List<string> broken)
    {
        foreach ((GpuKind kind, string name) in (ReadOnlySpan<(GpuKind, string)>)[(GpuKind.Cuda, "cuda"), (GpuKind.OpenCL, "opencl")])
        {
            try
            {
                IReadOnlyList<GpuDevice> found = GpuDevices.List(kind);
                devices.AddRange(found.Select(gpu => new DeviceInfo($"{name}:{gpu.Index}", gpu.Name, gpu.Driver, gpu.MemoryBytes)));
                if (found.Count == 0)
                {
                    absent.Add(GpuDevices.WhyNone(kind));
                }
            }
            catch (Exception e) when (e is not OutOfMemoryException)
            {
                // Whatever a driver throws is what there is to say about it.
                broken.Add($"{kind} devices could not be listed: {e.Message}");
            }
        }

        GpuDevice emulated = GpuDevices.List(GpuKind.Emulated)[0];
        devices.Add(new("ilgpu-cpu", "emulation of a GPU on the CPU", emulated.Driver, null));
    }
#else
    private static void AddGpus(List<DeviceInfo> devices, List<string> absent, List<string> broken) =>
        absent.Add("No GPU: this build has no GPU backend, because ILGPU was not at hand when it was made.");
#endif
}
