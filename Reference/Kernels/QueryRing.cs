using KvIL.Plans;
using KvIL.Reference.Simd;

namespace KvIL.Reference.Kernels;

/// <summary>The remembered queries of one sequence: the query of position p lies at p mod ring.</summary>
internal readonly unsafe struct QueryRing(Frame f, Slot window, int sequence, int headDim)
{
    private readonly int _ring = window.Tensor.Shape[1].Max;
    private readonly float* _start = f.F32(window) + ((long)sequence * window.Tensor.Shape[1].Max * window.Tensor.Shape[2].Max);

    /// <summary>Query heads.</summary>
    public int Heads { get; } = window.Tensor.Shape[2].Max / headDim;

    /// <summary>The query of a position and head, <c>[d]</c>.</summary>
    public float* At(int position, int head) => _start + ((((long)(position % _ring) * Heads) + head) * headDim);

    /// <summary>Packs the queries of <paramref name="lanes"/> positions side by side; the remaining lanes are 0.</summary>
    public void Pack(int position, int lanes, int head, float* panel)
    {
        for (int lane = 0; lane < Tile.Width; lane++)
        {
            if (lane < lanes) Panel.PackLane(At(position + lane, head), lane, headDim, panel);
            else Panel.ClearLane(lane, headDim, panel);
        }
    }
}
