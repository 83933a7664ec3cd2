using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using static System.Runtime.Intrinsics.Vector256;

namespace KvIL.Reference.Simd;

/// <summary><c>w = d · scale_g · (low + 4 high − 4)</c>, 16 groups of 16 weights of three bits.</summary>
internal readonly unsafe struct Q3_KBlock : IBlock
{
    public static int Count => 256;

    public static int Bytes => 110;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack<TSink>(byte* block, float* scales, ref TSink sink) where TSink : struct, ISink
    {
        SixBits.Scales(block + 96, Blocks.Half(block + 108), scales);
        Vector256<int> h0 = Blocks.Load8(block), h1 = Blocks.Load8(block + 8), h2 = Blocks.Load8(block + 16), h3 = Blocks.Load8(block + 24);
        for (int run = 0; run < 8; run++)
        {
            byte* q = block + 32 + (run / 4 * 32);
            Vector256<float> s0 = Create(scales[2 * run]), s1 = Create(scales[(2 * run) + 1]);
            sink.Take(
                32 * run, Weight(Blocks.Load8(q), h0, run, s0), Weight(Blocks.Load8(q + 8), h1, run, s0),
                Weight(Blocks.Load8(q + 16), h2, run, s1), Weight(Blocks.Load8(q + 24), h3, run, s1));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Weight(Vector256<int> low, Vector256<int> high, int run, Vector256<float> scale)
    {
        Vector256<int> four = ShiftRightLogical(ShiftLeft(high, 2), run) & Create(4);
        Vector256<int> two = ShiftRightLogical(low, run % 4 * 2) & Create(3);
        return ConvertToSingle((two | four) - Create(4)) * scale;
    }
}

/// <summary><c>w = d · scale_g · (nibble + 16 high − 32)</c>, 16 groups of 16 weights of six bits.</summary>
internal readonly unsafe struct Q6_KBlock : IBlock
{
    public static int Count => 256;

    public static int Bytes => 210;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack<TSink>(byte* block, float* scales, ref TSink sink) where TSink : struct, ISink
    {
        Vector256<float> d = Blocks.Half(block + 208);
        sbyte* scale = (sbyte*)block + 192;
        (ConvertToSingle(Blocks.Load8(scale)) * d).Store(scales);
        (ConvertToSingle(Blocks.Load8(scale + 8)) * d).Store(scales + 8);
        for (int half = 0; half < 2; half++)
        {
            Half(block + (64 * half), block + 128 + (32 * half), 128 * half, scales + (8 * half), ref sink);
        }
    }

    // Weights 16c to 16c + 15 of each of the four runs of a half come from the same bytes; runs are taken two at a time.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Half<TSink>(byte* low, byte* high, int k, float* scales, ref TSink sink) where TSink : struct, ISink
    {
        Vector256<int> h0 = Blocks.Load8(high), h1 = Blocks.Load8(high + 8), h2 = Blocks.Load8(high + 16), h3 = Blocks.Load8(high + 24);
        for (int run = 0; run < 2; run++)
        {
            byte* q = low + (32 * run);
            Vector256<int> q0 = Blocks.Load8(q), q1 = Blocks.Load8(q + 8), q2 = Blocks.Load8(q + 16), q3 = Blocks.Load8(q + 24);
            Vector256<float> s0 = Create(scales[2 * run]), s1 = Create(scales[(2 * run) + 1]);
            int shift = 2 * run;
            sink.Take(
                k + (32 * run), Weight(Nibbles.Low(q0), h0, shift, s0), Weight(Nibbles.Low(q1), h1, shift, s0),
                Weight(Nibbles.Low(q2), h2, shift, s1), Weight(Nibbles.Low(q3), h3, shift, s1));
            s0 = Create(scales[(2 * run) + 4]);
            s1 = Create(scales[(2 * run) + 5]);
            shift += 4;
            sink.Take(
                k + 64 + (32 * run), Weight(Nibbles.High(q0), h0, shift, s0), Weight(Nibbles.High(q1), h1, shift, s0),
                Weight(Nibbles.High(q2), h2, shift, s1), Weight(Nibbles.High(q3), h3, shift, s1));
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Weight(Vector256<int> nibble, Vector256<int> high, int shift, Vector256<float> scale)
    {
        Vector256<int> sixteens = ShiftLeft(ShiftRightLogical(high, shift) & Create(3), 4);
        return ConvertToSingle((nibble | sixteens) - Create(32)) * scale;
    }
}
