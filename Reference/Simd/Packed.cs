using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KvIL.Reference.Simd;

/// <summary>32 small integers, one a byte: unpacked at once, then widened in registers: loads of parts of what was just stored wait for it.</summary>
internal static unsafe class Packed
{
    /// <summary>Bits <paramref name="shift"/> and up of each byte, as far as <paramref name="mask"/> has them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Part(Vector256<byte> bytes, int shift, byte mask) =>
        (bytes.AsUInt16() >> shift).AsByte() & Vector256.Create(mask);

    /// <summary><c>w = scale · q</c>, the first 16 weights by one scale, the others by another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale<TSink>(int k, Vector256<byte> q, float* scales, ref TSink sink) where TSink : struct, ISink
    {
        Vector256<float> first = Vector256.Create(scales[0]), second = Vector256.Create(scales[1]);
        Vector128<sbyte> low = q.GetLower().AsSByte(), high = q.GetUpper().AsSByte();
        sink.Take(k, Lower(low) * first, Upper(low) * first, Lower(high) * second, Upper(high) * second);
    }

    /// <summary><c>w = scale · q − min</c>, given −min. The product is exact, so fused or not is the same.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Affine<TSink>(
        int k, Vector256<byte> q, float scale0, float minus0, float scale1, float minus1, ref TSink sink) where TSink : struct, ISink
    {
        Vector256<float> s0 = Vector256.Create(scale0), m0 = Vector256.Create(minus0), s1 = Vector256.Create(scale1), m1 = Vector256.Create(minus1);
        Vector128<sbyte> low = q.GetLower().AsSByte(), high = q.GetUpper().AsSByte();
        sink.Take(
            k, Vector256.FusedMultiplyAdd(Lower(low), s0, m0), Vector256.FusedMultiplyAdd(Upper(low), s0, m0),
            Vector256.FusedMultiplyAdd(Lower(high), s1, m1), Vector256.FusedMultiplyAdd(Upper(high), s1, m1));
    }

    // Eight bytes of sixteen.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Upper(Vector128<sbyte> bytes) => Lower(Vector128.Shuffle(bytes.AsInt64(), Vector128.Create(1L, 1L)).AsSByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Lower(Vector128<sbyte> bytes)
    {
        if (Avx2.IsSupported)
        {
            return Vector256.ConvertToSingle(Avx2.ConvertToVector256Int32(bytes));
        }

        Vector128<short> words = Vector128.WidenLower(bytes);
        return Vector256.ConvertToSingle(Vector256.Create(Vector128.WidenLower(words), Vector128.WidenUpper(words)));
    }
}
