using System.Runtime.InteropServices;
using KvIL.Backends;
using KvIL.Tensors;

namespace KvIL.Conformance.Oracle;

/// <summary>A tensor of the oracle: every floating type is held as double, I32 as int.</summary>
/// <remarks>F32 is never rounded. F16 and BF16 round what is uploaded, because there the type is part of the value's meaning.</remarks>
internal sealed class OracleTensor : IBuffer
{
    private readonly int _offset;
    private Action? _release;

    /// <summary>A zeroed tensor; <paramref name="release"/> runs once, on disposal.</summary>
    public OracleTensor(TensorSpec spec, Action? release = null)
        : this(
            spec,
            spec.Type == DType.I32 ? [] : new double[checked((int)spec.Shape.MaxElements)],
            spec.Type == DType.I32 ? new int[checked((int)spec.Shape.MaxElements)] : [],
            0) => _release = release;

    private OracleTensor(TensorSpec spec, double[] reals, int[] integers, int offset) =>
        (Tensor, RealCells, IntegerCells, _offset) = (spec, reals, integers, offset);

    public TensorSpec Tensor { get; }

    public Spec Spec => Tensor;

    private double[] RealCells { get; }

    private int[] IntegerCells { get; }

    private int Count => (int)Tensor.Shape.MaxElements;

    /// <summary>The elements as int.</summary>
    public ArraySegment<int> Integers => new(IntegerCells, _offset, Count);

    /// <summary>The first <paramref name="rows"/> rows of <paramref name="width"/> doubles.</summary>
    public Matrix Reals(int rows, int width) => new(RealCells, _offset, rows, width);

    public IBuffer Rows(int firstRow, int rows)
    {
        int held = Tensor.Shape[0].Max;
        ArgumentOutOfRangeException.ThrowIfNegative(firstRow);
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(rows, held - firstRow);
        Dim[] dims = [rows, .. Enumerable.Range(1, Tensor.Shape.Rank - 1).Select(axis => Tensor.Shape[axis])];
        int rowElements = held == 0 ? 0 : Count / held;
        return new OracleTensor(new TensorSpec(Tensor.Type, dims), RealCells, IntegerCells, _offset + (firstRow * rowElements));
    }

    public void Dispose()
    {
        _release?.Invoke();
        _release = null;
    }

    /// <summary>Converts and stores the leading elements. For I32 a <c>long</c> is two of them, low word first.</summary>
    public void Write<T>(ReadOnlySpan<T> source)
        where T : unmanaged
    {
        if (Tensor.Type == DType.I32)
        {
            Words(source).CopyTo(Integers.AsSpan());
            return;
        }

        Span<double> cells = RealCells.AsSpan(_offset, Count);
        for (int i = 0; i < source.Length; i++)
        {
            cells[i] = Numbers.Round(Numbers.ToDouble(source[i]), Tensor.Type);
        }
    }

    /// <summary>Converts the leading elements; to float and Half with one rounding to nearest even.</summary>
    public void Read<T>(Span<T> destination)
        where T : unmanaged
    {
        if (Tensor.Type == DType.I32)
        {
            Span<int> words = MemoryMarshal.Cast<T, int>(destination);
            _ = Words<T>(destination);
            Integers.AsSpan()[..words.Length].CopyTo(words);
            return;
        }

        ReadOnlySpan<double> cells = RealCells.AsSpan(_offset, Count)[..destination.Length];
        for (int i = 0; i < cells.Length; i++)
        {
            destination[i] = Numbers.FromDouble<T>(cells[i]);
        }
    }

    // Only integer types have the words of an I32 tensor.
    private static ReadOnlySpan<int> Words<T>(ReadOnlySpan<T> source)
        where T : unmanaged => typeof(T) == typeof(int) || typeof(T) == typeof(long)
            ? MemoryMarshal.Cast<T, int>(source)
            : throw new ArgumentException($"expected int or long for an I32 tensor, got {typeof(T).Name}.", nameof(source));
}

/// <summary>A row-major view of doubles.</summary>
internal readonly record struct Matrix(double[] Cells, int Offset, int Rows, int Width)
{
    /// <summary>Element (i, j).</summary>
    public ref double this[int i, int j] => ref Cells[Offset + (i * Width) + j];

    /// <summary>Element i in row-major order.</summary>
    public ref double this[int i] => ref Cells[Offset + i];

    /// <summary>Sets every element to <c>value(i, j)</c>.</summary>
    public void Fill(Func<int, int, double> value)
    {
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Width; j++)
            {
                this[i, j] = value(i, j);
            }
        }
    }
}
