using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using KvIL.Tensors;

namespace KvIL.Reference.Simd;

/// <summary>How a stored element becomes float32: exactly. A type argument of kernels, so that each is written once.</summary>
internal unsafe interface IElement
{
    /// <summary>Bytes of one element.</summary>
    static abstract int Bytes { get; }

    /// <summary>Element <paramref name="index"/>.</summary>
    static abstract float Load(byte* source, long index);

    /// <summary>Elements <paramref name="index"/> to <paramref name="index"/> + 7.</summary>
    static abstract Vector256<float> Load8(byte* source, long index);
}

/// <summary>binary32.</summary>
internal readonly unsafe struct F32Element : IElement
{
    public static int Bytes => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(byte* source, long index) => ((float*)source)[index];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load8(byte* source, long index) => Vector256.Load((float*)source + index);
}

/// <summary>bfloat16: the upper half of a binary32, so widening is a shift.</summary>
internal readonly unsafe struct BF16Element : IElement
{
    public static int Bytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(byte* source, long index) => BitConverter.Int32BitsToSingle(((ushort*)source)[index] << 16);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load8(byte* source, long index) => (Elements.Load8((short*)source + index) << 16).AsSingle();
}

/// <summary>binary16. .NET has no public instruction for it: exponent and fraction are shifted into place and rescaled by 2¹¹², which is exact for subnormals too.</summary>
internal readonly unsafe struct F16Element : IElement
{
    public static int Bytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Load(byte* source, long index) => (float)((Half*)source)[index];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load8(byte* source, long index)
    {
        // Sign-extended, so that one shift and one mask place sign (bit 31), exponent (27 to 23) and fraction (22 to 13).
        Vector256<int> placed = (Elements.Load8((short*)source + index) << 13) & Vector256.Create(unchecked((int)0x8FFFE000));
        Vector256<float> finite = placed.AsSingle() * Vector256.Create(5.192296858534828e33f); // 2¹¹²

        // Infinity and NaN came out as 65536 or more; they keep their fraction and get all exponent bits.
        Vector256<int> isSpecial = Vector256.GreaterThanOrEqual(Vector256.Abs(finite), Vector256.Create(65536f)).AsInt32();
        return (finite.AsInt32() | (isSpecial & Vector256.Create(0x7F800000))).AsSingle();
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

    /// <summary>Eight 16-bit elements, sign-extended.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<int> Load8(short* source)
    {
        if (Avx2.IsSupported)
        {
            return Avx2.ConvertToVector256Int32(source);
        }

        Vector128<short> packed = Vector128.Load(source);
        return Vector256.Create(Vector128.WidenLower(packed), Vector128.WidenUpper(packed));
    }

    /// <summary><c>destination[i] = source[i]</c>, exactly.</summary>
    public static void Widen<TElement>(byte* source, float* destination, long count) where TElement : struct, IElement
    {
        long i = 0;
        for (; i <= count - Lanes.Count; i += Lanes.Count)
        {
            TElement.Load8(source, i).Store(destination + i);
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

    /// <summary><c>Σ_k x[k] · weight[k]</c> in eight chains of eight lanes.</summary>
    public static float Dot<TElement>(float* x, byte* weight, int count) where TElement : struct, IElement
    {
        Vector256<float> s0 = default, s1 = default, s2 = default, s3 = default;
        Vector256<float> s4 = default, s5 = default, s6 = default, s7 = default;
        int k = 0;
        for (; k <= count - 64; k += 64)
        {
            s0 = Vector256.FusedMultiplyAdd(TElement.Load8(weight, k), Vector256.Load(x + k), s0);
            s1 = Vector256.FusedMultiplyAdd(TElement.Load8(weight, k + 8), Vector256.Load(x + k + 8), s1);
            s2 = Vector256.FusedMultiplyAdd(TElement.Load8(weight, k + 16), Vector256.Load(x + k + 16), s2);
            s3 = Vector256.FusedMultiplyAdd(TElement.Load8(weight, k + 24), Vector256.Load(x + k + 24), s3);
            s4 = Vector256.FusedMultiplyAdd(TElement.Load8(weight, k + 32), Vector256.Load(x + k + 32), s4);
            s5 = Vector256.FusedMultiplyAdd(TElement.Load8(weight, k + 40), Vector256.Load(x + k + 40), s5);
            s6 = Vector256.FusedMultiplyAdd(TElement.Load8(weight, k + 48), Vector256.Load(x + k + 48), s6);
            s7 = Vector256.FusedMultiplyAdd(TElement.Load8(weight, k + 56), Vector256.Load(x + k + 56), s7);
        }

        for (; k <= count - Lanes.Count; k += Lanes.Count)
        {
            s0 = Vector256.FusedMultiplyAdd(TElement.Load8(weight, k), Vector256.Load(x + k), s0);
        }

        float sum = Lanes.Sum(((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7)));
        for (; k < count; k++)
        {
            sum = MathF.FusedMultiplyAdd(x[k], TElement.Load(weight, k), sum);
        }

        return sum;
    }
}
