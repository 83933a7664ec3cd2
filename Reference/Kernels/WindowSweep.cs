using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Simd;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary>Window scores of a few query heads of one KV head, for up to 32 queries: one in each lane.</summary>
/// <remarks>
/// The rows that any of the queries sees come in blocks b of 64:
/// <code>
/// weigh    s_tj = log₂e · cap(scale · q_t·k_j), −∞ where t does not see j     m_tb = max_{j in b} s_tj
///          e_tj = 2^(s_tj − m_tb)                                              l_tb = Σ_{j in b} e_tj
/// join     M_t = max_b m_tb     L_t = Σ_b l_tb 2^(m_tb − M_t)                  f_tb = 2^(m_tb − M_t) / (w L_t)
/// average  y_j = Σ_t e_tj f_tb
/// </code>
/// A block's logits become exponentials while they lie in the innermost cache, and the large e is written once and read once. These
/// scores decide what is kept, so their bits are the same at every vector width and thread count: a product is a chain of fused
/// multiply-adds in ascending channel (<see cref="Tile"/>), l and L add rows and blocks in ascending order inside a lane, and y adds
/// the four eights of queries in ascending order, then lanes in the order of <see cref="Lanes.Sum"/>. Blocks are items of work whole.
/// A NaN logit makes L and so all y of its head NaN.
/// </remarks>
internal readonly unsafe struct WindowSweep
{
    private const int RowsPerBlock = 64;
    private const double Log2E = 1.4426950408889634;

    private readonly HostStore _store;
    private readonly AttentionRule _rule;
    private readonly int _firstPosition; // of query 0; query t stands at _firstPosition + t
    private readonly int _lanes;
    private readonly int _queries;       // w
    private readonly int _heads;
    private readonly int _begin;         // rows of the run that some query sees
    private readonly int _end;
    private readonly int _blocks;
    private readonly long _firstRow;     // of the run in the pool
    private readonly int _length;        // columns of y
    private readonly float* _panels;     // [heads, head_dim, 32]
    private readonly float* _y;          // [heads, length]
    private readonly float* _e;          // [heads, end − begin, 32]
    private readonly float* _maxima;     // [blocks, heads, 32]: m, and f once joined
    private readonly float* _sums;       // [blocks, heads, 32]: l
    private readonly float* _widened;    // [workers, 64, head_dim]

    /// <summary>A sweep over a run.</summary>
    /// <param name="store">The rows.</param>
    /// <param name="run">The run scored.</param>
    /// <param name="rule">How logits are made and which rows a query sees.</param>
    /// <param name="firstPosition">Position of the first query.</param>
    /// <param name="lanes">Queries, 1 to 32.</param>
    /// <param name="queries">w, queries of the whole window.</param>
    /// <param name="panels">The queries, <c>[heads, head_dim, 32]</c>.</param>
    /// <param name="heads">Query heads.</param>
    /// <param name="y">Scores, <c>[heads, length]</c>.</param>
    /// <param name="length">Columns of y.</param>
    /// <param name="scratch">As much as <see cref="ScratchFloats"/> says.</param>
    public WindowSweep(
        HostStore store, int run, AttentionRule rule, int firstPosition, int lanes, int queries, float* panels, int heads, float* y, int length, float* scratch)
    {
        (_store, _rule, _firstPosition, _lanes, _queries) = (store, rule, firstPosition, lanes, queries);
        (_heads, _length) = (heads, length);
        _panels = panels;
        _y = y;
        _firstRow = store.Start[run];
        _begin = store.VisibleRows(run, firstPosition - rule.WindowOrAll);
        _end = store.VisibleRows(run, firstPosition + lanes - 1 - rule.Lag);
        _blocks = Blocks(_end - _begin);
        _e = scratch;
        _maxima = _e + ((long)heads * (_end - _begin) * Tile.Width);
        _sums = _maxima + ((long)heads * _blocks * Tile.Width);
        _widened = _sums + ((long)heads * _blocks * Tile.Width);
    }

    /// <summary>Scratch for <paramref name="heads"/> heads over at most <paramref name="rows"/> rows.</summary>
    public static long ScratchFloats(int heads, int rows, int headDim, int workers) =>
        ((long)heads * Tile.Width * (rows + (2L * Blocks(rows)))) + ((long)workers * RowsPerBlock * headDim);

    /// <summary>Computes the scores: over what y holds, or on top of it.</summary>
    public void Run(Workers workers, bool isFirst)
    {
        if (isFirst)
        {
            for (int head = 0; head < _heads; head++)
            {
                Span<float> y = new(_y + ((long)head * _length), _length);
                y[.._begin].Clear();
                y[_end..].Clear();
            }
        }

        workers.Run(new WeighJob(this), _blocks);
        workers.Run(new JoinJob(this), _heads * (Tile.Width / Lanes.Count), _blocks > 16);
        workers.Run(new AverageJob(this, accumulate: !isFirst), _blocks);
    }

    private static int Blocks(int rows) => (rows + RowsPerBlock - 1) / RowsPerBlock;

    private int Rows(int block) => Math.Min(RowsPerBlock, _end - _begin - (block * RowsPerBlock));

    private float* E(int block, int head) => _e + ((((long)head * (_end - _begin)) + (block * RowsPerBlock)) * Tile.Width);

    private static long Lane(int block, int heads, int head) => (((long)block * heads) + head) * Tile.Width;

    private void Weigh(int block, int worker)
    {
        int d = _store.StoreSpec.HeadDim;
        int first = _begin + (block * RowsPerBlock), rows = Rows(block);
        float* keys = (float*)_store.Key(_firstRow + first);
        if (_store.StoreSpec.RowType != DType.F32)
        {
            float* widened = _widened + ((long)worker * RowsPerBlock * d);
            Elements.Widen(_store.StoreSpec.RowType, (byte*)keys, widened, (long)rows * d);
            keys = widened;
        }

        int* positions = _store.Position + _firstRow + first;
        for (int head = 0; head < _heads; head++)
        {
            float* e = E(block, head);
            Tile.Multiply(keys, d, 1, rows, _panels + ((long)head * d * Tile.Width), d, e, accumulate: false);
            float* maxima = _maxima + Lane(block, _heads, head);
            if (_rule.SoftCap is null && AllSee(positions, rows))
            {
                Scale(e, rows, maxima);
            }
            else
            {
                ScaleAndMask(e, positions, rows, maxima);
            }

            Exponentials(e, rows, maxima, _sums + Lane(block, _heads, head));
        }
    }

    // Positions ascend within a run.
    private bool AllSee(int* positions, int rows) =>
        _lanes == Tile.Width && positions[rows - 1] <= _firstPosition - _rule.Lag && positions[0] > _firstPosition + _lanes - 1 - _rule.WindowOrAll;

    // s = (log₂e · scale) · s;  m = max s
    private void Scale(float* s, int rows, float* maxima)
    {
        float scale = (float)(_rule.Scale * Log2E);
        Vector256<float> m0 = Vector256.Create(float.MinValue), m1 = m0, m2 = m0, m3 = m0;
        float* end = s + (rows * Tile.Width);
        for (; s < end; s += Tile.Width)
        {
            m0 = Vector256.MaxNative(Scaled(s, scale), m0);
            m1 = Vector256.MaxNative(Scaled(s + 8, scale), m1);
            m2 = Vector256.MaxNative(Scaled(s + 16, scale), m2);
            m3 = Vector256.MaxNative(Scaled(s + 24, scale), m3);
        }

        m0.Store(maxima);
        m1.Store(maxima + 8);
        m2.Store(maxima + 16);
        m3.Store(maxima + 24);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Scaled(float* s, float scale)
    {
        Vector256<float> scaled = Vector256.Load(s) * scale;
        scaled.Store(s);
        return scaled;
    }

    // s = log₂e · cap(scale · s), −∞ where the query does not see the row; lanes without a query see none.
    private void ScaleAndMask(float* s, int* positions, int rows, float* maxima)
    {
        float scale = _rule.SoftCap is null ? (float)(_rule.Scale * Log2E) : _rule.Scale;
        float cap = _rule.SoftCap ?? 0, scaledCap = (float)(cap * Log2E);
        for (int lane = 0; lane < Tile.Width; lane += Lanes.Count)
        {
            Vector256<int> t = Vector256.Create(lane) + Vector256<int>.Indices;
            Vector256<int> query = Vector256.ConditionalSelect(
                Vector256.LessThan(t, Vector256.Create(_lanes)), t + Vector256.Create(_firstPosition), Vector256.Create(-1));
            Vector256<int> before = query - Vector256.Create(_rule.WindowOrAll); // the last position that is hidden again
            Vector256<int> newest = query - Vector256.Create(_rule.Lag);
            Vector256<float> maximum = Vector256.Create(float.MinValue);
            for (int j = 0; j < rows; j++)
            {
                float* logit = s + (j * Tile.Width) + lane;
                Vector256<int> position = Vector256.Create(positions[j]);
                Vector256<float> scaled = Vector256.Load(logit) * scale;
                Vector256<float> masked = Vector256.ConditionalSelect(
                    (Vector256.GreaterThanOrEqual(newest, position) & Vector256.GreaterThan(position, before)).AsSingle(),
                    cap > 0 ? Lanes.Tanh(scaled / cap) * scaledCap : scaled,
                    Vector256.Create(float.NegativeInfinity));
                masked.Store(logit);
                maximum = Vector256.MaxNative(masked, maximum);
            }

            maximum.Store(maxima + lane);
        }
    }

    // e = 2^(s − m);  l = Σ e
    private static void Exponentials(float* s, int rows, float* maxima, float* sums)
    {
        for (int lane = 0; lane < Tile.Width; lane += Lanes.Count)
        {
            Vector256<float> maximum = Vector256.Load(maxima + lane);
            Vector256<float> sum = default;
            float* end = s + (rows * Tile.Width);
            for (float* logit = s + lane; logit < end; logit += Tile.Width)
            {
                Vector256<float> e = Lanes.Exp2OfNonPositive(Vector256.Load(logit) - maximum);
                e.Store(logit);
                sum += e;
            }

            sum.Store(sums + lane);
        }
    }

    // Eight lanes of one head: m becomes f.
    private void Join(int head, int lane)
    {
        Vector256<float> maximum = Vector256.Create(float.MinValue);
        for (int block = 0; block < _blocks; block++)
        {
            maximum = Vector256.MaxNative(Vector256.Load(_maxima + Lane(block, _heads, head) + lane), maximum);
        }

        Vector256<float> sum = default;
        for (int block = 0; block < _blocks; block++)
        {
            long at = Lane(block, _heads, head) + lane;
            Vector256<float> factor = Lanes.Exp2OfNonPositive(Vector256.Load(_maxima + at) - maximum);
            factor.Store(_maxima + at);
            sum = Vector256.FusedMultiplyAdd(Vector256.Load(_sums + at), factor, sum);
        }

        // A query that sees no row pays no attention, rather than 0/0.
        Vector256<float> inverse = Vector256.ConditionalSelect(
            Vector256.Equals(sum, Vector256<float>.Zero), Vector256<float>.Zero, Vector256<float>.One / (sum * _queries));
        for (int block = 0; block < _blocks; block++)
        {
            float* factor = _maxima + Lane(block, _heads, head) + lane;
            (Vector256.Load(factor) * inverse).Store(factor);
        }
    }

    private void Average(int block, bool accumulate)
    {
        int rows = Rows(block);
        for (int head = 0; head < _heads; head++)
        {
            float* f = _maxima + Lane(block, _heads, head);
            float* e = E(block, head);
            float* y = _y + ((long)head * _length) + _begin + (block * RowsPerBlock);
            Vector256<float> f0 = Vector256.Load(f), f1 = Vector256.Load(f + 8), f2 = Vector256.Load(f + 16), f3 = Vector256.Load(f + 24);
            for (int j = 0; j < rows; j++)
            {
                Vector256<float> sum = Vector256.Load(e) * f0;
                sum = Vector256.FusedMultiplyAdd(Vector256.Load(e + 8), f1, sum);
                sum = Vector256.FusedMultiplyAdd(Vector256.Load(e + 16), f2, sum);
                sum = Vector256.FusedMultiplyAdd(Vector256.Load(e + 24), f3, sum);
                y[j] = accumulate ? y[j] + Lanes.Sum(sum) : Lanes.Sum(sum);
                e += Tile.Width;
            }
        }
    }

    // One item each: a block; eight lanes of a head; a block.
    private readonly struct WeighJob(WindowSweep sweep) : IJob
    {
        public void Run(int index, int worker) => sweep.Weigh(index, worker);
    }

    private readonly struct JoinJob(WindowSweep sweep) : IJob
    {
        public void Run(int index, int worker) => sweep.Join(index * Lanes.Count / Tile.Width, index * Lanes.Count % Tile.Width);
    }

    private readonly struct AverageJob(WindowSweep sweep, bool accumulate) : IJob
    {
        public void Run(int index, int worker) => sweep.Average(index, accumulate);
    }
}
