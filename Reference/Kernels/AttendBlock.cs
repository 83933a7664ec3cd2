using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Simd;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary>Up to 32 queries ("lanes") over the rows of one run: the inner part of attention, in a worker's own scratch.</summary>
/// <remarks>
/// Many lanes: logits, maxima, sums and outputs are tiles with one query in each lane, so nothing is ever reduced
/// across lanes. A few lanes (decode): one dot product for each row and query, with the vector running over channels.
/// </remarks>
internal readonly unsafe struct AttendBlock
{
    private const int RowsPerBlock = 64;

    // From here on a tile of 32 lanes does less work than one dot product for each row and query.
    private const int TileFromLanes = 8;

    // Finite, so that a lane without visible rows gives exp(−∞ − floor) = 0 and not NaN.
    private const float MaximumFloor = -1e30f;

    private readonly HostStore _store;
    private readonly int _run;
    private readonly float _scale;
    private readonly float _cap;       // 0 for none
    private readonly int _headDim;
    private readonly float* _queries;  // [head_dim, 32]
    private readonly float* _outputs;  // [head_dim, 32]; with few lanes [lanes, head_dim]
    private readonly float* _logits;   // [64, 32]; with few lanes [lanes, 64]
    private readonly float* _widened;  // [64, head_dim]
    private readonly float* _maximum;  // [32]
    private readonly float* _sum;      // [32]
    private readonly int* _hidden;     // [32] rows before the first visible one
    private readonly int* _visible;    // [32] rows up to the last visible one
    private readonly nint* _query;     // [32] addresses of the lanes' queries
    private readonly nint* _output;    // [32] addresses of the lanes' outputs

    public AttendBlock(HostStore store, int run, AttentionRule rule, byte* scratch)
    {
        (_store, _run, _headDim) = (store, run, store.StoreSpec.HeadDim);
        (_scale, _cap) = (rule.Scale, rule.SoftCap ?? 0);
        _queries = (float*)scratch;
        _outputs = _queries + (_headDim * Tile.Width);
        _logits = _outputs + (_headDim * Tile.Width);
        _widened = _logits + (RowsPerBlock * Tile.Width);
        _maximum = _widened + (RowsPerBlock * _headDim);
        _sum = _maximum + Tile.Width;
        _hidden = (int*)(_sum + Tile.Width);
        _visible = _hidden + Tile.Width;
        _query = (nint*)(_visible + Tile.Width);
        _output = _query + Tile.Width;
    }

    /// <summary>Scratch bytes of one worker.</summary>
    public static long ScratchBytes(int headDim) => DType.F32.SizeBytes(
        (2L * headDim * Tile.Width) + (RowsPerBlock * (long)(Tile.Width + headDim)) + (4 * Tile.Width))
        + (2L * Tile.Width * sizeof(long));

    /// <summary>Gives lane <paramref name="lane"/> a query, a place for its output, and the rows that it sees: from <paramref name="hidden"/> up to, without, <paramref name="visible"/>.</summary>
    public void SetLane(int lane, float* query, float* output, int hidden, int visible) =>
        (_query[lane], _output[lane], _hidden[lane], _visible[lane]) = ((nint)query, (nint)output, hidden, visible);

    /// <summary>Computes the outputs of the first <paramref name="lanes"/> lanes.</summary>
    public void Attend(int lanes)
    {
        for (int lane = 0; lane < Tile.Width; lane++)
        {
            (_maximum[lane], _sum[lane]) = (MaximumFloor, 0);
            (_hidden[lane], _visible[lane]) = lane < lanes ? (_hidden[lane], _visible[lane]) : (0, 0);
        }

        new Span<float>(_outputs, _headDim * Tile.Width).Clear();
        if (lanes >= TileFromLanes)
        {
            AttendTile(lanes);
        }
        else if (_store.StoreSpec.RowType == DType.F16)
        {
            AttendFew<F16Element>(lanes);
        }
        else
        {
            AttendFew<F32Element>(lanes);
        }
    }

    private void AttendTile(int lanes)
    {
        for (int lane = 0; lane < Tile.Width; lane++)
        {
            if (lane < lanes)
            {
                Panel.PackLane((float*)_query[lane], lane, _headDim, _queries);
            }
            else
            {
                Panel.ClearLane(lane, _headDim, _queries);
            }
        }

        int rows = TensorPrimitives.Max(new ReadOnlySpan<int>(_visible, lanes));
        for (int first = TensorPrimitives.Min(new ReadOnlySpan<int>(_hidden, lanes)); first < rows; first += RowsPerBlock)
        {
            int count = Math.Min(RowsPerBlock, rows - first);
            float* keys = Widen(_store.Key(_store.Start[_run] + first), count);
            for (int row = 0; row < count; row += Tile.Height)
            {
                Tile.Multiply(
                    keys + (row * _headDim), _headDim, 1, Math.Min(Tile.Height, count - row), _queries, _headDim,
                    _logits + (row * Tile.Width), accumulate: false);
            }

            SoftmaxTile(first, count);
            float* values = Widen(_store.Value(_store.Start[_run] + first), count);
            for (int channel = 0; channel < _headDim; channel += Tile.Height)
            {
                Tile.Multiply(
                    values + channel, 1, _headDim, Math.Min(Tile.Height, _headDim - channel), _logits, count,
                    _outputs + (channel * Tile.Width), accumulate: true);
            }
        }

        for (int lane = 0; lane < lanes; lane++)
        {
            float inverse = _sum[lane] > 0 ? 1 / _sum[lane] : 0;
            for (int channel = 0; channel < _headDim; channel++)
            {
                ((float*)_output[lane])[channel] = _outputs[(channel * Tile.Width) + lane] * inverse;
            }
        }
    }

    // logits[j, ℓ] := exp(cap(scale · logits[j, ℓ]) − m[ℓ]); rows that a lane does not see give 0.
    private void SoftmaxTile(int first, int count)
    {
        for (int lane = 0; lane < Tile.Width; lane += Lanes.Count)
        {
            Vector256<int> hidden = Vector256.Load(_hidden + lane);
            Vector256<int> visible = Vector256.Load(_visible + lane);
            Vector256<float> old = Vector256.Load(_maximum + lane);
            Vector256<float> maximum = old;
            for (int j = 0; j < count; j++)
            {
                float* logits = _logits + (j * Tile.Width) + lane;
                Vector256<int> row = Vector256.Create(first + j);
                Vector256<float> masked = Masked(Vector256.Load(logits) * _scale, row, hidden, visible);
                masked.Store(logits);
                maximum = Vector256.Max(maximum, masked);
            }

            Vector256<float> rescale = Lanes.Exp(old - maximum);
            Vector256<float> sum = Vector256.Load(_sum + lane) * rescale;
            for (int j = 0; j < count; j++)
            {
                float* logits = _logits + (j * Tile.Width) + lane;
                Vector256<float> e = Lanes.Exp(Vector256.Load(logits) - maximum);
                e.Store(logits);
                sum += e;
            }

            maximum.Store(_maximum + lane);
            sum.Store(_sum + lane);
            for (int channel = 0; channel < _headDim; channel++)
            {
                float* outputs = _outputs + (channel * Tile.Width) + lane;
                (Vector256.Load(outputs) * rescale).Store(outputs);
            }
        }
    }

    // cap(logit) where hidden ≤ row < visible, else −∞.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private Vector256<float> Masked(Vector256<float> logit, Vector256<int> row, Vector256<int> hidden, Vector256<int> visible)
    {
        Vector256<float> capped = _cap > 0 ? Lanes.SoftCap(logit, _cap) : logit;
        Vector256<int> sees = Vector256.AndNot(Vector256.GreaterThan(visible, row), Vector256.GreaterThan(hidden, row));
        return Vector256.ConditionalSelect(sees.AsSingle(), capped, Vector256.Create(float.NegativeInfinity));
    }

    private void AttendFew<TElement>(int lanes) where TElement : struct, IElement
    {
        int rows = TensorPrimitives.Max(new ReadOnlySpan<int>(_visible, lanes));
        for (int first = TensorPrimitives.Min(new ReadOnlySpan<int>(_hidden, lanes)); first < rows; first += RowsPerBlock)
        {
            int count = Math.Min(RowsPerBlock, rows - first);
            for (int j = 0; j < count; j++)
            {
                byte* key = _store.Key(_store.Start[_run] + first + j);
                for (int lane = 0; lane < lanes; lane++)
                {
                    _logits[(lane * RowsPerBlock) + j] = first + j < _visible[lane]
                        ? Elements.Dot<TElement>((float*)_query[lane], key, _headDim) * _scale
                        : 0;
                }
            }

            for (int lane = 0; lane < lanes; lane++)
            {
                SoftmaxLane(lane, first, count);
            }

            for (int j = 0; j < count; j++)
            {
                AddValue<TElement>(_store.Value(_store.Start[_run] + first + j), j, lanes);
            }
        }

        for (int lane = 0; lane < lanes; lane++)
        {
            float inverse = _sum[lane] > 0 ? 1 / _sum[lane] : 0;
            for (int channel = 0; channel < _headDim; channel++)
            {
                ((float*)_output[lane])[channel] = _outputs[(lane * _headDim) + channel] * inverse;
            }
        }
    }

    private void SoftmaxLane(int lane, int first, int count)
    {
        float* logits = _logits + (lane * RowsPerBlock);
        new Span<float>(logits + count, RowsPerBlock - count).Clear();
        Vector256<int> hidden = Vector256.Create(_hidden[lane]);
        Vector256<int> visible = Vector256.Create(_visible[lane]);
        Vector256<float> largest = Vector256.Create(_maximum[lane]);
        for (int j = 0; j < RowsPerBlock; j += Lanes.Count)
        {
            Vector256<int> rows = Vector256.Create(first + j) + Vector256<int>.Indices;
            Vector256<float> masked = Masked(Vector256.Load(logits + j), rows, hidden, visible);
            masked.Store(logits + j);
            largest = Vector256.Max(largest, masked);
        }

        Vector256<float> maximum = Vector256.Create(Lanes.Max(largest));
        float rescale = Lanes.Exp(Vector256.Create(_maximum[lane]) - maximum)[0];
        Vector256<float> sum = default;
        for (int j = 0; j < RowsPerBlock; j += Lanes.Count)
        {
            Vector256<float> e = Lanes.Exp(Vector256.Load(logits + j) - maximum);
            e.Store(logits + j);
            sum += e;
        }

        (_maximum[lane], _sum[lane]) = (maximum[0], (_sum[lane] * rescale) + Lanes.Sum(sum));
        float* output = _outputs + (lane * _headDim);
        for (int channel = 0; channel < _headDim; channel++)
        {
            output[channel] *= rescale;
        }
    }

    // outputs[lane] += p[lane, j] · value
    private void AddValue<TElement>(byte* value, int j, int lanes) where TElement : struct, IElement
    {
        int channel = 0;
        for (; channel <= _headDim - Lanes.Count; channel += Lanes.Count)
        {
            Vector256<float> v = TElement.Load8(value, channel);
            for (int lane = 0; lane < lanes; lane++)
            {
                Vector256<float> p = Vector256.Create(_logits[(lane * RowsPerBlock) + j]);
                float* output = _outputs + (lane * _headDim) + channel;
                Vector256.FusedMultiplyAdd(p, v, Vector256.Load(output)).Store(output);
            }
        }

        for (; channel < _headDim; channel++)
        {
            for (int lane = 0; lane < lanes; lane++)
            {
                float* output = _outputs + (lane * _headDim) + channel;
                *output = MathF.FusedMultiplyAdd(_logits[(lane * RowsPerBlock) + j], TElement.Load(value, channel), *output);
            }
        }
    }

    // Rows as float32: in place where they are stored so.
    private float* Widen(byte* rows, int count)
    {
        if (_store.StoreSpec.RowType == DType.F32)
        {
            return (float*)rows;
        }

        Elements.Widen(_store.StoreSpec.RowType, rows, _widened, (long)count * _headDim);
        return _widened;
    }
}
