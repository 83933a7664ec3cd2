namespace KvIL.Eviction;

/// <summary>
/// The AdaKV repository's rounding of head budgets, bit for bit; it does not meet its total and serves comparison
/// only.
/// </summary>
/// <remarks>
/// FFY0/AdaKV efe4e2e, <c>AdaptiveSnapKVCluster</c>. The product is a float32 because a tensor of integers is multiplied by a
/// Python number there; a layer of 32 heads was seen to lose 29 rows and to gain 6.
/// </remarks>
public static class Compat
{
    /// <summary>A head's quota before rounding: <c>fl(fl(f_i) · fl(1 − r)) + int(base · r)</c> in float32.</summary>
    /// <param name="adaptive">f_i, the head's count in the layer's top base · H.</param>
    /// <param name="layerBase">Rows per head without the window.</param>
    /// <param name="floorAlpha">r, the uniform share, in [0, 1].</param>
    public static float AdaQuota(int adaptive, int layerBase, double floorAlpha)
    {
        float scaled = adaptive * (float)(1 - floorAlpha);
        return scaled + (int)(layerBase * floorAlpha);
    }

    /// <summary>A head's budget: its quota rounded, halves to even, at most <paramref name="candidates"/>.</summary>
    public static int AdaBudget(int adaptive, int layerBase, double floorAlpha, int candidates) =>
        Math.Min((int)MathF.Round(AdaQuota(adaptive, layerBase, floorAlpha), MidpointRounding.ToEven), candidates);
}
