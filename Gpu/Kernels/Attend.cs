using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>Arguments of attention.</summary>
internal struct AttendArgs<T> where T : unmanaged
{
    public ArrayView<int> Block;
    public StoreView<T> Store;

    /// <summary>F32 [n, query_heads, head_dim].</summary>
    public ArrayView<float> Q;

    /// <summary>I32 [n].</summary>
    public ArrayView<int> Positions;

    /// <summary>I32 [n].</summary>
    public ArrayView<int> Sequences;

    /// <summary>F32 [n, query_heads, head_dim], out.</summary>
    public ArrayView<float> Y;

    /// <summary>F32 [n · query_heads, splits, 2 + head_dim] when there are several splits: maximum, sum, output not yet divided.</summary>
    public ArrayView<float> Parts;

    public BoundInt N;

    /// <summary>Query heads of a KV head.</summary>
    public int Group;

    /// <summary>Query heads of a group that one item takes.</summary>
    public int HeadsPerItem;

    /// <summary>Consecutive tokens that one item takes.</summary>
    public int TokensPerItem;

    /// <summary>Parts into which the rows are split.</summary>
    public int Splits;

    public float Scale;

    /// <summary>Soft cap of the logits; 0 for none.</summary>
    public float Cap;

    /// <summary>Sliding window; the largest integer for none.</summary>
    public int Window;

    /// <summary>1 where a query sees only rows before its own position, else 0.</summary>
    public int Lag;

    /// <summary>Items that a group of query heads is divided into.</summary>
    public readonly int Passes => (Group + HeadsPerItem - 1) / HeadsPerItem;

    /// <summary>Query heads of the model.</summary>
    public readonly int QueryHeads => Group * Store.Runs.Heads;
}

/// <summary><c>y = Σ_j softmax_j(s_j) v_j</c> over the visible rows: flash attention (arXiv:2205.14135, algorithm 1).</summary>
/// <remarks>
/// One group owns a few tokens, a few query heads of one KV head, and one split of the rows. Its lanes are (token, query head)
/// pairs; rows come in tiles of 32. In a tile a thread first owns (lane, row) pairs, then lanes, then (lane, channel)
/// pairs, so keys and values are read once for all lanes. Sums over rows run in ascending row, on one thread.
/// </remarks>
internal readonly struct Attend<TElement, T> : IKernelBody<AttendArgs<T>>
    where TElement : struct, IElement<T>
    where T : unmanaged
{
    /// <summary>Most lanes of an item.</summary>
    public const int MaxLanes = 16;

    /// <summary>Most channels of all lanes: 16 lanes of 128.</summary>
    public const int MaxChannels = 2048;

    private const int TileRows = 32;

    public static void Run(AttendArgs<T> a)
    {
        Lanes lanes = default;
        lanes.Queries = SharedMemory.Allocate<float>(MaxChannels);
        lanes.Outputs = SharedMemory.Allocate<float>(MaxChannels);
        lanes.Weights = SharedMemory.Allocate<float>(MaxLanes * TileRows);
        lanes.Maxima = SharedMemory.Allocate<float>(MaxLanes);
        lanes.Sums = SharedMemory.Allocate<float>(MaxLanes);
        lanes.Rescales = SharedMemory.Allocate<float>(MaxLanes);
        lanes.Hidden = SharedMemory.Allocate<int>(MaxLanes);
        lanes.Visible = SharedMemory.Allocate<int>(MaxLanes);

        int n = a.N.In(a.Block);
        int perBlock = a.Store.Runs.Heads * a.Passes * a.Splits;
        int blocks = (n + a.TokensPerItem - 1) / a.TokensPerItem;
        for (int item = Grid.IdxX; item < blocks * perBlock; item += Grid.DimX)
        {
            int block = item / perBlock;
            int rest = item - (block * perBlock);
            lanes.Split = rest % a.Splits;
            rest /= a.Splits;
            lanes.FirstMember = rest % a.Passes * a.HeadsPerItem;
            lanes.Head = rest / a.Passes;
            lanes.Members = IntrinsicMath.Min(a.HeadsPerItem, a.Group - lanes.FirstMember);

            // Tokens of one sequence at a time: they read one run.
            int end = IntrinsicMath.Min((block + 1) * a.TokensPerItem, n);
            lanes.FirstToken = block * a.TokensPerItem;
            while (lanes.FirstToken < end)
            {
                int after = lanes.FirstToken + 1;
                while (after < end && a.Sequences[after] == a.Sequences[lanes.FirstToken]) after++;
                lanes.Count = (after - lanes.FirstToken) * lanes.Members;
                One(a, lanes);
                lanes.FirstToken = after;
            }
        }
    }

    private static void One(AttendArgs<T> a, Lanes lanes)
    {
        int d = a.Store.HeadDim;
        int run = (a.Sequences[lanes.FirstToken] * a.Store.Runs.Heads) + lanes.Head;
        for (int lane = Team.Thread; lane < lanes.Count; lane += Team.Threads)
        {
            lanes.Maxima[lane] = GpuMath.MaximumFloor;
            lanes.Sums[lane] = 0;
            int position = a.Positions[lanes.Token(lane)];
            lanes.Hidden[lane] = a.Store.Runs.HiddenRows(run, position, a.Window);
            lanes.Visible[lane] = a.Store.Runs.VisibleRows(run, position - a.Lag);
        }

        for (int e = Team.Thread; e < lanes.Count * d; e += Team.Threads)
        {
            int lane = e / d;
            lanes.Queries[e] = a.Q[(lanes.Vector(a, lane) * d) + (e - (lane * d))];
            lanes.Outputs[e] = 0;
        }

        Group.Barrier();
        int least = lanes.Hidden[0];
        int rows = 0;
        for (int lane = 0; lane < lanes.Count; lane++)
        {
            least = IntrinsicMath.Min(least, lanes.Hidden[lane]);
            rows = IntrinsicMath.Max(rows, lanes.Visible[lane]);
        }

        int perSplit = (rows - least + a.Splits - 1) / a.Splits;
        int begin = IntrinsicMath.Min(least + (lanes.Split * perSplit), rows);
        int end = IntrinsicMath.Min(begin + perSplit, rows);
        for (int first = begin; first < end; first += TileRows)
        {
            int count = IntrinsicMath.Min(TileRows, end - first);
            long row = a.Store.Runs.Starts[run] + first;
            Logits(a, lanes, row, first, count);
            Group.Barrier();
            Maxima(lanes, count);
            Group.Barrier();
            for (int e = Team.Thread; e < lanes.Count * TileRows; e += Team.Threads)
            {
                lanes.Weights[e] = GpuMath.Exp(lanes.Weights[e] - lanes.Maxima[e / TileRows]);
            }

            Group.Barrier();
            AddValues(a, lanes, row, count);
            Group.Barrier();
        }

        Finish(a, lanes);
        Group.Barrier();
    }

    private static void Logits(AttendArgs<T> a, Lanes lanes, long row, int first, int count)
    {
        int d = a.Store.HeadDim;
        for (int e = Team.Thread; e < lanes.Count * TileRows; e += Team.Threads)
        {
            int lane = e / TileRows;
            int j = e - (lane * TileRows);
            bool visible = j < count && first + j < lanes.Visible[lane] && first + j >= lanes.Hidden[lane];
            lanes.Weights[e] = visible
                ? GpuMath.SoftCap(GpuMath.Dot<TElement, T>(lanes.Queries.SubView(lane * d, d), a.Store.Key(row + j), d) * a.Scale, a.Cap)
                : float.NegativeInfinity;
        }
    }

    private static void Maxima(Lanes lanes, int count)
    {
        for (int lane = Team.Thread; lane < lanes.Count; lane += Team.Threads)
        {
            float largest = lanes.Maxima[lane];
            for (int j = 0; j < count; j++) largest = GpuMath.LargerNumber(largest, lanes.Weights[(lane * TileRows) + j]);
            lanes.Rescales[lane] = GpuMath.Exp(lanes.Maxima[lane] - largest);
            lanes.Maxima[lane] = largest;
        }
    }

    // o := o · rescale + Σ_j p_j v_j, and the same for the sum of weights.
    private static void AddValues(AttendArgs<T> a, Lanes lanes, long row, int count)
    {
        int d = a.Store.HeadDim;
        for (int e = Team.Thread; e < lanes.Count * d; e += Team.Threads)
        {
            int lane = e / d;
            int channel = e - (lane * d);
            float sum = lanes.Outputs[e] * lanes.Rescales[lane];
            for (int j = 0; j < count; j++)
            {
                float value = TElement.Load(a.Store.Values[((row + j) * d) + channel]);
                sum = GpuMath.Fma(lanes.Weights[(lane * TileRows) + j], value, sum);
            }

            lanes.Outputs[e] = sum;
        }

        for (int lane = Team.Thread; lane < lanes.Count; lane += Team.Threads)
        {
            float sum = lanes.Sums[lane] * lanes.Rescales[lane];
            for (int j = 0; j < count; j++) sum += lanes.Weights[(lane * TileRows) + j];
            lanes.Sums[lane] = sum;
        }
    }

    private static void Finish(AttendArgs<T> a, Lanes lanes)
    {
        int d = a.Store.HeadDim;
        for (int e = Team.Thread; e < lanes.Count * d; e += Team.Threads)
        {
            int lane = e / d;
            int channel = e - (lane * d);
            float sum = lanes.Sums[lane];
            if (a.Splits == 1)
            {
                float inverse = sum > 0 ? 1 / sum : 0;
                a.Y[(lanes.Vector(a, lane) * d) + channel] = lanes.Outputs[e] * inverse;
            }
            else
            {
                long part = ((lanes.Vector(a, lane) * a.Splits) + lanes.Split) * (2 + d);
                a.Parts[part + 2 + channel] = lanes.Outputs[e];
                if (channel == 0)
                {
                    a.Parts[part] = lanes.Maxima[lane];
                    a.Parts[part + 1] = sum;
                }
            }
        }
    }

    /// <summary>What a group works on, and its shared memory; lane = token · members + member.</summary>
    private struct Lanes
    {
        public ArrayView<float> Queries;
        public ArrayView<float> Outputs;
        public ArrayView<float> Weights;
        public ArrayView<float> Maxima;
        public ArrayView<float> Sums;
        public ArrayView<float> Rescales;
        public ArrayView<int> Hidden;
        public ArrayView<int> Visible;
        public int Head;
        public int FirstMember;
        public int Members;
        public int FirstToken;
        public int Count;
        public int Split;

        public readonly int Token(int lane) => FirstToken + (lane / Members);

        // Which of the n · query_heads vectors of q and y a lane stands for.
        public readonly long Vector(AttendArgs<T> a, int lane) =>
            ((long)Token(lane) * a.QueryHeads) + (Head * a.Group) + FirstMember + (lane % Members);
    }
}

/// <summary>Joins the splits: <c>m = max m_s</c>, <c>y = Σ_s exp(m_s − m) o_s / Σ_s exp(m_s − m) ℓ_s</c>, s ascending.</summary>
/// <remarks>One group owns a (token, query head), a thread every n-th channel.</remarks>
internal readonly struct AttendJoin<T> : IKernelBody<AttendArgs<T>> where T : unmanaged
{
    public static void Run(AttendArgs<T> a)
    {
        int d = a.Store.HeadDim;
        for (int item = Grid.IdxX; item < a.N.In(a.Block) * a.QueryHeads; item += Grid.DimX)
        {
            ArrayView<float> parts = a.Parts.SubView((long)item * a.Splits * (2 + d), a.Splits * (2 + d));
            float maximum = GpuMath.MaximumFloor;
            for (int s = 0; s < a.Splits; s++) maximum = GpuMath.LargerNumber(maximum, parts[s * (2 + d)]);
            float total = 0;
            for (int s = 0; s < a.Splits; s++)
            {
                total += parts[(s * (2 + d)) + 1] * GpuMath.Exp(parts[s * (2 + d)] - maximum);
            }

            float inverse = total > 0 ? 1 / total : 0;
            for (int channel = Team.Thread; channel < d; channel += Team.Threads)
            {
                float sum = 0;
                for (int s = 0; s < a.Splits; s++)
                {
                    sum = GpuMath.Fma(parts[(s * (2 + d)) + 2 + channel], GpuMath.Exp(parts[s * (2 + d)] - maximum), sum);
                }

                a.Y[((long)item * d) + channel] = sum * inverse;
            }
        }
    }
}
