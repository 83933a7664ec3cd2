using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of the kernels of an append.</summary>
internal struct AppendArgs<T> where T : unmanaged
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

    /// <summary>I32 [n], between the kernels: how many tokens of its sequence stand before a token.</summary>
    public ArrayView<int> Ranks;

    /// <summary>I32 [runs], between the kernels: lengths before the append.</summary>
    public ArrayView<int> OldLengths;

    public BoundInt N;
    public int Runs;
}

/// <summary>Gives each token its rank within its sequence, and each run its new length.</summary>
/// <remarks>One group; a thread owns a contiguous part of the tokens and learns from the parts before where its first sequence began.</remarks>
internal readonly struct AppendPlace<T> : IKernelBody<AppendArgs<T>> where T : unmanaged
{
    public static void Run(AppendArgs<T> a)
    {
        ArrayView<int> lastBegins = SharedMemory.Allocate<int>(Team.MaxThreads);
        int n = a.N.In(a.Block);
        int part = (n + Team.Threads - 1) / Team.Threads;
        int begin = IntrinsicMath.Min(Team.Thread * part, n);
        int end = IntrinsicMath.Min(begin + part, n);
        for (int run = Team.Thread; run < a.Runs; run += Team.Threads) a.OldLengths[run] = a.Store.Runs.Lengths[run];

        int sequenceBegin = -1; // where the sequence of the part's last token begins, if within the part
        for (int i = begin; i < end; i++) sequenceBegin = BeginsSequence(a, i) ? i : sequenceBegin;
        lastBegins[Team.Thread] = sequenceBegin;
        Group.Barrier();

        sequenceBegin = 0;
        for (int thread = 0; thread < Team.Thread; thread++) sequenceBegin = IntrinsicMath.Max(sequenceBegin, lastBegins[thread]);
        for (int i = begin; i < end; i++)
        {
            if (BeginsSequence(a, i)) sequenceBegin = i;
            int rank = i - sequenceBegin;
            a.Ranks[i] = rank;
            if (i == n - 1 || BeginsSequence(a, i + 1)) Lengthen(a, a.Sequences[i], rank + 1);
        }
    }

    private static bool BeginsSequence(AppendArgs<T> a, int i) => i == 0 || a.Sequences[i] != a.Sequences[i - 1];

    private static void Lengthen(AppendArgs<T> a, int sequence, int rows)
    {
        for (int h = 0; h < a.Store.Runs.Heads; h++)
        {
            int run = (sequence * a.Store.Runs.Heads) + h;
            a.Store.Runs.Lengths[run] = IntrinsicMath.Min(a.OldLengths[run] + rows, a.Store.Runs.Capacities[run]);
        }
    }
}

/// <summary>Row <c>Starts[r] + old length + rank</c> takes a token's key, value and position; rows beyond the capacity are dropped.</summary>
/// <remarks>One group owns a (token, head), a thread every n-th channel.</remarks>
internal readonly struct AppendRows<TElement, T> : IKernelBody<AppendArgs<T>>
    where TElement : struct, IRowElement<T>
    where T : unmanaged
{
    public static void Run(AppendArgs<T> a)
    {
        int heads = a.Store.Runs.Heads;
        for (int item = Grid.IdxX; item < a.N.In(a.Block) * heads; item += Grid.DimX)
        {
            int i = item / heads;
            int run = (a.Sequences[i] * heads) + (item - (i * heads));
            int place = a.OldLengths[run] + a.Ranks[i];
            if (place < a.Store.Runs.Capacities[run])
            {
                long row = a.Store.Runs.Starts[run] + place;
                ArrayView<T> key = a.Store.Key(row);
                ArrayView<T> value = a.Store.Value(row);
                for (int c = Team.Thread; c < a.Store.HeadDim; c += Team.Threads)
                {
                    key[c] = TElement.Store(a.Keys[((long)item * a.Store.HeadDim) + c]);
                    value[c] = TElement.Store(a.Values[((long)item * a.Store.HeadDim) + c]);
                }

                if (Team.Thread == 0) a.Store.Runs.Positions[row] = a.Positions[i];
            }
        }
    }
}

/// <summary>Arguments of <see cref="RememberQueries"/>.</summary>
internal struct RememberQueriesArgs
{
    public ArrayView<int> Block;

    /// <summary>F32 [sequences, w, width].</summary>
    public ArrayView<float> Window;

    /// <summary>F32 [n, width].</summary>
    public ArrayView<float> Q;

    /// <summary>I32 [n].</summary>
    public ArrayView<int> Positions;

    /// <summary>I32 [n].</summary>
    public ArrayView<int> Sequences;

    public BoundInt N;
    public int W;
    public int Width;
}

/// <summary><c>window[s, p mod w, :] = q</c> for the token of sequence s at position p.</summary>
/// <remarks>One group owns a token. Only the last w tokens of a sequence write, so no slot is written twice.</remarks>
internal readonly struct RememberQueries : IKernelBody<RememberQueriesArgs>
{
    public static void Run(RememberQueriesArgs a)
    {
        int n = a.N.In(a.Block);
        for (int i = Grid.IdxX; i < n; i += Grid.DimX)
        {
            bool overwritten = i + a.W < n && a.Sequences[IntrinsicMath.Min(i + a.W, n - 1)] == a.Sequences[i];
            if (!overwritten)
            {
                long slot = ((long)a.Sequences[i] * a.W) + (a.Positions[i] % a.W);
                ArrayView<float> target = a.Window.SubView(slot * a.Width, a.Width);
                ArrayView<float> source = a.Q.SubView((long)i * a.Width, a.Width);
                for (int c = Team.Thread; c < a.Width; c += Team.Threads) target[c] = source[c];
            }
        }
    }
}
