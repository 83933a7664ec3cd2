using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static System.Runtime.Intrinsics.Vector256;

namespace KvIL.Reference.Simd;

/// <summary><c>w = d · q</c>: d, then 32 signed bytes.</summary>
internal readonly unsafe struct Q8_0Block : IBlock
{
    public static int Count => 32;

    public static int Bytes => 34;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack<TSink>(byte* block, float* scratch, ref TSink sink) where TSink : struct, ISink
    {
        Vector256<float> d = Blocks.Half(block);
        sbyte* q = (sbyte*)block + 2;
        sink.Take(
            0, ConvertToSingle(Blocks.Load8(q)) * d, ConvertToSingle(Blocks.Load8(q + 8)) * d,
            ConvertToSingle(Blocks.Load8(q + 16)) * d, ConvertToSingle(Blocks.Load8(q + 24)) * d);
    }
}

/// <summary><c>w = d · (nibble − 8)</c>: d, then 16 bytes of nibbles.</summary>
internal readonly unsafe struct Q4_0Block : IBlock
{
    public static int Count => 32;

    public static int Bytes => 18;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack<TSink>(byte* block, float* scratch, ref TSink sink) where TSink : struct, ISink
    {
        Vector256<float> d = Blocks.Half(block);
        Vector256<int> first = Blocks.Load8(block + 2), second = Blocks.Load8(block + 10);
        sink.Take(
            0, Weight(Nibbles.Low(first), d), Weight(Nibbles.Low(second), d), Weight(Nibbles.High(first), d), Weight(Nibbles.High(second), d));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Weight(Vector256<int> nibble, Vector256<float> d) => ConvertToSingle(nibble - Create(8)) * d;
}

/// <summary><c>w = d · nibble + m</c>: d, m, then 16 bytes of nibbles. The product is exact, so fused or not is the same.</summary>
internal readonly unsafe struct Q4_1Block : IBlock
{
    public static int Count => 32;

    public static int Bytes => 20;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack<TSink>(byte* block, float* scratch, ref TSink sink) where TSink : struct, ISink
    {
        Vector256<float> d = Blocks.Half(block), m = Blocks.Half(block + 2);
        Vector256<int> first = Blocks.Load8(block + 4), second = Blocks.Load8(block + 12);
        sink.Take(
            0, Weight(Nibbles.Low(first), d, m), Weight(Nibbles.Low(second), d, m), Weight(Nibbles.High(first), d, m), Weight(Nibbles.High(second), d, m));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Weight(Vector256<int> nibble, Vector256<float> d, Vector256<float> m) =>
        FusedMultiplyAdd(ConvertToSingle(nibble), d, m);
}

/// <summary><c>w = d · (nibble + 16 high − 16)</c>: d, 32 high bits, then 16 bytes of nibbles.</summary>
internal readonly unsafe struct Q5_0Block : IBlock
{
    public static int Count => 32;

    public static int Bytes => 22;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack<TSink>(byte* block, float* scratch, ref TSink sink) where TSink : struct, ISink
    {
        Vector256<float> d = Blocks.Half(block);
        Vector256<int> high = Create(*(int*)(block + 2)), first = Blocks.Load8(block + 6), second = Blocks.Load8(block + 14);
        sink.Take(
            0, Weight(Nibbles.Low(first), high, Create(0x1), d), Weight(Nibbles.Low(second), high, Create(0x100), d),
            Weight(Nibbles.High(first), high, Create(0x10000), d), Weight(Nibbles.High(second), high, Create(0x1000000), d));
    }

    // A clear bit sets all bits above the nibble, which is − 16.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Weight(Vector256<int> nibble, Vector256<int> high, Vector256<int> first, Vector256<float> d) =>
        ConvertToSingle(nibble | (Nibbles.IsClear(high, first) & Create(-16))) * d;
}

/// <summary><c>w = d · (nibble + 16 high) + m</c>: d, m, 32 high bits, then 16 bytes of nibbles.</summary>
internal readonly unsafe struct Q5_1Block : IBlock
{
    public static int Count => 32;

    public static int Bytes => 24;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack<TSink>(byte* block, float* scratch, ref TSink sink) where TSink : struct, ISink
    {
        Vector256<float> d = Blocks.Half(block), m = Blocks.Half(block + 2);
        Vector256<int> high = Create(*(int*)(block + 4)), first = Blocks.Load8(block + 8), second = Blocks.Load8(block + 16);
        sink.Take(
            0, Weight(Nibbles.Low(first), high, Create(0x1), d, m), Weight(Nibbles.Low(second), high, Create(0x100), d, m),
            Weight(Nibbles.High(first), high, Create(0x10000), d, m), Weight(Nibbles.High(second), high, Create(0x1000000), d, m));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Weight(
        Vector256<int> nibble, Vector256<int> high, Vector256<int> first, Vector256<float> d, Vector256<float> m) =>
        FusedMultiplyAdd(ConvertToSingle(nibble | AndNot(Create(16), Nibbles.IsClear(high, first))), d, m);
}

/// <summary>Parts of bytes that lie in eight lanes of 32 bits.</summary>
internal static class Nibbles
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Low(Vector256<int> bytes) => bytes & Create(15);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> High(Vector256<int> bytes) => ShiftRightLogical(bytes, 4);

    /// <summary>All ones in lane i where bit i above that of <paramref name="first"/> is clear; else 0.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> IsClear(Vector256<int> bits, Vector256<int> first) =>
        Vector256.Equals(bits & (first * Create(1, 2, 4, 8, 16, 32, 64, 128)), Vector256<int>.Zero);
}
