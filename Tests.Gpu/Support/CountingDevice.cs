using ILGPU;
using ILGPU.Runtime;
using ILGPU.Runtime.CPU;
using KvIL.Gpu.Devices;
using KvIL.Gpu.Kernels;
using IDevice = KvIL.Gpu.Devices.IDevice;

namespace KvIL.Tests.Gpu.Support;

/// <summary>A device that launches nothing: it counts. Its memory is that of ILGPU's emulation, since views need some.</summary>
internal sealed class CountingDevice : IDevice
{
    private readonly Context _context;
    private readonly Accelerator _accelerator;

    public CountingDevice()
    {
        _context = Context.Create(builder => builder.CPU(new CPUDevice(2, 1, 1)));
        _accelerator = _context.GetCPUDevice(0).CreateAccelerator(_context);
    }

    public string Name => "counting";

    public int Threads => Team.MaxThreads;

    public int MaxGroups => 1 << 20;

    /// <summary>Launches so far.</summary>
    public int Launches { get; private set; }

    /// <summary>Copies to the device so far.</summary>
    public int Copies { get; private set; }

    public IKernel<TArgs> Load<TBody, TArgs>() where TBody : struct, IKernelBody<TArgs> where TArgs : struct => new Kernel<TArgs>();

    public IDeviceMemory Allocate(long bytes) => new Memory(_accelerator.Allocate1D<byte>(Math.Max(bytes, 1)));

    public IDeviceStream CreateStream() => new Stream(this);

    public void Dispose()
    {
        _accelerator.Dispose();
        _context.Dispose();
    }

    private sealed class Kernel<TArgs> : IKernel<TArgs> where TArgs : struct;

    private sealed class Memory(MemoryBuffer1D<byte, Stride1D.Dense> buffer) : IDeviceMemory
    {
        public ArrayView<byte> View { get; } = buffer.View;

        public void Dispose() => buffer.Dispose();
    }

    private sealed class Staging(int bytes) : IStaging
    {
        private readonly byte[] _bytes = new byte[bytes];

        public Span<byte> Bytes => _bytes;

        public void Dispose()
        {
        }
    }

    private sealed class Event : IDeviceEvent
    {
        public void Wait()
        {
        }

        public void Dispose()
        {
        }
    }

    private sealed class Stream(CountingDevice device) : IDeviceStream
    {
        public void Launch<TArgs>(IKernel<TArgs> kernel, int groups, in TArgs args) where TArgs : struct => device.Launches++;

        public IStaging AllocateStaging(int bytes) => new Staging(bytes);

        public void CopyInStaged(IStaging source, int offset, ArrayView<byte> destination) => device.Copies++;

        public void CopyIn(ReadOnlySpan<byte> source, ArrayView<byte> destination) => device.Copies++;

        public void CopyOut(ArrayView<byte> source, Span<byte> destination) => destination.Clear();

        public IDeviceEvent Record() => new Event();

        public void Synchronize()
        {
        }

        public void Dispose()
        {
        }
    }
}
