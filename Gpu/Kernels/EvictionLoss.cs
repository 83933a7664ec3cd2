using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments that concern the store and the query.</summary>
internal struct LossArgs<T> where T : unmanaged
{
    public ArrayView<int> Block;
    public StoreView<T> Store;

    /// <summary>F32 [sequences, w, query_heads, head_dim] in ring order.</summary>
    public ArrayView<float> Window;

    /// <summary>I32 [kv_heads].</summary>
    public ArrayView<int> Counts;

    /// <summary>I32 [total].</summary>
    public ArrayView<int> Rows;

    /// <summary>F64 [query_heads, <see cref="LossLayout.Mass"/>].</summary>
    public ArrayView<double> Mass;

    /// <summary>F64 [query_heads, parts, <see cref="LossLayout.Figures"/> + head_dim].</summary>
    public ArrayView<double> Parts;

    public BoundInt Sequence;
    public BoundInt Tokens;
    public int QueryHeads;
    public int W;
    public float Scale;

    /// <summary>Soft cap of the logits; 0 for none.</summary>
    public float Cap;

    /// <summary>Sliding window; the largest integer for none.</summary>
    public int Sees;

    /// <summary>1 where a query sees only rows before its own position, else 0.</summary>
    public int Lag;

    /// <summary>The KV head that a query head reads.</summary>
    public readonly int KvHead(int queryHead) => queryHead / (QueryHeads / Store.Runs.Heads);

    /// <summary>The run that a query head reads.</summary>
    public readonly int Run(int queryHead) => (Sequence.In(Block) * Store.Runs.Heads) + KvHead(queryHead);

    /// <summary>The newest query of a head.</summary>
    public readonly ArrayView<float> Query(int queryHead)
    {
        long slot = ((long)Sequence.In(Block) * W) + ((Tokens.In(Block) - 1) % W);
        return Window.SubView(((slot * QueryHeads) + queryHead) * Store.HeadDim, Store.HeadDim);
    }

    /// <summary>Where the kept rows of a KV head begin in <see cref="Rows"/>.</summary>
    public readonly int FirstKept(int kvHead)
    {
        int first = 0;
        for (int h = 0; h < kvHead; h++) first += Counts[h];
        return first;
    }

    /// <summary>Rows of a run that the newest query does not see; they come first.</summary>
    public readonly int Hidden(int run) => Store.Runs.HiddenRows(run, Tokens.In(Block) - 1, Sees);

    /// <summary>Rows of a run up to the last one that the newest query sees.</summary>
    public readonly int Visible(int run) => Store.Runs.VisibleRows(run, Tokens.In(Block) - 1 - Lag);

    /// <summary><c>cap(scale · q·k)</c>, the product in double.</summary>
    public readonly double Logit<TElement>(ArrayView<float> query, long row) where TElement : struct, IElement<T>
    {
        ArrayView<T> key = Store.Key(row);
        double sum = 0;
        for (int c = 0; c < Store.HeadDim; c++) sum += (double)query[c] * TElement.Load(key[c]);
        sum *= Scale;
        return Cap > 0 ? GpuMath.SoftCap((float)sum, Cap) : sum;
    }

    /// <summary>Whether a row of a KV head is kept, by bisection of its ascending kept rows.</summary>
    public readonly bool IsKept(int kvHead, int firstKept, int row)
    {
        int low = firstKept;
        int end = firstKept + Counts[kvHead];
        int high = end;
        while (low < high)
        {
            int middle = (low + high) >> 1;
            bool before = Rows[middle] < row;
            low = before ? middle + 1 : low;
            high = before ? high : middle;
        }

        return low < end && Rows[low] == row;
    }
}

/// <summary>First: a head's largest logit, its sum of exponentials, and what part of it is dropped.</summary>
/// <remarks>One group owns a query head; lanes keep running maxima as in <see cref="WindowSums{TElement, T}"/>, sums in double.</remarks>
internal readonly struct LossMass<TElement, T> : IKernelBody<LossArgs<T>>
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    public static void Run(LossArgs<T> a)
    {
        ArrayView<double> maxima = SharedMemory.Allocate<double>(Team.Lanes);
        ArrayView<double> kept = SharedMemory.Allocate<double>(Team.Lanes);
        ArrayView<double> dropped = SharedMemory.Allocate<double>(Team.Lanes);
        for (int head = Grid.IdxX; head < a.QueryHeads; head += Grid.DimX)
        {
            for (int lane = Team.Thread; lane < Team.Lanes; lane += Team.Threads)
            {
                OneLane(a, head, lane, maxima, kept, dropped);
            }

            Group.Barrier();
            double maximum = maxima[0];
            for (int lane = 1; lane < Team.Lanes; lane++) maximum = maxima[lane] > maximum ? maxima[lane] : maximum;
            for (int lane = Team.Thread; lane < Team.Lanes; lane += Team.Threads)
            {
                double rescale = GpuMath.Exp((float)(maxima[lane] - maximum));
                kept[lane] *= rescale;
                dropped[lane] *= rescale;
            }

            double keptSum = Team.Sum(kept);
            double droppedSum = Team.Sum(dropped);
            if (Team.Thread == 0)
            {
                ArrayView<double> mass = a.Mass.SubView(head * LossLayout.Mass, LossLayout.Mass);
                mass[0] = maximum;
                mass[1] = keptSum + droppedSum;
                mass[2] = keptSum > 0 ? droppedSum / keptSum : 0;
                mass[3] = keptSum + droppedSum > 0 ? droppedSum / (keptSum + droppedSum) : 0; // an empty run loses nothing
            }

            Group.Barrier();
        }
    }

    private static void OneLane(
        LossArgs<T> a, int head, int lane, ArrayView<double> maxima, ArrayView<double> kept, ArrayView<double> dropped)
    {
        int run = a.Run(head);
        ArrayView<float> query = a.Query(head);
        int kvHead = a.KvHead(head);
        int firstKept = a.FirstKept(kvHead);
        double maximum = GpuMath.MaximumFloor;
        double keptSum = 0;
        double droppedSum = 0;
        for (int j = a.Hidden(run) + lane; j < a.Visible(run); j += Team.Lanes)
        {
            double logit = a.Logit<TElement>(query, a.Store.Runs.Starts[run] + j);
            double larger = logit > maximum ? logit : maximum;
            double rescale = GpuMath.Exp((float)(maximum - larger));
            double e = GpuMath.Exp((float)(logit - larger));
            bool isKept = a.IsKept(kvHead, firstKept, j);
            keptSum = (keptSum * rescale) + (isKept ? e : 0);
            droppedSum = (droppedSum * rescale) + (isKept ? 0 : e);
            maximum = larger;
        }

        maxima[lane] = maximum;
        kept[lane] = keptSum;
        dropped[lane] = droppedSum;
    }
}

/// <summary>Arguments of <see cref="LossRows{TElement, T, TWeight, TW}"/>.</summary>
internal struct LossRowsArgs<T, TW> where T : unmanaged where TW : unmanaged
{
    public LossArgs<T> Loss;

    /// <summary>[width, query_heads · head_dim].</summary>
    public ArrayView<TW> Projection;

    public int Width;
}

/// <summary>Second: θ_i, C_i and o_i of a part of a head's rows.</summary>
/// <remarks>One group owns a (query head, part) and takes its rows one by one; lanes run over the output channels of ‖u_j‖₁.</remarks>
internal readonly struct LossRows<TElement, T, TWeight, TW> : IKernelBody<LossRowsArgs<T, TW>>
    where TElement : struct, IElement<T>
    where T : unmanaged
    where TWeight : struct, IElement<TW>
    where TW : unmanaged
{
    public static void Run(LossRowsArgs<T, TW> b)
    {
        LossArgs<T> a = b.Loss;
        ArrayView<double> lanes = SharedMemory.Allocate<double>(Team.Lanes);
        ArrayView<double> sums = SharedMemory.Allocate<double>(LossLayout.Figures + LossLayout.MaxHeadDim);
        ArrayView<double> changes = SharedMemory.Allocate<double>(1);
        int d = a.Store.HeadDim;
        for (int item = Grid.IdxX; item < a.QueryHeads * LossLayout.Parts; item += Grid.DimX)
        {
            int head = item / LossLayout.Parts;
            int run = a.Run(head);
            int perPart = (a.Store.Runs.Lengths[run] + LossLayout.Parts - 1) / LossLayout.Parts;
            int begin = (item - (head * LossLayout.Parts)) * perPart;
            int end = IntrinsicMath.Min(begin + perPart, a.Store.Runs.Lengths[run]);
            for (int i = Team.Thread; i < LossLayout.Figures + d; i += Team.Threads) sums[i] = 0;
            for (int j = begin; j < end; j++)
            {
                long row = a.Store.Runs.Starts[run] + j;
                if (Team.Thread == 0) changes[0] = Change(a, head, j, row);
                ChannelNorms(b, head, row, lanes);
                double norm = Team.Sum(lanes);
                double change = changes[0];
                for (int c = Team.Thread; c < d; c += Team.Threads)
                {
                    sums[LossLayout.Figures + c] += change * TElement.Load(a.Store.Values[(row * d) + c]);
                }

                if (Team.Thread == 0)
                {
                    sums[0] += (change < 0 ? -change : change) * norm;
                    sums[1] = norm > sums[1] ? norm : sums[1];
                }

                Group.Barrier();
            }

            // Each thread copies what it has summed up itself, but for the figures of thread 0.
            Group.Barrier();
            for (int i = Team.Thread; i < LossLayout.Figures + d; i += Team.Threads)
            {
                a.Parts[((long)item * (LossLayout.Figures + d)) + i] = sums[i];
            }

            Group.Barrier();
        }
    }

    private static double Change(LossArgs<T> a, int head, int j, long row)
    {
        if (j < a.Hidden(a.Run(head)) || j >= a.Visible(a.Run(head))) return 0;
        ArrayView<double> mass = a.Mass.SubView(head * LossLayout.Mass, LossLayout.Mass);
        double attention = GpuMath.Exp((float)(a.Logit<TElement>(a.Query(head), row) - mass[0])) / mass[1];
        int kvHead = a.KvHead(head);
        return a.IsKept(kvHead, a.FirstKept(kvHead), j) ? -attention * mass[2] : attention;
    }

    // lanes[ℓ] = Σ |u_c| over c = ℓ, ℓ + 64, ...;  u_c = Σ_k v_k W[c, i·d + k] as one chain
    private static void ChannelNorms(LossRowsArgs<T, TW> b, int head, long row, ArrayView<double> lanes)
    {
        int d = b.Loss.Store.HeadDim;
        ArrayView<T> value = b.Loss.Store.Value(row);
        for (int lane = Team.Thread; lane < Team.Lanes; lane += Team.Threads)
        {
            double norm = 0;
            for (int c = lane; c < b.Width; c += Team.Lanes)
            {
                ArrayView<TW> weights = b.Projection.SubView((((long)c * b.Loss.QueryHeads) + head) * d, d);
                float u = 0;
                for (int k = 0; k < d; k++) u = GpuMath.Fma(TElement.Load(value[k]), TWeight.Load(weights[k]), u);
                norm += u < 0 ? -u : u;
            }

            lanes[lane] = norm;
        }
    }
}

/// <summary>Arguments of the kernels that join parts, heads and channels.</summary>
internal struct LossSums
{
    /// <summary>F64 [query_heads, parts, figures + head_dim].</summary>
    public ArrayView<double> Parts;

    /// <summary>F64 [query_heads, figures + head_dim].</summary>
    public ArrayView<double> Heads;

    /// <summary>F64 [query_heads, mass].</summary>
    public ArrayView<double> Mass;

    /// <summary>F64 [width]: |Σ_i (o_i W_i)_c|.</summary>
    public ArrayView<double> Channels;

    /// <summary>F32 [4], out.</summary>
    public ArrayView<float> Y;

    public int QueryHeads;
    public int HeadDim;
    public int Width;
}

/// <summary>Arguments of <see cref="LossChannels{TWeight, TW}"/>.</summary>
internal struct LossChannelsArgs<TW> where TW : unmanaged
{
    public LossSums Sums;

    /// <summary>[width, query_heads · head_dim].</summary>
    public ArrayView<TW> Projection;
}

/// <summary>Third: sums over the parts of each head; C_i is their maximum.</summary>
/// <remarks>One group owns a query head, a thread every n-th number.</remarks>
internal readonly struct LossHeads : IKernelBody<LossSums>
{
    public static void Run(LossSums a)
    {
        int size = LossLayout.Figures + a.HeadDim;
        for (int head = Grid.IdxX; head < a.QueryHeads; head += Grid.DimX)
        {
            for (int i = Team.Thread; i < size; i += Team.Threads)
            {
                double joined = 0;
                for (int part = 0; part < LossLayout.Parts; part++)
                {
                    double x = a.Parts[((((long)head * LossLayout.Parts) + part) * size) + i];
                    joined = i == 1 ? (x > joined ? x : joined) : joined + x;
                }

                a.Heads[((long)head * size) + i] = joined;
            }
        }
    }
}

/// <summary>Fourth: one output channel of Σ_i o_i W_i, in double.</summary>
/// <remarks>One group owns a channel; lanes run over (head, channel of the head).</remarks>
internal readonly struct LossChannels<TWeight, TW> : IKernelBody<LossChannelsArgs<TW>>
    where TWeight : struct, IElement<TW>
    where TW : unmanaged
{
    public static void Run(LossChannelsArgs<TW> b)
    {
        LossSums a = b.Sums;
        ArrayView<double> lanes = SharedMemory.Allocate<double>(Team.Lanes);
        int inputs = a.QueryHeads * a.HeadDim;
        for (int c = Grid.IdxX; c < a.Width; c += Grid.DimX)
        {
            ArrayView<TW> weights = b.Projection.SubView((long)c * inputs, inputs);
            for (int lane = Team.Thread; lane < Team.Lanes; lane += Team.Threads)
            {
                double sum = 0;
                for (int k = lane; k < inputs; k += Team.Lanes)
                {
                    int head = k / a.HeadDim;
                    int o = (head * (LossLayout.Figures + a.HeadDim)) + LossLayout.Figures + (k - (head * a.HeadDim));
                    sum += a.Heads[o] * TWeight.Load(weights[k]);
                }

                lanes[lane] = sum;
            }

            double total = Team.Sum(lanes);
            if (Team.Thread == 0) a.Channels[c] = total < 0 ? -total : total;
            Group.Barrier();
        }
    }
}

/// <summary>Last: L, θ, ε_head and ε.</summary>
/// <remarks>One group; lanes run over output channels, one thread over the heads.</remarks>
internal readonly struct LossEnd : IKernelBody<LossSums>
{
    public static void Run(LossSums a)
    {
        ArrayView<double> lanes = SharedMemory.Allocate<double>(Team.Lanes);
        for (int lane = Team.Thread; lane < Team.Lanes; lane += Team.Threads)
        {
            double sum = 0;
            for (int c = lane; c < a.Width; c += Team.Lanes) sum += a.Channels[c];
            lanes[lane] = sum;
        }

        double loss = Team.Sum(lanes);
        if (Team.Thread != 0) return;
        double theta = 0;
        double headBound = 0;
        double dropped = 0;
        double largest = 0;
        for (int head = 0; head < a.QueryHeads; head++)
        {
            ArrayView<double> figures = a.Heads.SubView((long)head * (LossLayout.Figures + a.HeadDim), LossLayout.Figures);
            double headDropped = a.Mass[(head * LossLayout.Mass) + 3];
            theta += figures[0];
            headBound += 2 * figures[1] * headDropped;
            dropped += headDropped;
            largest = figures[1] > largest ? figures[1] : largest;
        }

        a.Y[0] = (float)loss;
        a.Y[1] = (float)theta;
        a.Y[2] = (float)headBound;
        a.Y[3] = (float)(2 * largest * dropped);
    }
}
