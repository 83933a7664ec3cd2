namespace KvIL.Eviction;

/// <summary>The total order of scores that every selection uses, as unsigned integers.</summary>
/// <remarks>
/// Rows are kept in the order (score descending, head ascending, position ascending). Scalar rules without throws, for CPU and
/// GPU alike; equal scores give equal keys, so heads and positions break ties outside.
/// </remarks>
public static class ScoreOrder
{
    /// <summary>Bits of one radix digit.</summary>
    public const int DigitBits = 8;

    /// <summary>Number of values of one radix digit.</summary>
    public const int Bins = 1 << DigitBits;

    private const uint SignBit = 0x8000_0000;

    /// <summary>A key that grows with the score.</summary>
    /// <remarks>
    /// <code>x ≤ y  ⇔  Key(x) ≤ Key(y)      Key(NaN) = Key(−∞)      Key(−0) = Key(+0)</code>
    /// A float's bits order like a sign and a magnitude: positive numbers get the sign bit set, negative ones all bits flipped.
    /// </remarks>
    public static uint Key(float score)
    {
        // A comparison with NaN is false, and -0 == 0.
        float ordered = score >= float.NegativeInfinity ? score : float.NegativeInfinity;
        uint bits = ordered == 0 ? 0 : (uint)BitConverter.SingleToInt32Bits(ordered);
        return (bits & SignBit) == 0 ? bits | SignBit : ~bits;
    }

    /// <summary>
    /// The digit of <paramref name="key"/> whose lowest bit is <paramref name="shift"/> (24, 16, 8 or 0).
    /// </summary>
    public static int Digit(uint key, int shift) => (int)(key >> shift) & (Bins - 1);

    /// <summary>
    /// Whether <paramref name="key"/> has the digits above <paramref name="shift"/> of <paramref name="prefix"/>.
    /// </summary>
    /// <remarks>Two shifts, because a shift by 32 would be a shift by 0.</remarks>
    public static bool MatchesAbove(uint key, uint prefix, int shift) => ((key ^ prefix) >> shift >> DigitBits) == 0;
}
