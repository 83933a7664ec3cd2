using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using KvIL.Eviction;

namespace KvIL.Reference.Kernels;

/// <summary>The rules of <see cref="ScoreOrder"/> for eight scores at once, to the bit.</summary>
internal static class ScoreKeys
{
    /// <summary><see cref="ScoreOrder.Key"/> of each lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<uint> Of(Vector256<float> scores)
    {
        // A comparison with NaN is false, and -0 == 0.
        Vector256<float> lowest = Vector256.Create(float.NegativeInfinity);
        Vector256<float> ordered = Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(scores, lowest), scores, lowest);
        Vector256<int> bits = Vector256.AndNot(ordered, Vector256.Equals(ordered, Vector256<float>.Zero)).AsInt32();
        return (bits ^ ((bits >> 31) | Vector256.Create(int.MinValue))).AsUInt32();
    }

    /// <summary><see cref="ScoreOrder.MatchesAbove"/> of each lane: a bit each.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint MatchesAbove(Vector256<uint> keys, uint prefix, int shift) => Vector256.Equals(
        (keys ^ Vector256.Create(prefix)) >>> shift >>> ScoreOrder.DigitBits, Vector256<uint>.Zero).ExtractMostSignificantBits();
}
