using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KvIL.Reference.Simd;

/// <summary>32 small integers, one a byte: unpacked at once, then widened through memory, which costs less than shuffling them there.</summary>
internal static unsafe class Packed
{
    /// <summary>Bits <paramref name="shift"/> and up of each byte, as far as <paramref name="mask"/> has them.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> Part(Vector256<byte> bytes, int shift, byte mask) =>
        (bytes.AsUInt16() >> shift).AsByte() & Vector256.Create(mask);

    /// <summary><c>w = scale · q</c>, the first 16 weights by one scale, the others by another.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale<TSink>(int k, Vector256<byte> q, float* scales, float* scratch, ref TSink sink) where TSink : struct, ISink
    {
        sbyte* b = (sbyte*)(scratch + 32);
        q.Store((byte*)b);
        Vector256<float> first = Vector256.Create(scales[0]), second = Vector256.Create(scales[1]);
        sink.Take(
            k, Vector256.ConvertToSingle(Blocks.Load8(b)) * first, Vector256.ConvertToSingle(Blocks.Load8(b + 8)) * first,
            Vector256.ConvertToSingle(Blocks.Load8(b + 16)) * second, Vector256.ConvertToSingle(Blocks.Load8(b + 24)) * second);
    }

    /// <summary><c>w = scale · q − min</c>, given −min. The product is exact, so fused or not is the same.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Affine<TSink>(
        int k, Vector256<byte> q, float scale0, float minus0, float scale1, float minus1, float* scratch, ref TSink sink) where TSink : struct, ISink
    {
        sbyte* b = (sbyte*)(scratch + 32);
        q.Store((byte*)b);
        Vector256<float> s0 = Vector256.Create(scale0), m0 = Vector256.Create(minus0), s1 = Vector256.Create(scale1), m1 = Vector256.Create(minus1);
        sink.Take(
            k, Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(Blocks.Load8(b)), s0, m0),
            Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(Blocks.Load8(b + 8)), s0, m0),
            Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(Blocks.Load8(b + 16)), s1, m1),
            Vector256.FusedMultiplyAdd(Vector256.ConvertToSingle(Blocks.Load8(b + 24)), s1, m1));
    }
}
