using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of <see cref="Embed{TElement, T}"/>.</summary>
internal struct EmbedArgs<T> where T : unmanaged
{
    public ArrayView<int> Block;

    /// <summary>[table rows, width].</summary>
    public ArrayView<T> Table;

    /// <summary>I32 [n]: which rows.</summary>
    public ArrayView<int> Indices;

    /// <summary>F32 [n, width], out.</summary>
    public ArrayView<float> Y;

    /// <summary>Where a fault is reported.</summary>
    public ArrayView<int> Fault;

    public BoundInt N;

    /// <summary>Rows of the table.</summary>
    public BoundInt TableRows;

    public int Width;
}

/// <summary><c>y[i, :] = table[indices[i], :]</c>; zeros and a fault for an index outside the table.</summary>
/// <remarks>One group owns a row of y, a thread every n-th element of it. Also gathers rows of activations.</remarks>
internal readonly struct Embed<TElement, T> : IKernelBody<EmbedArgs<T>>
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    public static void Run(EmbedArgs<T> a)
    {
        int rows = a.TableRows.In(a.Block);
        for (int i = Grid.IdxX; i < a.N.In(a.Block); i += Grid.DimX)
        {
            int index = a.Indices[i];
            bool inside = index >= 0 && index < rows;
            ArrayView<T> source = a.Table.SubView((inside ? (long)index : 0) * a.Width, a.Width);
            for (int c = Team.Thread; c < a.Width; c += Team.Threads)
            {
                a.Y[((long)i * a.Width) + c] = inside ? TElement.Load(source[c]) : 0;
            }

            if (!inside && Team.Thread == 0) a.Fault[0] = Faults.TokenOutsideVocabulary;
        }
    }
}
