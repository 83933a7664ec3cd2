using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of <see cref="ReplaceRows{TElement, T}"/> and <see cref="RowChange{TElement, T}"/>.</summary>
internal struct ReplaceRowsArgs<T> where T : unmanaged
{
    public ArrayView<int> Block;
    public StoreView<T> Store;

    /// <summary>F32 [n, heads, head_dim].</summary>
    public ArrayView<float> Keys;

    /// <summary>F32 [n, heads, head_dim].</summary>
    public ArrayView<float> Values;

    /// <summary>I32 [n].</summary>
    public ArrayView<int> Positions;

    /// <summary>I32 [n].</summary>
    public ArrayView<int> Sequences;

    /// <summary>F32 [1], out: the change.</summary>
    public ArrayView<float> Y;

    public BoundInt N;

    /// <summary>The row of the pool that takes the rows of a (token, head); −1 for none.</summary>
    public readonly long Row(int item)
    {
        int token = item / Store.Runs.Heads;
        int run = (Sequences[token] * Store.Runs.Heads) + (item - (token * Store.Runs.Heads));
        int j = Store.Runs.VisibleRows(run, Positions[token]) - 1;
        if (j < 0) return -1;
        long row = Store.Runs.Starts[run] + j;
        return Store.Runs.Positions[row] == Positions[token] ? row : -1;
    }
}

/// <summary>The row at a token's position takes its key and value.</summary>
/// <remarks>One group owns a (token, head), a thread every n-th channel.</remarks>
internal readonly struct ReplaceRows<TElement, T> : IKernelBody<ReplaceRowsArgs<T>>
    where TElement : struct, IRowElement<T>
    where T : unmanaged
{
    public static void Run(ReplaceRowsArgs<T> a)
    {
        for (int item = Grid.IdxX; item < a.N.In(a.Block) * a.Store.Runs.Heads; item += Grid.DimX)
        {
            long row = a.Row(item);
            if (row >= 0)
            {
                ArrayView<T> key = a.Store.Key(row);
                ArrayView<T> value = a.Store.Value(row);
                for (int c = Team.Thread; c < a.Store.HeadDim; c += Team.Threads)
                {
                    key[c] = TElement.Store(a.Keys[((long)item * a.Store.HeadDim) + c]);
                    value[c] = TElement.Store(a.Values[((long)item * a.Store.HeadDim) + c]);
                }
            }
        }
    }
}

/// <summary><c>y = max |new − old|</c> over the rows that would be replaced.</summary>
/// <remarks>One group; a thread owns every n-th channel of every row.</remarks>
internal readonly struct RowChange<TElement, T> : IKernelBody<ReplaceRowsArgs<T>>
    where TElement : struct, IRowElement<T>
    where T : unmanaged
{
    public static void Run(ReplaceRowsArgs<T> a)
    {
        ArrayView<float> largest = SharedMemory.Allocate<float>(Team.MaxThreads);
        float change = 0;
        for (int item = 0; item < a.N.In(a.Block) * a.Store.Runs.Heads; item++)
        {
            long row = a.Row(item);
            for (int c = Team.Thread; row >= 0 && c < a.Store.HeadDim; c += Team.Threads)
            {
                long element = ((long)item * a.Store.HeadDim) + c;
                change = Larger(change, a.Keys[element], a.Store.Key(row)[c]);
                change = Larger(change, a.Values[element], a.Store.Value(row)[c]);
            }
        }

        largest[Team.Thread] = change;
        Group.Barrier();
        if (Team.Thread == 0)
        {
            for (int thread = 1; thread < Team.Threads; thread++) change = largest[thread] > change ? largest[thread] : change;
            a.Y[0] = change;
        }
    }

    private static float Larger(float change, float now, T before)
    {
        float difference = TElement.Load(TElement.Store(now)) - TElement.Load(before);
        difference = difference < 0 ? -difference : difference;
        difference = difference >= 0 ? difference : float.PositiveInfinity;
        return difference > change ? difference : change;
    }
}
