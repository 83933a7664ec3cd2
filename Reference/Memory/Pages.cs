using System.Runtime.InteropServices;
using KvIL.Backends;

namespace KvIL.Reference.Memory;

/// <summary>Zeroed memory that goes back to the operating system when freed, so that evicting rows really frees them.</summary>
/// <remarks>
/// The C library keeps freed blocks below a threshold that it raises by itself; large blocks are therefore mapped and
/// unmapped directly where the system is a Unix. Pages that nobody wrote take no memory.
/// </remarks>
internal static unsafe partial class Pages
{
    private const nuint Alignment = 64; // one cache line, one 512-bit vector
    private const long MapFrom = 64 * 1024;

    private const int ReadWrite = 1 | 2;
    private static readonly int s_privateAnonymous = OperatingSystem.IsMacOS() ? 0x0002 | 0x1000 : 0x02 | 0x20;

    /// <summary>Allocates <paramref name="bytes"/> zeroed bytes, aligned to a vector.</summary>
    /// <exception cref="InsufficientDeviceMemoryException">The system refuses.</exception>
    public static byte* Allocate(long bytes)
    {
        try
        {
            if (IsMapped(bytes))
            {
                nint address = Map(0, (nuint)bytes, ReadWrite, s_privateAnonymous, -1, 0);
                return address != -1 ? (byte*)address : throw new OutOfMemoryException();
            }

            nuint size = (nuint)Math.Max(bytes, 1);
            byte* block = (byte*)NativeMemory.AlignedAlloc(size, Alignment);
            NativeMemory.Clear(block, size);
            return block;
        }
        catch (OutOfMemoryException)
        {
            throw new InsufficientDeviceMemoryException(
                $"The system refused {bytes:N0} bytes of memory; use a smaller budget, context or model.");
        }
    }

    /// <summary>Frees what <see cref="Allocate"/> gave for the same size.</summary>
    public static void Free(byte* block, long bytes)
    {
        if (!IsMapped(bytes))
        {
            NativeMemory.AlignedFree(block);
        }
        else if (Unmap((nint)block, (nuint)bytes) != 0)
        {
            throw new InvalidOperationException($"Unmapping {bytes:N0} bytes failed.");
        }
    }

    private static bool IsMapped(long bytes) => bytes >= MapFrom && !OperatingSystem.IsWindows();

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Map(nint address, nuint length, int protection, int flags, int file, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap", SetLastError = true)]
    private static partial int Unmap(nint address, nuint length);
}
