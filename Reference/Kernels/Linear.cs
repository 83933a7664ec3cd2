using System.Runtime.Intrinsics;
using KvIL.Ops;
using KvIL.Reference.Simd;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary><c>y[i, o] = Σ_k x[i, k] · weight[o, k] (+ bias[o])</c>, weights read in their stored type, each once.</summary>
/// <remarks>
/// A few rows (decode): dot products of each x row with four weight rows at a time, bound by the bandwidth at which weights are read.
/// Many rows (prefill): x is packed into panels of 32 rows, and tiles of 8 weight rows run over all panels (<see cref="Tile"/>), bound by multiply-adds.
/// F16 weights meet a scaled x in the one case (<see cref="HalfRows"/>). Quantised weights are dequantised in registers for one x row, and once per call to float32 for several.
/// </remarks>
internal sealed unsafe class LinearStep(LinearOp op) : Step
{
    // Below this many rows a tile of 32 lanes would stand mostly empty.
    private const int TileFromRows = 8;

    // Weight rows of one item: enough to pay for handing it out, few enough to share evenly.
    private const int RowsPerItem = 32;

    // The same for a dot product of few rows, by quarters of the weight.
    private const int ItemsPerWorker = 8;
    private const int LeastRowsPerItem = 4;
    private const int MostRowsPerItem = 64;

    private readonly int _in = op.X.Tensor.Shape[1].Max;
    private readonly int _out = op.Y.Tensor.Shape[1].Max;
    private readonly int _maxRows = op.X.Tensor.Shape[0].Max;
    private readonly DType _type = op.Weight.Tensor.Type;

    private int MaxPanels => (_maxRows + Tile.Width - 1) / Tile.Width;

    public override long ScratchBytes(int workers)
    {
        long bias = DType.F32.SizeBytes(_out);
        long panels = _maxRows >= TileFromRows ? DType.F32.SizeBytes((long)MaxPanels * Tile.Width * _in)
            : DType.F32.SizeBytes((long)_maxRows * _in);
        long widened = _maxRows == 1 || _type == DType.F32 ? 0 : DType.F32.SizeBytes((long)workers * RowsPerItem * _in);
        return bias + panels + widened;
    }

    public override void Run(Frame f)
    {
        int n = f.Value(op.X.Tensor.Shape[0]);
        float* bias = null;
        if (op.Bias is not null)
        {
            bias = (float*)f.Scratch;
            Elements.Widen(op.Bias.Tensor.Type, f.Raw(op.Bias), bias, _out);
        }

        float* panels = (float*)f.Scratch + _out;
        Problem problem = new(
            f.F32(op.X), f.Raw(op.Weight), _type.SizeBytes(_in), bias, f.F32(op.Y), n, _in, _out, panels, panels + (_maxRows >= TileFromRows ? (long)MaxPanels * Tile.Width * _in : (long)_maxRows * _in));
        if (_type == DType.F16 && n < TileFromRows && HalfRows.TryScale(problem.X, panels, (long)n * _in))
        {
            new Action(f.Workers, problem with { XAddress = (nint)panels }).Run<HalfRows>();
        }
        else
        {
            WeightRows.Dispatch(_type, new Action(f.Workers, problem));
        }
    }

    private readonly record struct Problem(
        nint XAddress, nint WeightAddress, long RowBytes, nint BiasAddress, nint YAddress, int N, int In, int Out, nint PanelsAddress, nint WidenedAddress)
    {
        public Problem(float* x, byte* weight, long rowBytes, float* bias, float* y, int n, int width, int outputs, float* panels, float* widened)
            : this((nint)x, (nint)weight, rowBytes, (nint)bias, (nint)y, n, width, outputs, (nint)panels, (nint)widened)
        {
        }

        public float* X => (float*)XAddress;

        public byte* Weight => (byte*)WeightAddress;

        public float* Y => (float*)YAddress;

        public float* Panels => (float*)PanelsAddress;

        public float* Widened => (float*)WidenedAddress;

        public float Bias(int o) => BiasAddress == 0 ? 0 : ((float*)BiasAddress)[o];

        public int NumPanels => (N + Tile.Width - 1) / Tile.Width;
    }

    private readonly struct Action(Workers workers, Problem p) : IWeightAction
    {
        public void Run<TRows>() where TRows : struct, IWeightRows
        {
            if (p.N < TileFromRows)
            {
                bool worthSharing = (long)p.Out * p.In > 32 * 1024;
                int quarter = Math.Max(1, p.Out / 4);
                int rows = Math.Clamp(quarter / (workers.Count * ItemsPerWorker), LeastRowsPerItem, MostRowsPerItem);
                workers.Run(new DotRows<TRows>(p, rows), (quarter + rows - 1) / rows, worthSharing);
            }
            else
            {
                workers.Run(new Pack(p), p.NumPanels);
                workers.Run(new TileRows<TRows>(p), (p.Out + RowsPerItem - 1) / RowsPerItem);
            }
        }
    }

    // One item: a few rows of each quarter of the weight, four at a time, times every row of x. A processor reads from four
    // places at once faster than from one: what it reads ahead ends at every page.
    private readonly struct DotRows<TRows>(Problem p, int rowsPerItem) : IJob where TRows : struct, IWeightRows
    {
        public void Run(int index, int worker)
        {
            int quarter = p.Out / 4;
            int end = Math.Min(quarter, (index + 1) * rowsPerItem);
            for (int o = index * rowsPerItem; o < end; o++)
            {
                if (TRows.SharesWidened && p.N > 1)
                {
                    RunShared(o, quarter, p.Widened + ((long)worker * RowsPerItem * p.In));
                    continue;
                }

                for (int i = 0; i < p.N; i++)
                {
                    Vector128<float> sums = TRows.DotFour(p.X + ((long)i * p.In), p.Weight + (o * p.RowBytes), quarter * p.RowBytes, p.In);
                    float* y = p.Y + ((long)i * p.Out) + o;
                    for (int q = 0; q < 4; q++)
                    {
                        y[q * quarter] = sums[q] + p.Bias(o + (q * quarter));
                    }
                }
            }

            if (end == quarter)
            {
                RunRest(4 * quarter);
            }
        }

        // Unpacked once for all rows of x.
        private void RunShared(int first, int quarter, float* row)
        {
            for (int o = first; o < 4 * quarter; o += quarter)
            {
                TRows.Widen(p.Weight + (o * p.RowBytes), row, p.In);
                for (int i = 0; i < p.N; i++)
                {
                    p.Y[((long)i * p.Out) + o] = TRows.DotWidened(p.X + ((long)i * p.In), row, p.In) + p.Bias(o);
                }
            }
        }

        private void RunRest(int first)
        {
            for (int o = first; o < p.Out; o++)
            {
                for (int i = 0; i < p.N; i++)
                {
                    p.Y[((long)i * p.Out) + o] = TRows.Dot(p.X + ((long)i * p.In), p.Weight + (o * p.RowBytes), p.In) + p.Bias(o);
                }
            }
        }
    }

    // One item: a panel, P[k, ℓ] = x[32 panel + ℓ, k]; lanes beyond the last row are 0.
    private readonly struct Pack(Problem p) : IJob
    {
        public void Run(int index, int worker) => Panel.Pack(
            p.X + ((long)index * Tile.Width * p.In), p.In, Math.Min(Tile.Width, p.N - (index * Tile.Width)), p.In,
            p.Panels + ((long)index * Tile.Width * p.In));
    }

    // One item: a block of weight rows as float32, tile by tile over all panels.
    private readonly struct TileRows<TRows>(Problem p) : IJob where TRows : struct, IWeightRows
    {
        public void Run(int index, int worker)
        {
            int first = index * RowsPerItem;
            int rows = Math.Min(RowsPerItem, p.Out - first);
            byte* stored = p.Weight + (first * p.RowBytes);
            float* weight = (float*)stored;
            if (!TRows.IsF32)
            {
                weight = p.Widened + ((long)worker * RowsPerItem * p.In);
                TRows.Widen(stored, weight, (long)rows * p.In);
            }

            float* c = stackalloc float[Tile.Height * Tile.Width];
            for (int panel = 0; panel < p.NumPanels; panel++)
            {
                for (int r = 0; r < rows; r += Tile.Height)
                {
                    int height = Math.Min(Tile.Height, rows - r);
                    Tile.Multiply(
                        weight + ((long)r * p.In), p.In, 1, height, p.Panels + ((long)panel * Tile.Width * p.In), p.In, c, accumulate: false);
                    StoreTransposed(c, panel * Tile.Width, first + r, height);
                }
            }
        }

        private void StoreTransposed(float* c, int firstRow, int firstOutput, int height)
        {
            int lanes = Math.Min(Tile.Width, p.N - firstRow);
            for (int lane = 0; lane < lanes; lane++)
            {
                float* y = p.Y + ((long)(firstRow + lane) * p.Out) + firstOutput;
                for (int r = 0; r < height; r++)
                {
                    y[r] = c[(r * Tile.Width) + lane] + p.Bias(firstOutput + r);
                }
            }
        }
    }
}
