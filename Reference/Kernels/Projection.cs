using System.Runtime.Intrinsics;
using KvIL.Plans;
using KvIL.Reference.Memory;
using KvIL.Reference.Simd;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary>A layer's output projection, <c>[width, inputs]</c> in its stored type, and what rows can add to the output through it.</summary>
internal readonly unsafe struct Projection(Frame f, Slot weight)
{
    private readonly byte* _weights = f.Raw(weight);
    private readonly DType _type = weight.Tensor.Type;
    private readonly int _width = weight.Tensor.Shape[0].Max;
    private readonly long _inputs = weight.Tensor.Shape[1].Max;

    /// <summary>Floats that <see cref="Norms"/> needs: a panel of W_i, a tile, and widened rows.</summary>
    public static long ScratchFloats(int headDim) => ((long)headDim * Tile.Width) + (Tile.Height * Tile.Width) + (Tile.Height * (long)headDim);

    /// <summary><c>‖u_j‖₁ = Σ_c |Σ_k v_jk W[c, i·d + k]|</c> of every row j of a run, for query head i.</summary>
    public void Norms(HostStore store, int run, int queryHead, float* scratch, Span<double> norms)
    {
        int d = store.StoreSpec.HeadDim, rows = store.Length[run];
        float* panel = scratch;
        float* tile = panel + (d * Tile.Width);
        float* widened = tile + (Tile.Height * Tile.Width);
        norms[..rows].Clear();
        for (int c = 0; c < _width; c += Tile.Width)
        {
            Pack(c, queryHead, d, widened, panel);
            for (int j = 0; j < rows; j += Tile.Height)
            {
                int height = Math.Min(Tile.Height, rows - j);
                Elements.Widen(store.StoreSpec.RowType, store.Value(store.Start[run] + j), widened, (long)height * d);
                Tile.Multiply(widened, d, 1, height, panel, d, tile, accumulate: false);
                for (int r = 0; r < height; r++)
                {
                    for (int lane = 0; lane < Tile.Width; lane += Lanes.Count)
                    {
                        norms[j + r] += Lanes.Sum(Vector256.Abs(Vector256.Load(tile + (r * Tile.Width) + lane)));
                    }
                }
            }
        }
    }

    // Output channels first .. first + 31 of head i's part, one in each lane.
    private void Pack(int first, int queryHead, int d, float* widened, float* panel)
    {
        for (int lane = 0; lane < Tile.Width; lane++)
        {
            if (first + lane >= _width)
            {
                Panel.ClearLane(lane, d, panel);
                continue;
            }

            WeightRows.WidenPart(_type, _weights, ((first + lane) * _inputs) + ((long)queryHead * d), widened, d);
            Panel.PackLane(widened, lane, d, panel);
        }
    }
}
