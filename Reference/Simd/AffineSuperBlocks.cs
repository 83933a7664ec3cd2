using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static System.Runtime.Intrinsics.Vector256;

namespace KvIL.Reference.Simd;

/// <summary><c>w = d · scale_g · q − dmin · min_g</c>, 16 groups of 16 weights of two bits. Products are exact, so fused or not is the same.</summary>
internal readonly unsafe struct Q2_KBlock : IBlock
{
    public static int Count => 256;

    public static int Bytes => 84;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack<TSink>(byte* block, float* scales, ref TSink sink) where TSink : struct, ISink
    {
        Vector256<float> d = Blocks.Half(block + 80), dmin = Blocks.Half(block + 82);
        float* mins = scales + 16;
        for (int g = 0; g < 16; g += 8)
        {
            Vector256<int> both = Blocks.Load8(block + g);
            (ConvertToSingle(Nibbles.Low(both)) * d).Store(scales + g);
            (ConvertToSingle(Nibbles.High(both)) * dmin).Store(mins + g);
        }

        for (int g = 0; g < 16; g += 2)
        {
            byte* q = block + 16 + (g / 8 * 32);
            int shift = g % 8;
            Vector256<float> s0 = Create(scales[g]), m0 = Create(mins[g]), s1 = Create(scales[g + 1]), m1 = Create(mins[g + 1]);
            sink.Take(
                16 * g, Weight(Blocks.Load8(q), shift, s0, m0), Weight(Blocks.Load8(q + 8), shift, s0, m0),
                Weight(Blocks.Load8(q + 16), shift, s1, m1), Weight(Blocks.Load8(q + 24), shift, s1, m1));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Weight(Vector256<int> q, int shift, Vector256<float> scale, Vector256<float> min) =>
        FusedMultiplyAdd(ConvertToSingle(ShiftRightLogical(q, shift) & Create(3)), scale, -min);
}

/// <summary><c>w = d · scale_g · nibble − dmin · min_g</c>, 8 groups of 32 weights.</summary>
internal readonly unsafe struct Q4_KBlock : IBlock
{
    public static int Count => 256;

    public static int Bytes => 144;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack<TSink>(byte* block, float* scales, ref TSink sink) where TSink : struct, ISink
    {
        float* mins = scales + 8;
        SixBits.ScalesAndMins(block, scales, mins);
        byte* q = block + 16;
        for (int g = 0; g < 8; g += 2)
        {
            Vector256<int> q0 = Blocks.Load8(q), q1 = Blocks.Load8(q + 8), q2 = Blocks.Load8(q + 16), q3 = Blocks.Load8(q + 24);
            Vector256<float> s = Create(scales[g]), m = Create(mins[g]);
            sink.Take(
                32 * g, Weight(Nibbles.Low(q0), s, m), Weight(Nibbles.Low(q1), s, m), Weight(Nibbles.Low(q2), s, m), Weight(Nibbles.Low(q3), s, m));
            s = Create(scales[g + 1]);
            m = Create(mins[g + 1]);
            sink.Take(
                (32 * g) + 32, Weight(Nibbles.High(q0), s, m), Weight(Nibbles.High(q1), s, m), Weight(Nibbles.High(q2), s, m), Weight(Nibbles.High(q3), s, m));
            q += 32;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Weight(Vector256<int> q, Vector256<float> scale, Vector256<float> minusMin) =>
        FusedMultiplyAdd(ConvertToSingle(q), scale, minusMin);
}

/// <summary><c>w = d · scale_g · (nibble + 16 high) − dmin · min_g</c>, 8 groups of 32 weights.</summary>
internal readonly unsafe struct Q5_KBlock : IBlock
{
    public static int Count => 256;

    public static int Bytes => 176;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack<TSink>(byte* block, float* scales, ref TSink sink) where TSink : struct, ISink
    {
        float* mins = scales + 8;
        SixBits.ScalesAndMins(block, scales, mins);
        byte* high = block + 16, q = block + 48;
        for (int g = 0; g < 8; g += 2)
        {
            Vector256<int> q0 = Blocks.Load8(q), q1 = Blocks.Load8(q + 8), q2 = Blocks.Load8(q + 16), q3 = Blocks.Load8(q + 24);
            Vector256<int> h0 = Blocks.Load8(high), h1 = Blocks.Load8(high + 8), h2 = Blocks.Load8(high + 16), h3 = Blocks.Load8(high + 24);
            Vector256<float> s = Create(scales[g]), m = Create(mins[g]);
            sink.Take(
                32 * g, Weight(Nibbles.Low(q0), h0, g, s, m), Weight(Nibbles.Low(q1), h1, g, s, m),
                Weight(Nibbles.Low(q2), h2, g, s, m), Weight(Nibbles.Low(q3), h3, g, s, m));
            s = Create(scales[g + 1]);
            m = Create(mins[g + 1]);
            sink.Take(
                (32 * g) + 32, Weight(Nibbles.High(q0), h0, g + 1, s, m), Weight(Nibbles.High(q1), h1, g + 1, s, m),
                Weight(Nibbles.High(q2), h2, g + 1, s, m), Weight(Nibbles.High(q3), h3, g + 1, s, m));
            q += 32;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Weight(Vector256<int> nibble, Vector256<int> high, int g, Vector256<float> scale, Vector256<float> minusMin)
    {
        Vector256<int> sixteen = ShiftRightLogical(ShiftLeft(high, 4), g) & Create(16);
        return FusedMultiplyAdd(ConvertToSingle(nibble | sixteen), scale, minusMin);
    }
}

/// <summary>Six-bit numbers in twelve bytes, four to a 32-bit word.</summary>
internal static unsafe class SixBits
{
    /// <summary>Writes <c>d · scale_g</c> and <c>−dmin · min_g</c> of a block that begins with d, dmin and twelve bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void ScalesAndMins(byte* block, float* scales, float* minusMins)
    {
        uint* words = (uint*)(block + 4);
        uint scaleLow = words[0] & 0x3F3F3F3F, scaleHigh = (words[2] & 0x0F0F0F0F) | ((words[0] >> 2) & 0x30303030);
        uint minLow = words[1] & 0x3F3F3F3F, minHigh = ((words[2] >> 4) & 0x0F0F0F0F) | ((words[1] >> 2) & 0x30303030);
        ulong scale = scaleLow | ((ulong)scaleHigh << 32), min = minLow | ((ulong)minHigh << 32);
        (ConvertToSingle(Blocks.Load8((byte*)&scale)) * Blocks.Half(block)).Store(scales);
        (-(ConvertToSingle(Blocks.Load8((byte*)&min)) * Blocks.Half(block + 2))).Store(minusMins);
    }

    /// <summary>Writes <c>d · (scale_g − 32)</c> of sixteen groups.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scales(byte* packed, Vector256<float> d, float* scales)
    {
        const uint Low = 0x0F0F0F0F, High = 0x30303030;
        uint* words = (uint*)packed;
        ulong first = (words[0] & Low) | ((words[2] << 4) & High) | ((ulong)((words[1] & Low) | ((words[2] << 2) & High)) << 32);
        ulong second = ((words[0] >> 4) & Low) | (words[2] & High) | ((ulong)(((words[1] >> 4) & Low) | ((words[2] >> 2) & High)) << 32);
        (ConvertToSingle(Blocks.Load8((byte*)&first) - Create(32)) * d).Store(scales);
        (ConvertToSingle(Blocks.Load8((byte*)&second) - Create(32)) * d).Store(scales + 8);
    }
}
