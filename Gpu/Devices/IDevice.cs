using ILGPU;
using KvIL.Gpu.Kernels;

namespace KvIL.Gpu.Devices;

/// <summary>The one seam between lowering and ILGPU: compile and load, allocate, launch, copy, event.</summary>
/// <remarks>
/// Whatever stands behind it gets kernels as types and their arguments as one struct of views and numbers, in the order of
/// the kernel's parameters; nothing above it knows an accelerator or a driver.
/// </remarks>
internal interface IDevice : IDisposable
{
    /// <summary>Short identifier, such as <c>cuda:0</c>.</summary>
    string Name { get; }

    /// <summary>Threads of a group: <see cref="Team.MaxThreads"/> or as many as the device has.</summary>
    int Threads { get; }

    /// <summary>Groups beyond which a launch gains nothing; kernels loop over what is left.</summary>
    int MaxGroups { get; }

    /// <summary>Compiles and loads a kernel; a second call gives the same one.</summary>
    IKernel<TArgs> Load<TBody, TArgs>() where TBody : struct, IKernelBody<TArgs> where TArgs : struct;

    /// <summary>Allocates bytes, aligned to 256 and zeroed.</summary>
    /// <exception cref="Backends.InsufficientDeviceMemoryException">The device cannot give that much.</exception>
    IDeviceMemory Allocate(long bytes);

    /// <summary>Creates an in-order stream of copies and launches.</summary>
    IDeviceStream CreateStream();
}

/// <summary>A kernel that a device can launch.</summary>
/// <typeparam name="TArgs">Its parameters, as one struct.</typeparam>
internal interface IKernel<TArgs> where TArgs : struct;

/// <summary>A block of device memory.</summary>
internal interface IDeviceMemory : IDisposable
{
    /// <summary>All of it; parts are taken with SubView and Cast.</summary>
    ArrayView<byte> View { get; }
}

/// <summary>An in-order stream.</summary>
internal interface IDeviceStream : IDisposable
{
    /// <summary>Launches <paramref name="groups"/> groups of <see cref="IDevice.Threads"/> threads.</summary>
    void Launch<TArgs>(IKernel<TArgs> kernel, int groups, in TArgs args) where TArgs : struct;

    /// <summary>Memory on the host that <see cref="CopyInStaged"/> reads asynchronously.</summary>
    IStaging AllocateStaging(int bytes);

    /// <summary>Copies staged bytes to the device and returns at once; they must not change before a later event is reached.</summary>
    void CopyInStaged(IStaging source, int offset, ArrayView<byte> destination);

    /// <summary>Copies host bytes to the device; the source may be reused when it returns.</summary>
    void CopyIn(ReadOnlySpan<byte> source, ArrayView<byte> destination);

    /// <summary>Copies device bytes to the host; they are there when it returns.</summary>
    void CopyOut(ArrayView<byte> source, Span<byte> destination);

    /// <summary>Marks this place in the stream.</summary>
    IDeviceEvent Record();

    /// <summary>Blocks until everything is done.</summary>
    void Synchronize();
}

/// <summary>Host memory for asynchronous copies.</summary>
internal interface IStaging : IDisposable
{
    /// <summary>The bytes.</summary>
    Span<byte> Bytes { get; }
}

/// <summary>A place in a stream.</summary>
internal interface IDeviceEvent : IDisposable
{
    /// <summary>Blocks until the stream has reached it.</summary>
    void Wait();
}
