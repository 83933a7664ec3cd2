using System.Globalization;
using KvIL.Backends;
using KvIL.Inference;
using KvIL.Reference;
#if KVIL_GPU
using KvIL.Gpu;
#endif

namespace KvIL;

/// <summary>Where a model computes: the CPU in managed code, or a GPU through ILGPU with nothing but its driver.</summary>
/// <remarks>The one place that knows every backend.</remarks>
public sealed record Device
{
    private const string Names = "cpu, cuda, cuda:N, opencl, opencl:N, ilgpu-cpu and auto";

    private readonly Func<IBackend> _create;

    private Device(string name, Func<IBackend> create) => (Name, _create) = (name, create);

    /// <summary>The first CUDA GPU where there is one, else the CPU.</summary>
    public static Device Auto => Parse("auto");

    /// <summary>Short name, such as <c>cpu</c> or <c>cuda:0</c>.</summary>
    public string Name { get; }

    /// <summary>The CPU, in managed code.</summary>
    /// <param name="threads">Threads; 0 for one per processor.</param>
    public static Device Cpu(int threads = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(threads);
        return new("cpu", () => new ReferenceBackend(threads));
    }

    /// <summary>A device from its name: <c>cpu</c>, <c>cuda</c>, <c>cuda:1</c>, <c>opencl</c>, <c>ilgpu-cpu</c> (ILGPU's emulation, very slow) or <c>auto</c>.</summary>
    /// <param name="name">The name.</param>
    /// <param name="threads">Threads of the CPU; 0 for one per processor.</param>
    /// <exception cref="ArgumentException">No device has such a name.</exception>
    public static Device Parse(string name, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(name);
        string[] parts = name.Split(':', 2);
        int index = 0;
        if (parts.Length == 2 && !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out index))
        {
            throw Unknown(name);
        }

        return (parts[0], parts.Length) switch
        {
            ("cpu", 1) => Cpu(threads),
            ("auto", 1) => HasCuda() ? OnGpu("cuda:0", "cuda", 0) : Cpu(threads),
            ("cuda" or "opencl", _) => OnGpu($"{parts[0]}:{index}", parts[0], index),
            ("ilgpu-cpu", 1) => OnGpu(name, name, 0),
            _ => throw Unknown(name),
        };
    }

    /// <summary>Makes the backend.</summary>
    /// <exception cref="RequestException">This machine, or this build, does not have the device.</exception>
    public IBackend CreateBackend() => _create();

    private static ArgumentException Unknown(string name) => new($"There is no device '{name}'; the devices are {Names}.", nameof(name));

#if KVIL_GPU
    private static bool HasCuda() => GpuDevices.List().Any(device => device.Kind == GpuKind.Cuda);

    private static Device OnGpu(string name, string kind, int index) => new(name, () =>
    {
        try
        {
            return GpuBackend.Create(kind switch { "cuda" => GpuKind.Cuda, "opencl" => GpuKind.OpenCL, _ => GpuKind.Emulated }, index);
        }
        catch (GpuUnavailableException e)
        {
            throw new RequestException(e.Message);
        }
    });
#else
    private static bool HasCuda() => false;

    private static Device OnGpu(string name, string kind, int index) => new(name, () =>
        throw new RequestException($"This build has no GPU backend, so there is no device {name} ({kind} {index}); use cpu, or build where ILGPU is at hand."));
#endif
}
