namespace KvIL.Tensors;

/// <summary>A run of bytes in this process's address space that somebody else owns, such as a tensor in a mapped file.</summary>
/// <remarks>
/// A pointer and a length rather than a span, because a tensor may exceed 2 GiB. <see cref="Owner"/> keeps the
/// mapping alive for as long as the value is reachable.
/// </remarks>
/// <param name="Address">Address of the first byte.</param>
/// <param name="LengthBytes">Length in bytes.</param>
/// <param name="Owner">The object whose lifetime bounds the memory's.</param>
public readonly record struct HostMemory(nint Address, long LengthBytes, object Owner)
{
    /// <summary>The part that starts at <paramref name="offset"/> and is <paramref name="lengthBytes"/> long.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The part does not lie inside this memory.</exception>
    public HostMemory Slice(long offset, long lengthBytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        ArgumentOutOfRangeException.ThrowIfNegative(lengthBytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lengthBytes, LengthBytes - offset);
        return new(Address + (nint)offset, lengthBytes, Owner);
    }

    /// <summary>The memory as a span.</summary>
    /// <exception cref="OverflowException">It is longer than a span can be (2 GiB); slice it first.</exception>
    public unsafe Span<byte> AsSpan() => new((void*)Address, checked((int)LengthBytes));
}
