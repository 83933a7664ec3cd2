using System.Reflection;
using System.Runtime.CompilerServices;
using ILGPU;
using ILGPU.Backends.EntryPoints;
using ILGPU.Backends.PTX;
using ILGPU.Frontend.Intrinsic;
using ILGPU.Runtime;
using ILGPU.Runtime.Cuda;
using KvIL.Backends;
using KvIL.Gpu.Kernels;

namespace KvIL.Gpu.Devices;

/// <summary>An accelerator of ILGPU: CUDA, OpenCL, or its emulation on the CPU.</summary>
internal sealed class IlgpuDevice : IDevice
{
    // Groups for each multiprocessor: enough to hide latency with 128 threads each.
    private const int GroupsPerProcessor = 16;

    // The emulation pays for each group; three let its kernels loop over unequal shares.
    private const int EmulatedGroups = 3;

    private readonly Context _context;
    private readonly Accelerator _accelerator;
    private readonly Dictionary<Type, object> _kernels = [];

    static IlgpuDevice() => Intrinsics.Install();

    public IlgpuDevice(Context context, Accelerator accelerator, string name)
    {
        (_context, _accelerator, Name) = (context, accelerator, name);
        Threads = Math.Min(Team.MaxThreads, accelerator.MaxNumThreadsPerGroup);
        MaxGroups = accelerator.AcceleratorType == AcceleratorType.CPU
            ? EmulatedGroups
            : Math.Max(1, accelerator.NumMultiprocessors * GroupsPerProcessor);
    }

    public string Name { get; }

    public int Threads { get; }

    public int MaxGroups { get; }

    public IKernel<TArgs> Load<TBody, TArgs>() where TBody : struct, IKernelBody<TArgs> where TArgs : struct
    {
        lock (_kernels)
        {
            if (!_kernels.TryGetValue(typeof(TBody), out object? kernel))
            {
                _kernels.Add(typeof(TBody), kernel = new IlgpuKernel<TArgs>(Compile<TBody, TArgs>()));
            }

            return (IKernel<TArgs>)kernel;
        }
    }

    public IDeviceMemory Allocate(long bytes)
    {
        try
        {
            MemoryBuffer1D<byte, Stride1D.Dense> buffer = _accelerator.Allocate1D<byte>(Math.Max(bytes, 1));
            buffer.MemSetToZero();
            _accelerator.Synchronize();
            return new IlgpuMemory(buffer);
        }
        catch (Exception e) when (e is AcceleratorException or OutOfMemoryException)
        {
            throw new InsufficientDeviceMemoryException(
                $"{Name} refused {bytes:N0} bytes of memory ({e.Message}); use a smaller budget, context or model.");
        }
    }

    // Not the default stream: that one cannot be captured in a graph.
    public IDeviceStream CreateStream() => new IlgpuStream(_accelerator, Threads);

    public void Dispose()
    {
        _accelerator.Dispose();
        _context.Dispose();
    }

    private Action<AcceleratorStream, KernelConfig, TArgs> Compile<TBody, TArgs>()
        where TBody : struct, IKernelBody<TArgs>
        where TArgs : struct
    {
        if (_accelerator is not CudaAccelerator cuda)
        {
            return _accelerator.LoadKernel<TArgs>(KernelEntry.Run<TBody, TArgs>);
        }

        MethodInfo method = new Action<TArgs>(KernelEntry.Run<TBody, TArgs>).Method;
        var compiled = (PTXCompiledKernel)cuda.Backend.Compile(
            EntryPointDescription.FromExplicitlyGroupedKernel(method), new KernelSpecialization(Threads, Team.MinGroups));
        ref string ptx = ref Ptx(compiled);
        ptx = PtxText.Patch(ptx);
        return cuda.LoadKernel(compiled).CreateLauncherDelegate<Action<AcceleratorStream, KernelConfig, TArgs>>();
    }

    [UnsafeAccessor(UnsafeAccessorKind.Field, Name = "<PTXAssembly>k__BackingField")]
    private static extern ref string Ptx(PTXCompiledKernel kernel);
}

/// <summary>What ILGPU is told about .NET's functions, once in a process and before it compiles anything.</summary>
internal static class Intrinsics
{
    private static readonly Lock s_lock = new();
    private static bool s_installed;

    /// <summary>Maps <see cref="MathF.FusedMultiplyAdd"/> to <see cref="DeviceMath.FusedMultiplyAdd"/>.</summary>
    public static void Install()
    {
        lock (s_lock)
        {
            if (s_installed)
            {
                return;
            }

            RemappedIntrinsics.AddRemapping(
                typeof(MathF), typeof(DeviceMath), nameof(MathF.FusedMultiplyAdd), typeof(float), typeof(float), typeof(float));
            s_installed = true;
        }
    }
}

/// <summary>A loaded kernel; ILGPU itself holds kernels weakly.</summary>
internal sealed class IlgpuKernel<TArgs>(Action<AcceleratorStream, KernelConfig, TArgs> launch) : IKernel<TArgs>
    where TArgs : struct
{
    public Action<AcceleratorStream, KernelConfig, TArgs> Launch { get; } = launch;
}

/// <summary>A buffer of ILGPU.</summary>
internal sealed class IlgpuMemory(MemoryBuffer1D<byte, Stride1D.Dense> buffer) : IDeviceMemory
{
    public ArrayView<byte> View { get; } = buffer.View;

    public void Dispose() => buffer.Dispose();
}

/// <summary>A stream of ILGPU.</summary>
internal sealed class IlgpuStream(Accelerator accelerator, int threads) : IDeviceStream
{
    private readonly AcceleratorStream _stream = accelerator.CreateStream();

    public void Launch<TArgs>(IKernel<TArgs> kernel, int groups, in TArgs args) where TArgs : struct =>
        ((IlgpuKernel<TArgs>)kernel).Launch(_stream, new KernelConfig(groups, threads), args);

    public IStaging AllocateStaging(int bytes) => new IlgpuStaging(accelerator.AllocatePageLocked1D<byte>(bytes));

    public void CopyInStaged(IStaging source, int offset, ArrayView<byte> destination)
    {
        ArrayView<byte> staged = ((IlgpuStaging)source).View.SubView(offset, destination.Length);
        destination.CopyFrom(_stream, staged);
    }

    public void CopyIn(ReadOnlySpan<byte> source, ArrayView<byte> destination) =>
        destination.SubView(0, source.Length).CopyFromCPU(_stream, source);

    public void CopyOut(ArrayView<byte> source, Span<byte> destination) =>
        source.SubView(0, destination.Length).CopyToCPU(_stream, destination);

    public IDeviceEvent Record() => new IlgpuEvent(_stream.AddProfilingMarker());

    public void Synchronize() => _stream.Synchronize();

    public void Dispose() => _stream.Dispose();
}

/// <summary>Page-locked memory of ILGPU.</summary>
internal sealed class IlgpuStaging(PageLockedArray1D<byte> array) : IStaging
{
    public Span<byte> Bytes => array.Span;

    public ArrayView<byte> View => array.ArrayView;

    public void Dispose() => array.Dispose();
}

/// <summary>A marker of ILGPU, its only kind of event.</summary>
internal sealed class IlgpuEvent(ProfilingMarker marker) : IDeviceEvent
{
    public void Wait() => marker.Synchronize();

    public void Dispose() => marker.Dispose();
}
