using ILGPU;
using KvIL.Gpu.Devices;

namespace KvIL.Gpu.Memory;

/// <summary>Host memory through which small copies go to the device without waiting for it.</summary>
/// <remarks>Two halves, filled in turn: an event marks the last copy out of a half, and is awaited before the half is filled again.</remarks>
internal sealed class StagingRing(IDeviceStream stream) : IDisposable
{
    private const int HalfBytes = 64 * 1024;
    private const int Alignment = 16;

    private readonly IStaging _staging = stream.AllocateStaging(2 * HalfBytes);
    private readonly IDeviceEvent?[] _lastCopy = new IDeviceEvent?[2];
    private int _half;
    private int _used;

    /// <summary>Largest copy that goes through.</summary>
    public static int MaxBytes => HalfBytes;

    /// <summary>Copies; the source may be reused at once.</summary>
    public void Copy(ReadOnlySpan<byte> source, ArrayView<byte> destination)
    {
        if (_used + source.Length > HalfBytes)
        {
            _lastCopy[_half] = stream.Record();
            _half ^= 1;
            _used = 0;
            _lastCopy[_half]?.Wait();
            _lastCopy[_half]?.Dispose();
            _lastCopy[_half] = null;
        }

        int offset = (_half * HalfBytes) + _used;
        source.CopyTo(_staging.Bytes[offset..]);
        stream.CopyInStaged(_staging, offset, destination.SubView(0, source.Length));
        _used += (source.Length + Alignment - 1) / Alignment * Alignment;
    }

    public void Dispose()
    {
        foreach (IDeviceEvent? copy in _lastCopy)
        {
            copy?.Dispose();
        }

        _staging.Dispose();
    }
}
