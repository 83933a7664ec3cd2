namespace KvIL.Reference.Simd;

/// <summary>Fills the panels of a <see cref="Tile"/>.</summary>
internal static unsafe class Panel
{
    /// <summary><c>P[k, ℓ] = x[ℓ · rowStride + k]</c> for up to 32 rows; the remaining lanes are 0.</summary>
    public static void Pack(float* x, long rowStride, int rows, int depth, float* panel)
    {
        for (int lane = 0; lane < rows; lane++)
        {
            PackLane(x + (lane * rowStride), lane, depth, panel);
        }

        for (int lane = rows; lane < Tile.Width; lane++)
        {
            ClearLane(lane, depth, panel);
        }
    }

    /// <summary><c>P[k, lane] = x[k]</c>.</summary>
    public static void PackLane(float* x, int lane, int depth, float* panel)
    {
        for (int k = 0; k < depth; k++)
        {
            panel[(k * Tile.Width) + lane] = x[k];
        }
    }

    /// <summary><c>P[k, lane] = 0</c>.</summary>
    public static void ClearLane(int lane, int depth, float* panel)
    {
        for (int k = 0; k < depth; k++)
        {
            panel[(k * Tile.Width) + lane] = 0;
        }
    }
}
