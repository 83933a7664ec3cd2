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
    public static void Unpack<TSink>(byte* block, float* scratch, ref TSink sink) where TSink : struct, ISink
    {
        Vector256<float> d = Blocks.Half(block + 80), dmin = Blocks.Half(block + 82);
        float* minusMins = scratch + 16;
        for (int g = 0; g < 16; g += 8)
        {
            Vector256<int> both = Blocks.Load8(block + g);
            (ConvertToSingle(Nibbles.Low(both)) * d).Store(scratch + g);
            (-(ConvertToSingle(Nibbles.High(both)) * dmin)).Store(minusMins + g);
        }

        for (int run = 0; run < 8; run++)
        {
            Vector256<byte> q = Packed.Part(Load(block + 16 + (run / 4 * 32)), run % 4 * 2, 3);
            int g = 2 * run;
            Packed.Affine(32 * run, q, scratch[g], minusMins[g], scratch[g + 1], minusMins[g + 1], ref sink);
        }
    }
}

/// <summary><c>w = d · scale_g · nibble − dmin · min_g</c>, 8 groups of 32 weights.</summary>
internal readonly unsafe struct Q4_KBlock : IBlock
{
    public static int Count => 256;

    public static int Bytes => 144;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack<TSink>(byte* block, float* scratch, ref TSink sink) where TSink : struct, ISink
    {
        float* minusMins = scratch + 8;
        SixBits.ScalesAndMins(block, scratch, minusMins);
        byte* q = block + 16;
        for (int g = 0; g < 8; g += 2)
        {
            Vector256<int> q0 = Blocks.Load8(q), q1 = Blocks.Load8(q + 8), q2 = Blocks.Load8(q + 16), q3 = Blocks.Load8(q + 24);
            Vector256<float> s = Create(scratch[g]), m = Create(minusMins[g]);
            sink.Take(
                32 * g, Weight(Nibbles.Low(q0), s, m), Weight(Nibbles.Low(q1), s, m), Weight(Nibbles.Low(q2), s, m), Weight(Nibbles.Low(q3), s, m));
            s = Create(scratch[g + 1]);
            m = Create(minusMins[g + 1]);
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
    public static void Unpack<TSink>(byte* block, float* scratch, ref TSink sink) where TSink : struct, ISink
    {
        float* minusMins = scratch + 8;
        SixBits.ScalesAndMins(block, scratch, minusMins);
        Vector256<byte> high = Load(block + 16);
        for (int g = 0; g < 8; g++)
        {
            Vector256<byte> nibble = Packed.Part(Load(block + 48 + (g / 2 * 32)), g % 2 * 4, 15);
            Vector256<byte> q = nibble | (Packed.Part(high, g, 1).AsUInt16() << 4).AsByte();
            Packed.Affine(32 * g, q, scratch[g], minusMins[g], scratch[g], minusMins[g], ref sink);
        }
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
