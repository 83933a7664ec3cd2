using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KvIL.Tensors;

namespace KvIL.Reference.Simd;

/// <summary>How a stored element becomes float32: exactly. A type argument of kernels, so that each is written once.</summary>
internal unsafe interface IElement
{
    /// <summary>Bytes of one element.</summary>
    static abstract int Bytes { get; }

    /// <summary>Element <paramref name="index"/>.</summary>
    static abstract float Load(byte* source, long index);

    /// <summary>Elements <paramref name="index"/> to <paramref name="index"/> + 31, lower then upper half.</summary>
    static abstract (Vector512<float> Lower, Vector512<float> Upper) Load32(byte* source, long index);
}

/// <summary>binary32.</summary>
internal readonly unsafe struct F32Element : IElement
{
    public static int Bytes => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(byte* source, long index) => ((float*)source)[index];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<float> Lower, Vector512<float> Upper) Load32(byte* source, long index) =>
        (Vector512.Load((float*)source + index), Vector512.Load((float*)source + index + 16));
}

/// <summary>bfloat16: the upper half of a binary32, so widening is a shift.</summary>
internal readonly unsafe struct BF16Element : IElement
{
    public static int Bytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(byte* source, long index) => BitConverter.Int32BitsToSingle(((ushort*)source)[index] << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<float> Lower, Vector512<float> Upper) Load32(byte* source, long index)
    {
        (Vector512<uint> lower, Vector512<uint> upper) = Vector512.Widen(Vector512.Load((ushort*)source + index));
        return ((lower << 16).AsSingle(), (upper << 16).AsSingle());
    }
}

/// <summary>binary16. .NET has no public instruction for it: exponent and fraction are shifted into place and rescaled by 2¹¹², which is exact for subnormals too.</summary>
internal readonly unsafe struct F16Element : IElement
{
    public static int Bytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(byte* source, long index) => (float)((Half*)source)[index];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static (Vector512<float> Lower, Vector512<float> Upper) Load32(byte* source, long index)
    {
        (Vector512<uint> lower, Vector512<uint> upper) = Vector512.Widen(Vector512.Load((ushort*)source + index));
        return (Widen(lower), Widen(upper));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Widen(Vector512<uint> half)
    {
        Vector512<uint> magnitude = (half & Vector512.Create(0x7FFFu)) << 13;
        Vector512<uint> sign = (half & Vector512.Create(0x8000u)) << 16;
        Vector512<uint> finite = (magnitude.AsSingle() * Vector512.Create(5.192296858534828e33f)).AsUInt32(); // 2¹¹²
        Vector512<uint> special = magnitude | Vector512.Create(0x7F800000u); // infinity and NaN keep all exponent bits
        Vector512<uint> isSpecial = Vector512.GreaterThan(magnitude, Vector512.Create(0x0F7FFFFFu));
        return (Vector512.ConditionalSelect(isSpecial, special, finite) | sign).AsSingle();
    }
}

/// <summary>Runs a generic action for the element type of a tensor.</summary>
internal interface IElementAction
{
    /// <summary>The action, for one element type.</summary>
    void Run<TElement>() where TElement : struct, IElement;
}

/// <summary>Operations over runs of elements of any type.</summary>
internal static unsafe class Elements
{
    /// <summary>Chooses the type argument that stands for <paramref name="type"/>.</summary>
    /// <exception cref="NotSupportedException">The type is no float type.</exception>
    public static void Dispatch<TAction>(DType type, TAction action) where TAction : struct, IElementAction
    {
        switch (type)
        {
            case DType.F32: action.Run<F32Element>(); break;
            case DType.F16: action.Run<F16Element>(); break;
            case DType.BF16: action.Run<BF16Element>(); break;
            default: throw new NotSupportedException($"cpu: no arithmetic on {type}.");
        }
    }

    /// <summary><c>destination[i] = source[i]</c>, exactly.</summary>
    public static void Widen<TElement>(byte* source, float* destination, long count) where TElement : struct, IElement
    {
        long i = 0;
        for (; i <= count - 32; i += 32)
        {
            (Vector512<float> lower, Vector512<float> upper) = TElement.Load32(source, i);
            lower.Store(destination + i);
            upper.Store(destination + i + 16);
        }

        for (; i < count; i++)
        {
            destination[i] = TElement.Load(source, i);
        }
    }

    /// <summary>Widens elements of a type known at run time.</summary>
    public static void Widen(DType type, byte* source, float* destination, long count)
    {
        switch (type)
        {
            case DType.F32: Widen<F32Element>(source, destination, count); break;
            case DType.F16: Widen<F16Element>(source, destination, count); break;
            case DType.BF16: Widen<BF16Element>(source, destination, count); break;
            default: throw new NotSupportedException($"cpu: no arithmetic on {type}.");
        }
    }

    /// <summary><c>Σ_k x[k] · weight[k]</c> in four chains of sixteen lanes.</summary>
    public static float Dot<TElement>(float* x, byte* weight, int count) where TElement : struct, IElement
    {
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
        int k = 0;
        for (; k <= count - 64; k += 64)
        {
            (Vector512<float> w0, Vector512<float> w1) = TElement.Load32(weight, k);
            (Vector512<float> w2, Vector512<float> w3) = TElement.Load32(weight, k + 32);
            s0 = Vector512.FusedMultiplyAdd(w0, Vector512.Load(x + k), s0);
            s1 = Vector512.FusedMultiplyAdd(w1, Vector512.Load(x + k + 16), s1);
            s2 = Vector512.FusedMultiplyAdd(w2, Vector512.Load(x + k + 32), s2);
            s3 = Vector512.FusedMultiplyAdd(w3, Vector512.Load(x + k + 48), s3);
        }

        for (; k <= count - 32; k += 32)
        {
            (Vector512<float> w0, Vector512<float> w1) = TElement.Load32(weight, k);
            s0 = Vector512.FusedMultiplyAdd(w0, Vector512.Load(x + k), s0);
            s1 = Vector512.FusedMultiplyAdd(w1, Vector512.Load(x + k + 16), s1);
        }

        float sum = Lanes.Sum((s0 + s2) + (s1 + s3));
        for (; k < count; k++)
        {
            sum = MathF.FusedMultiplyAdd(x[k], TElement.Load(weight, k), sum);
        }

        return sum;
    }
}
