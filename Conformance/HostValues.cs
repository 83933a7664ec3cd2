using KvIL.Tensors;

namespace KvIL.Conformance;

/// <summary>A value of a plan in host memory: an input of a scenario, or a result.</summary>
public abstract record HostValue
{
    private protected HostValue()
    {
    }

    /// <summary>What it is.</summary>
    public abstract Spec Spec { get; }
}

/// <summary>A dense tensor. Floating elements are doubles that the element type can store.</summary>
public sealed record HostTensor : HostValue
{
    private HostTensor(TensorSpec spec, double[] reals, int[] integers, bool isWeight, byte[]? blocks = null) =>
        (Tensor, Reals, Integers, IsWeight, Blocks) = (spec, reals, integers, isWeight, blocks);

    /// <inheritdoc/>
    public override Spec Spec => Tensor;

    /// <summary>Type and shape.</summary>
    public TensorSpec Tensor { get; }

    /// <summary>Elements of a floating tensor; empty for I32.</summary>
    public double[] Reals { get; }

    /// <summary>Elements of an I32 tensor; else empty.</summary>
    public int[] Integers { get; }

    /// <summary>Whether a backend imports it from host memory rather than receive an upload.</summary>
    public bool IsWeight { get; }

    /// <summary>The bytes of a quantised weight; else null.</summary>
    internal byte[]? Blocks { get; }

    /// <summary>The elements with every sign dropped: the oracle's result for it bounds sums of terms. A quantised weight becomes F32.</summary>
    public HostTensor Abs() =>
        new(Blocks is null ? Tensor : Tensor with { Type = DType.F32 }, [.. Reals.Select(Math.Abs)], Integers, IsWeight);

    /// <summary>The given entries of the outermost axis.</summary>
    public HostTensor Pick(params ReadOnlySpan<int> rows)
    {
        List<double> reals = [];
        List<int> integers = [];
        foreach (int row in rows)
        {
            if (Tensor.Type == DType.I32) integers.AddRange(Integers.AsSpan(row * RowElements, RowElements));
            else reals.AddRange(Reals.AsSpan(row * RowElements, RowElements));
        }

        Dim[] dims = [rows.Length, .. Enumerable.Range(1, Tensor.Shape.Rank - 1).Select(axis => Tensor.Shape[axis])];
        return new(new TensorSpec(Tensor.Type, dims), [.. reals], [.. integers], IsWeight);
    }

    /// <summary>Elements per entry of the outermost axis.</summary>
    public int RowElements
    {
        get
        {
            int count = 1;
            for (int axis = 1; axis < Tensor.Shape.Rank; axis++) count *= Tensor.Shape[axis].Max;
            return count;
        }
    }

    /// <summary>An F32 tensor; values are rounded to float.</summary>
    public static HostTensor F32(double[] values, params ReadOnlySpan<Dim> dims) =>
        new(new TensorSpec(DType.F32, dims), [.. values.Select(x => (double)(float)x)], [], false);

    /// <summary>A vector of integers.</summary>
    public static HostTensor I32(params int[] values) => new(new TensorSpec(DType.I32, values.Length), [], values, false);

    /// <summary>A weight; values are rounded to <paramref name="type"/>.</summary>
    public static HostTensor Weight(DType type, double[] values, params ReadOnlySpan<Dim> dims) =>
        new(new TensorSpec(type, dims), [.. values.Select(x => Numbers.Round((float)x, type))], [], true);

    /// <summary>A quantised weight, given by its bytes; its elements are what the definition makes of them.</summary>
    public static HostTensor Quantized(DType type, byte[] blocks, params ReadOnlySpan<Dim> dims)
    {
        TensorSpec spec = new(type, dims);
        float[] weights = new float[spec.Shape.MaxElements];
        Dequantization.ToFloat32(type, blocks, weights);
        return new(spec, Array.ConvertAll(weights, w => (double)w), [], true, blocks);
    }

    /// <summary>A tensor that came back from a device, as it is.</summary>
    internal static HostTensor Downloaded(TensorSpec spec, double[] reals, int[] integers) => new(spec, reals, integers, false);
}

/// <summary>A store: the pool, and the run table.</summary>
/// <param name="Store">Its shape.</param>
/// <param name="Keys"><c>[rows, head_dim]</c>.</param>
/// <param name="Values"><c>[rows, head_dim]</c>.</param>
/// <param name="Positions"><c>[rows]</c>.</param>
/// <param name="Starts"><c>[runs]</c>.</param>
/// <param name="Lengths"><c>[runs]</c>.</param>
/// <param name="Capacities"><c>[runs]</c>.</param>
public sealed record HostStore(
    StoreSpec Store, double[] Keys, double[] Values, int[] Positions, long[] Starts, int[] Lengths, int[] Capacities) : HostValue
{
    /// <inheritdoc/>
    public override Spec Spec => Store;

    /// <summary>Number of a run.</summary>
    public int Run(int sequence, int head) => (sequence * Store.NumKvHeads) + head;

    /// <summary>Position of row j of a run.</summary>
    public int Position(int run, int j) => Positions[Starts[run] + j];

    /// <summary>Key of row j of a run.</summary>
    public ReadOnlySpan<double> Key(int run, int j) => Keys.AsSpan((int)(Starts[run] + j) * Store.HeadDim, Store.HeadDim);

    /// <summary>Value of row j of a run.</summary>
    public ReadOnlySpan<double> Value(int run, int j) => Values.AsSpan((int)(Starts[run] + j) * Store.HeadDim, Store.HeadDim);

    /// <summary>The store with the signs of all values dropped.</summary>
    public HostStore AbsValues() => this with { Values = [.. Values.Select(Math.Abs)] };

    /// <summary>A pool of <paramref name="rows"/> rows that nobody wrote: marks, so that whatever is left unwritten or overrun shows.</summary>
    public static HostStore Unwritten(StoreSpec spec, long rows)
    {
        int count = checked((int)rows);
        return new(
            spec with { Rows = rows },
            Canary.Reals(count * spec.HeadDim),
            Canary.Reals(count * spec.HeadDim),
            Canary.Integers(count),
            [.. Enumerable.Repeat((long)Canary.Integer, spec.Runs)],
            Canary.Integers(spec.Runs),
            Canary.Integers(spec.Runs));
    }
}

/// <summary>Marks around and inside buffers. NaN poisons every sum that reads it.</summary>
internal static class Canary
{
    public const int Integer = unchecked((int)0xC0FFEE77);

    public static double[] Reals(int count) => [.. Enumerable.Repeat(double.NaN, count)];

    public static int[] Integers(int count) => [.. Enumerable.Repeat(Integer, count)];
}
