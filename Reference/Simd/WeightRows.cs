using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KvIL.Tensors;

namespace KvIL.Reference.Simd;

/// <summary>How rows of a weight are read in their stored type. A type argument of kernels, so that each is written once.</summary>
internal unsafe interface IWeightRows
{
    /// <summary>Whether the stored bytes are float32 already.</summary>
    static abstract bool IsF32 { get; }

    /// <summary>Whether widening a row costs more than reading it, so that several x share it.</summary>
    static virtual bool SharesWidened => false;

    /// <summary><c>Σ_k x[k] · row[k]</c>, dequantised in registers.</summary>
    static abstract float Dot(float* x, byte* row, int count);

    /// <summary>Four such sums at once, each with the bits that <see cref="Dot"/> gives, of rows <paramref name="stride"/> bytes apart.</summary>
    static abstract Vector128<float> DotFour(float* x, byte* row, long stride, int count);

    /// <summary>The bits of <see cref="Dot"/>, of a row that <see cref="Widen"/> wrote; only where rows are shared widened.</summary>
    static virtual float DotWidened(float* x, float* row, int count) => throw new NotSupportedException();

    /// <summary>Writes <paramref name="count"/> weights from a row's start as float32, exactly.</summary>
    static abstract void Widen(byte* row, float* destination, long count);
}

/// <summary>Elements side by side.</summary>
internal readonly unsafe struct PlainRows<TElement> : IWeightRows where TElement : struct, IElement
{
    public static bool IsF32 => typeof(TElement) == typeof(F32Element);

    public static float Dot(float* x, byte* row, int count)
    {
        RowSum sum = default;
        int k = 0;
        for (; k <= count - 16; k += 16)
        {
            sum.Add(TElement.Load8(row, k), TElement.Load8(row, k + 8), Vector256.Load(x + k), Vector256.Load(x + k + 8));
        }

        return sum.Total<TElement>(x, row, k, count);
    }

    public static Vector128<float> DotFour(float* x, byte* row, long stride, int count)
    {
        byte* row1 = row + stride, row2 = row1 + stride, row3 = row2 + stride;
        RowSum sum0 = default, sum1 = default, sum2 = default, sum3 = default;
        int k = 0;
        for (; k <= count - 16; k += 16)
        {
            Vector256<float> x0 = Vector256.Load(x + k), x1 = Vector256.Load(x + k + 8);
            sum0.Add(TElement.Load8(row, k), TElement.Load8(row, k + 8), x0, x1);
            sum1.Add(TElement.Load8(row1, k), TElement.Load8(row1, k + 8), x0, x1);
            sum2.Add(TElement.Load8(row2, k), TElement.Load8(row2, k + 8), x0, x1);
            sum3.Add(TElement.Load8(row3, k), TElement.Load8(row3, k + 8), x0, x1);
        }

        return Vector128.Create(
            sum0.Total<TElement>(x, row, k, count), sum1.Total<TElement>(x, row1, k, count),
            sum2.Total<TElement>(x, row2, k, count), sum3.Total<TElement>(x, row3, k, count));
    }

    public static void Widen(byte* row, float* destination, long count) => Elements.Widen<TElement>(row, destination, count);
}

/// <summary>Quantised blocks side by side.</summary>
internal readonly unsafe struct BlockRows<TBlock> : IWeightRows where TBlock : struct, IBlock
{
    public static bool IsF32 => false;

    public static bool SharesWidened => true;

    public static float Dot(float* x, byte* row, int count) => Blocks.Dot<TBlock>(x, row, count);

    public static float DotWidened(float* x, float* row, int count) => Blocks.DotWidened(x, row, count);

    // Unpacking takes longer than reading, and its registers are taken.
    public static Vector128<float> DotFour(float* x, byte* row, long stride, int count) => Vector128.Create(
        Dot(x, row, count), Dot(x, row + stride, count), Dot(x, row + (2 * stride), count), Dot(x, row + (3 * stride), count));

    public static void Widen(byte* row, float* destination, long count) => Blocks.Widen<TBlock>(row, destination, count);
}

/// <summary>Runs a generic action for the stored type of a weight.</summary>
internal interface IWeightAction
{
    /// <summary>The action, for one stored type.</summary>
    void Run<TRows>() where TRows : struct, IWeightRows;
}

/// <summary>Rows of weights of any stored type.</summary>
internal static unsafe class WeightRows
{
    /// <summary>Chooses the type argument that stands for <paramref name="type"/>.</summary>
    /// <exception cref="NotSupportedException">The type is no type of weights.</exception>
    public static void Dispatch<TAction>(DType type, TAction action) where TAction : struct, IWeightAction
    {
        switch (type)
        {
            case DType.F32: action.Run<PlainRows<F32Element>>(); break;
            case DType.F16: action.Run<PlainRows<F16Element>>(); break;
            case DType.BF16: action.Run<PlainRows<BF16Element>>(); break;
            case DType.Q8_0: action.Run<BlockRows<Q8_0Block>>(); break;
            case DType.Q4_0: action.Run<BlockRows<Q4_0Block>>(); break;
            case DType.Q4_1: action.Run<BlockRows<Q4_1Block>>(); break;
            case DType.Q5_0: action.Run<BlockRows<Q5_0Block>>(); break;
            case DType.Q5_1: action.Run<BlockRows<Q5_1Block>>(); break;
            case DType.Q2_K: action.Run<BlockRows<Q2_KBlock>>(); break;
            case DType.Q3_K: action.Run<BlockRows<Q3_KBlock>>(); break;
            case DType.Q4_K: action.Run<BlockRows<Q4_KBlock>>(); break;
            case DType.Q5_K: action.Run<BlockRows<Q5_KBlock>>(); break;
            case DType.Q6_K: action.Run<BlockRows<Q6_KBlock>>(); break;
            default: throw new NotSupportedException($"cpu: no weights of {type}.");
        }
    }

    /// <summary>Widens weights of a type known at run time, from the start of a block on.</summary>
    public static void Widen(DType type, byte* source, float* destination, long count) =>
        Dispatch(type, new WidenAction((nint)source, (nint)destination, count));

    /// <summary>Widens <paramref name="count"/> weights from element <paramref name="first"/> on, which may lie inside a block.</summary>
    [SkipLocalsInit]
    public static void WidenPart(DType type, byte* weight, long first, float* destination, int count)
    {
        int elements = type.BlockElements();
        if (first % elements == 0 && count % elements == 0)
        {
            Widen(type, weight + type.SizeBytes(first), destination, count);
            return;
        }

        float* block = stackalloc float[256];
        for (long start = first / elements * elements; start < first + count; start += elements)
        {
            Widen(type, weight + type.SizeBytes(start), block, elements);
            int from = (int)Math.Max(0, first - start), to = (int)Math.Min(elements, first + count - start);
            new ReadOnlySpan<float>(block + from, to - from).CopyTo(new Span<float>(destination + (start + from - first), to - from));
        }
    }

    private readonly struct WidenAction(nint source, nint destination, long count) : IWeightAction
    {
        public void Run<TRows>() where TRows : struct, IWeightRows => TRows.Widen((byte*)source, (float*)destination, count);
    }
}
