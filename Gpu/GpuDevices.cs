using System.Reflection;
using System.Runtime.InteropServices;
using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using ILGPU.Runtime.Cuda;
using ILGPU.Runtime.OpenCL;
using KvIL.Gpu.Devices;
using IDevice = KvIL.Gpu.Devices.IDevice;

namespace KvIL.Gpu;

/// <summary>How a GPU is reached.</summary>
public enum GpuKind
{
    /// <summary>NVIDIA's driver; nothing else needs to be installed.</summary>
    Cuda,

    /// <summary>An OpenCL 2.0 driver that ILGPU accepts.</summary>
    OpenCL,

    /// <summary>ILGPU's emulation of a GPU on the CPU: the same kernels, thousands of times slower, for tests without a GPU.</summary>
    Emulated,
}

/// <summary>A GPU of this machine.</summary>
/// <param name="Kind">How it is reached.</param>
/// <param name="Index">Its number among the GPUs of its kind, from 0.</param>
/// <param name="Name">The driver's name for it.</param>
/// <param name="MemoryBytes">Its memory.</param>
/// <param name="Driver">What the driver says about itself and the device.</param>
public sealed record GpuDevice(GpuKind Kind, int Index, string Name, long MemoryBytes, string Driver);

/// <summary>The GPUs of this machine.</summary>
public static class GpuDevices
{
    /// <summary>Every CUDA and OpenCL GPU; empty without a driver. The emulation is not listed.</summary>
    public static IReadOnlyList<GpuDevice> List() => [.. List(GpuKind.Cuda), .. List(GpuKind.OpenCL)];

    /// <summary>The GPUs of one kind; empty without a driver, and <see cref="WhyNone"/> says why.</summary>
    public static IReadOnlyList<GpuDevice> List(GpuKind kind)
    {
        using Context context = CreateContext(kind);
        return [.. Of(kind, context).Select((device, index) =>
            new GpuDevice(kind, index, device.Name.Trim(), device.MemorySize, DriverOf(device)))];
    }

    /// <summary>One sentence for a machine without any GPU of a kind.</summary>
    public static string WhyNone(GpuKind kind) => Missing(kind, 0, 0);

    /// <summary>Opens a GPU.</summary>
    /// <exception cref="GpuUnavailableException">There is none of that kind and number, or its driver refuses.</exception>
    internal static IDevice Open(GpuKind kind, int index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        Context context = CreateContext(kind);
        try
        {
            Device[] devices = [.. Of(kind, context)];
            if (index >= devices.Length)
            {
                throw new GpuUnavailableException(Missing(kind, index, devices.Length));
            }

            string name = kind switch
            {
                GpuKind.Cuda => $"cuda:{index}",
                GpuKind.OpenCL => $"opencl:{index}",
                _ => $"emulated:{index}",
            };
            return new IlgpuDevice(context, devices[index].CreateAccelerator(context), name);
        }
        catch (Exception e)
        {
            context.Dispose();
            throw e is GpuUnavailableException ? e : new GpuUnavailableException($"{kind} device {index} could not be opened: {e.Message}", e);
        }
    }

    private static string DriverOf(Device device) => device switch
    {
        CudaDevice cuda => $"CUDA {cuda.DriverVersion.Major}.{cuda.DriverVersion.Minor}, {cuda.Architecture}",
        CLDevice opencl => $"{opencl.PlatformName.Trim()}, {opencl.PlatformVersion.ToString().Trim()}",
        _ => $"ILGPU {typeof(Context).Assembly.GetName().Version!.ToString(3)}",
    };

    // ILGPU puts its emulation into a context that would otherwise be empty.
    private static IEnumerable<Device> Of(GpuKind kind, Context context)
    {
        AcceleratorType type = kind switch
        {
            GpuKind.Cuda => AcceleratorType.Cuda,
            GpuKind.OpenCL => AcceleratorType.OpenCL,
            _ => AcceleratorType.CPU,
        };
        return context.Devices.Where(device => device.AcceleratorType == type);
    }

    // Profiling makes ILGPU's markers, its only events, available. It keeps markers' times, nothing else.
    private static Context CreateContext(GpuKind kind)
    {
        if (kind == GpuKind.Cuda)
        {
            CudaDriver.LetItBeFound();
        }

        return Context.Create(builder =>
        {
            builder.Optimize(OptimizationLevel.O2).Profiling();
            switch (kind)
            {
                case GpuKind.Cuda:
                    builder.Cuda();
                    break;
                case GpuKind.OpenCL:
                    builder.OpenCL();
                    break;
                case GpuKind.Emulated:
                    builder.CPU(new CPUDevice(numThreadsPerWarp: 2, numWarpsPerMultiprocessor: 1, numMultiprocessors: 1));
                    break;
                default:
                    throw new ArgumentOutOfRangeException(nameof(kind), kind, "Unknown kind of GPU.");
            }
        });
    }

    private static string Missing(GpuKind kind, int index, int count) => (kind, count) switch
    {
        (GpuKind.Cuda, 0) when !CudaDriver.IsInstalled =>
            "No CUDA device: NVIDIA's driver library (libcuda.so.1, nvcuda.dll) was not found; install the NVIDIA driver or use the CPU.",
        (GpuKind.Cuda, 0) => "No CUDA device: NVIDIA's driver is installed but reports no GPU.",
        (GpuKind.OpenCL, 0) => "No OpenCL device: no driver reports a GPU that ILGPU accepts.",
        _ => $"No {kind} device {index}: this machine has {count}, numbered from 0.",
    };
}

/// <summary>NVIDIA's driver library.</summary>
internal static class CudaDriver
{
    private const string LinkName = "libcuda.so"; // what ILGPU asks for; only development packages install it
    private const string LibraryName = "libcuda.so.1";

    private static readonly Lock s_lock = new();
    private static bool s_done;

    /// <summary>Whether the library can be loaded.</summary>
    public static bool IsInstalled =>
        CanLoad(OperatingSystem.IsWindows() ? "nvcuda" : LibraryName) || (!OperatingSystem.IsWindows() && CanLoad(LinkName));

    /// <summary>Sends ILGPU to libcuda.so.1 where libcuda.so is missing: otherwise it finds no device and does not say why.</summary>
    public static void LetItBeFound()
    {
        lock (s_lock)
        {
            if (s_done || !OperatingSystem.IsLinux() || CanLoad(LinkName) || !CanLoad(LibraryName))
            {
                return;
            }

            NativeLibrary.SetDllImportResolver(typeof(CudaAPI).Assembly, Resolve);
            s_done = true;
        }
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? path) =>
        name == "cuda" && NativeLibrary.TryLoad(LibraryName, out nint handle) ? handle : 0;

    private static bool CanLoad(string name)
    {
        bool loaded = NativeLibrary.TryLoad(name, out nint handle);
        if (loaded)
        {
            NativeLibrary.Free(handle);
        }

        return loaded;
    }
}
