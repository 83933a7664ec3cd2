using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of both passes over the window.</summary>
internal struct WindowScoresArgs<T> where T : unmanaged
{
    public ArrayView<int> Block;
    public StoreView<T> Store;

    /// <summary>F32 [sequences, ring, query_heads, head_dim] in ring order.</summary>
    public ArrayView<float> Window;

    /// <summary>F32 [query_heads, w, 2]: each query's largest logit and sum of exponentials.</summary>
    public ArrayView<float> Sums;

    /// <summary>F32 [query_heads, length].</summary>
    public ArrayView<float> Y;

    public BoundInt Sequence;
    public BoundInt Tokens;
    public BoundInt Length;
    public BoundInt Queries;
    public int QueryHeads;
    public int Ring;
    public float Scale;

    /// <summary>Soft cap of the logits; 0 for none.</summary>
    public float Cap;

    /// <summary>Sliding window; the largest integer for none.</summary>
    public int Sees;

    /// <summary>1 where a query sees only rows before its own position, else 0.</summary>
    public int Lag;

    /// <summary>w: how many of the last queries score.</summary>
    public readonly int W => Queries.In(Block);

    /// <summary>The run that a query head reads.</summary>
    public readonly int Run(int queryHead) =>
        (Sequence.In(Block) * Store.Runs.Heads) + (queryHead / (QueryHeads / Store.Runs.Heads));

    /// <summary>Query t of a head: that of position tokens − w + t, which the ring holds at that position modulo its size.</summary>
    public readonly ArrayView<float> Query(int queryHead, int t)
    {
        long slot = ((long)Sequence.In(Block) * Ring) + ((Tokens.In(Block) - W + t) % Ring);
        return Window.SubView(((slot * QueryHeads) + queryHead) * Store.HeadDim, Store.HeadDim);
    }
}

/// <summary><c>m = max_j s_j</c>, <c>ℓ = Σ_j exp(s_j − m)</c> over the rows that a query sees, <c>s_j = cap(scale · q·k_j)</c>.</summary>
/// <remarks>One group owns a (query head, query); a lane keeps a running maximum and rescales its sum when it grows.</remarks>
internal readonly struct WindowSums<TElement, T> : IKernelBody<WindowScoresArgs<T>>
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    public static void Run(WindowScoresArgs<T> a)
    {
        ArrayView<float> maxima = SharedMemory.Allocate<float>(Team.Lanes);
        ArrayView<float> sums = SharedMemory.Allocate<float>(Team.Lanes);
        int w = a.W;
        for (int item = Grid.IdxX; item < a.QueryHeads * w; item += Grid.DimX)
        {
            int head = item / w;
            int t = item - (head * w);
            int run = a.Run(head);
            int position = a.Tokens.In(a.Block) - w + t;
            int hidden = a.Store.Runs.HiddenRows(run, position, a.Sees);
            int visible = a.Store.Runs.VisibleRows(run, position - a.Lag);
            ArrayView<float> query = a.Query(head, t);
            for (int lane = Team.Thread; lane < Team.Lanes; lane += Team.Threads)
            {
                float maximum = GpuMath.MaximumFloor;
                float sum = 0;
                for (int j = hidden + lane; j < visible; j += Team.Lanes)
                {
                    ArrayView<T> key = a.Store.Key(a.Store.Runs.Starts[run] + j);
                    float logit = GpuMath.SoftCap(GpuMath.Dot<TElement, T>(query, key, a.Store.HeadDim) * a.Scale, a.Cap);
                    float larger = GpuMath.LargerNumber(maximum, logit);
                    sum = (sum * GpuMath.Exp(maximum - larger)) + GpuMath.Exp(logit - larger);
                    maximum = larger;
                }

                maxima[lane] = maximum;
                sums[lane] = sum;
            }

            Join(maxima, sums);
            if (Team.Thread == 0)
            {
                a.Sums[2 * item] = maxima[0];
                a.Sums[(2 * item) + 1] = sums[0];
            }

            Group.Barrier();
        }
    }

    // (m, ℓ) of two sets of rows: ℓ = ℓ₁ · exp(m₁ − m) + ℓ₂ · exp(m₂ − m).
    private static void Join(ArrayView<float> maxima, ArrayView<float> sums)
    {
        Group.Barrier();
        for (int half = Team.Lanes / 2; half > 0; half >>= 1)
        {
            for (int lane = Team.Thread; lane < half; lane += Team.Threads)
            {
                float larger = GpuMath.LargerNumber(maxima[lane], maxima[lane + half]);
                sums[lane] = (sums[lane] * GpuMath.Exp(maxima[lane] - larger))
                    + (sums[lane + half] * GpuMath.Exp(maxima[lane + half] - larger));
                maxima[lane] = larger;
            }

            Group.Barrier();
        }
    }
}

/// <summary><c>y[i, j] = (1/w) Σ_t exp(s_tj − m_t) / ℓ_t</c>, t ascending over the queries that see row j.</summary>
/// <remarks>
/// One thread owns a (query head, row). Logits are computed again rather than held: nothing of size heads · w · rows exists.
/// </remarks>
internal readonly struct WindowMeans<TElement, T> : IKernelBody<WindowScoresArgs<T>>
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    public static void Run(WindowScoresArgs<T> a)
    {
        int length = a.Length.In(a.Block);
        int chunks = (length + Rows.Chunk - 1) / Rows.Chunk;
        for (int item = Grid.IdxX; item < a.QueryHeads * chunks; item += Grid.DimX)
        {
            int head = item / chunks;
            int first = (item - (head * chunks)) * Rows.Chunk;
            int run = a.Run(head);
            ArrayView<float> scores = a.Y.SubView((long)head * length, length);
            for (int j = first + Team.Thread; j < length && j < first + Rows.Chunk; j += Team.Threads)
            {
                scores[j] = j < a.Store.Runs.Lengths[run] ? Mean(a, head, run, j) : 0;
            }
        }
    }

    private static float Mean(WindowScoresArgs<T> a, int head, int run, int j)
    {
        long row = a.Store.Runs.Starts[run] + j;
        ArrayView<T> key = a.Store.Key(row);
        int w = a.W;
        int firstSeer = a.Store.Runs.Positions[row] - (a.Tokens.In(a.Block) - w);
        float sum = 0;
        for (int t = 0; t < w; t++)
        {
            float largest = a.Sums[2 * ((head * w) + t)];
            float total = a.Sums[(2 * ((head * w) + t)) + 1];
            float logit = t >= firstSeer + a.Lag && t - firstSeer < a.Sees
                ? GpuMath.SoftCap(GpuMath.Dot<TElement, T>(a.Query(head, t), key, a.Store.HeadDim) * a.Scale, a.Cap)
                : float.NegativeInfinity;
            sum += total == 0 ? 0 : GpuMath.Exp(logit - largest) / total; // a query that sees no row pays no attention
        }

        return sum / w;
    }
}
