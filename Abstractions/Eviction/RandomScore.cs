namespace KvIL.Eviction;

/// <summary>A uniform score that is a pure function of seed, head and position, so that every backend draws the same.</summary>
/// <remarks>
/// SplitMix64 (Steele, Lea, Flood 2014, §4) of the three numbers; 24 bits of it are a float32 exactly. Scalar, without throws.
/// </remarks>
public static class RandomScore
{
    private const int Bits = 24;

    /// <summary>A multiple of 2⁻²⁴ in [0, 1).</summary>
    public static float Of(ulong seed, int head, int position)
    {
        ulong row = ((ulong)(uint)head << 32) | (uint)position;
        return (Mix(Mix(seed) ^ row) >> (64 - Bits)) * (1f / (1 << Bits));
    }

    private static ulong Mix(ulong x)
    {
        x += 0x9E37_79B9_7F4A_7C15;
        x = (x ^ (x >> 30)) * 0xBF58_476D_1CE4_E5B9;
        x = (x ^ (x >> 27)) * 0x94D0_49BB_1331_11EB;
        return x ^ (x >> 31);
    }
}
