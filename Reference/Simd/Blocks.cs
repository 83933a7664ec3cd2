using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace KvIL.Reference.Simd;

/// <summary>How a block of quantised weights becomes float32: the same bits as <see cref="Tensors.Dequantization"/>. A type argument of kernels.</summary>
internal unsafe interface IBlock
{
    /// <summary>Weights of a block.</summary>
    static abstract int Count { get; }

    /// <summary>Bytes of a block.</summary>
    static abstract int Bytes { get; }

    /// <summary>Gives all weights of a block to <paramref name="sink"/>, 32 at a time, in order unless said otherwise.</summary>
    /// <param name="block">The block, aligned or not.</param>
    /// <param name="scratch">Room for <see cref="Blocks.Scratch"/> numbers.</param>
    /// <param name="sink">Where they go.</param>
    static abstract void Unpack<TSink>(byte* block, float* scratch, ref TSink sink) where TSink : struct, ISink;
}

/// <summary>What is done with weights that have just been dequantised and lie in registers.</summary>
internal interface ISink
{
    /// <summary>Weights <paramref name="k"/> to <paramref name="k"/> + 31 of the block.</summary>
    void Take(int k, Vector256<float> w0, Vector256<float> w1, Vector256<float> w2, Vector256<float> w3);
}

/// <summary>Products of quantised weights.</summary>
internal static unsafe class Blocks
{
    /// <summary>Floats of the scratch of a block: 32 scales and minima.</summary>
    public const int Scratch = 32;

    /// <summary><c>Σ_k x[k] · weight[k]</c> in four chains of eight lanes; each byte of the weights is read once.</summary>
    [SkipLocalsInit]
    public static float Dot<TBlock>(float* x, byte* weight, int count) where TBlock : struct, IBlock
    {
        float* scratch = stackalloc float[Scratch];
        DotSink sink = default;
        for (int k = 0; k < count; k += TBlock.Count)
        {
            sink.X = x + k;
            TBlock.Unpack(weight, scratch, ref sink);
            weight += TBlock.Bytes;
        }

        return sink.Sum;
    }

    /// <summary>The bits of <see cref="Dot"/>, of weights that <see cref="Widen"/> wrote.</summary>
    public static float DotWidened(float* x, float* weight, int count)
    {
        DotSink sink = default;
        for (int k = 0; k < count; k += 32)
        {
            sink.X = x + k;
            float* w = weight + k;
            sink.Take(0, Vector256.Load(w), Vector256.Load(w + 8), Vector256.Load(w + 16), Vector256.Load(w + 24));
        }

        return sink.Sum;
    }

    /// <summary>Writes weights of whole blocks as float32.</summary>
    [SkipLocalsInit]
    public static void Widen<TBlock>(byte* source, float* destination, long count) where TBlock : struct, IBlock
    {
        float* scratch = stackalloc float[Scratch];
        StoreSink sink = default;
        for (long k = 0; k < count; k += TBlock.Count)
        {
            sink.Destination = destination + k;
            TBlock.Unpack(source, scratch, ref sink);
            source += TBlock.Bytes;
        }
    }

    /// <summary>The binary16 at an address, exactly, in all lanes.</summary>
    /// <remarks>
    /// Sign, exponent and fraction are shifted into place from two copies of the number in each lane, and the exponent is moved by 112. The rest
    /// goes by a branch that a tensor takes always or never: scales of super-blocks are often subnormal, and a binary32 subnormal on the way costs as much
    /// as the block.
    /// </remarks>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Half(byte* source)
    {
        const int smallestNormal = 0x400, infinity = 0x7C00;
        int magnitude = *(short*)source & 0x7FFF;
        if ((uint)(magnitude - smallestNormal) >= infinity - smallestNormal)
        {
            return Vector256.Create(SpecialHalf(*(short*)source));
        }

        Vector256<int> placed = (Vector256.Create(*(short*)source).AsInt32() >> 3) & Vector256.Create(unchecked((int)0x8FFFE000));
        return (placed + Vector256.Create(112 << 23)).AsSingle();
    }

    // Zero and subnormals are integers times 2⁻²⁴; infinity and NaN keep their fraction.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float SpecialHalf(int bits)
    {
        int fraction = bits & 0x3FF;
        int magnitude = (bits & 0x7C00) == 0
            ? BitConverter.SingleToInt32Bits(fraction * 5.9604645e-8f)
            : 0x7F800000 | (fraction << 13);
        return BitConverter.Int32BitsToSingle(magnitude | ((bits & 0x8000) << 16));
    }

    /// <summary>Eight bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Load8(byte* source)
    {
        if (Avx2.IsSupported)
        {
            return Avx2.ConvertToVector256Int32(source);
        }

        Vector128<ushort> words = Vector128.WidenLower(Vector128.CreateScalar(*(ulong*)source).AsByte());
        return Vector256.Create(Vector128.WidenLower(words), Vector128.WidenUpper(words)).AsInt32();
    }

    /// <summary>Eight signed bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Load8(sbyte* source)
    {
        if (Avx2.IsSupported)
        {
            return Avx2.ConvertToVector256Int32(source);
        }

        Vector128<short> words = Vector128.WidenLower(Vector128.CreateScalar(*(ulong*)source).AsSByte());
        return Vector256.Create(Vector128.WidenLower(words), Vector128.WidenUpper(words));
    }
}

/// <summary>Multiplies weights by x and adds them up.</summary>
internal unsafe struct DotSink : ISink
{
    private Vector256<float> _s0;
    private Vector256<float> _s1;
    private Vector256<float> _s2;
    private Vector256<float> _s3;

    /// <summary>The elements of x that meet the next block.</summary>
    public float* X;

    /// <summary>The sum so far.</summary>
    public readonly float Sum => Lanes.Sum((_s0 + _s1) + (_s2 + _s3));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Take(int k, Vector256<float> w0, Vector256<float> w1, Vector256<float> w2, Vector256<float> w3)
    {
        _s0 = Vector256.FusedMultiplyAdd(w0, Vector256.Load(X + k), _s0);
        _s1 = Vector256.FusedMultiplyAdd(w1, Vector256.Load(X + k + 8), _s1);
        _s2 = Vector256.FusedMultiplyAdd(w2, Vector256.Load(X + k + 16), _s2);
        _s3 = Vector256.FusedMultiplyAdd(w3, Vector256.Load(X + k + 24), _s3);
    }
}

/// <summary>Stores weights.</summary>
internal unsafe struct StoreSink : ISink
{
    /// <summary>Where the next block goes.</summary>
    public float* Destination;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Take(int k, Vector256<float> w0, Vector256<float> w1, Vector256<float> w2, Vector256<float> w3)
    {
        w0.Store(Destination + k);
        w1.Store(Destination + k + 8);
        w2.Store(Destination + k + 16);
        w3.Store(Destination + k + 24);
    }
}
