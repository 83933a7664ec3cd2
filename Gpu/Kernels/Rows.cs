namespace KvIL.Gpu.Kernels;

/// <summary>How kernels over <c>[heads, length]</c> share out their columns.</summary>
internal static class Rows
{
    /// <summary>Columns of one item: eight for each thread of a full group.</summary>
    public const int Chunk = 8 * Team.MaxThreads;

    /// <summary>Items of <paramref name="heads"/> rows of <paramref name="length"/> columns.</summary>
    public static long Items(int heads, int length) => heads * ((length + (long)Chunk - 1) / Chunk);
}
