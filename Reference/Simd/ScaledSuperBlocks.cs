using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace KvIL.Reference.Simd;

/// <summary><c>w = d · scale_g · (low + 4 high − 4)</c>, 16 groups of 16 weights of three bits.</summary>
internal readonly unsafe struct Q3_KBlock : IBlock
{
    public static int Count => 256;

    public static int Bytes => 110;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack<TSink>(byte* block, float* scratch, ref TSink sink) where TSink : struct, ISink
    {
        SixBits.Scales(block + 96, Blocks.Half(block + 108), scratch);
        Vector256<byte> high = Vector256.Load(block);
        for (int run = 0; run < 8; run++)
        {
            Vector256<byte> low = Packed.Part(Vector256.Load(block + 32 + (run / 4 * 32)), run % 4 * 2, 3);
            Vector256<byte> q = (low | (Packed.Part(high, run, 1).AsUInt16() << 2).AsByte()) - Vector256.Create((byte)4);
            Packed.Scale(32 * run, q, scratch + (2 * run), ref sink);
        }
    }
}

/// <summary><c>w = d · scale_g · (nibble + 16 high − 32)</c>, 16 groups of 16 weights of six bits.</summary>
internal readonly unsafe struct Q6_KBlock : IBlock
{
    public static int Count => 256;

    public static int Bytes => 210;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Unpack<TSink>(byte* block, float* scratch, ref TSink sink) where TSink : struct, ISink
    {
        Vector256<float> d = Blocks.Half(block + 208);
        sbyte* scale = (sbyte*)block + 192;
        (Vector256.ConvertToSingle(Blocks.Load8(scale)) * d).Store(scratch);
        (Vector256.ConvertToSingle(Blocks.Load8(scale + 8)) * d).Store(scratch + 8);
        for (int half = 0; half < 2; half++)
        {
            // Shifts are constants here: the output head of most 4-bit models has this type, and is the largest matrix.
            Vector256<byte> first = Vector256.Load(block + (64 * half)), second = Vector256.Load(block + (64 * half) + 32);
            Vector256<ushort> high = Vector256.Load(block + 128 + (32 * half)).AsUInt16();
            float* scales = scratch + (8 * half);
            int k = 128 * half;
            Packed.Scale(k, Join(first, high << 4), scales, ref sink);
            Packed.Scale(k + 32, Join(second, high << 2), scales + 2, ref sink);
            Packed.Scale(k + 64, Join((first.AsUInt16() >> 4).AsByte(), high), scales + 4, ref sink);
            Packed.Scale(k + 96, Join((second.AsUInt16() >> 4).AsByte(), high >> 2), scales + 6, ref sink);
        }
    }

    // The low half of each byte, bits 4 and 5 of another, less 32.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<byte> Join(Vector256<byte> nibbles, Vector256<ushort> high) =>
        ((nibbles & Vector256.Create((byte)0x0F)) | (high.AsByte() & Vector256.Create((byte)0x30))) - Vector256.Create((byte)32);
}
