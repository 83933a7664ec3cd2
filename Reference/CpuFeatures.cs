using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using KvIL.Reference.Simd;

namespace KvIL.Reference;

/// <summary>What of this processor the engine uses. Results do not depend on it, times do.</summary>
public static class CpuFeatures
{
    /// <summary>Instruction sets that the vectors compile to here, such as <c>AVX2</c> and <c>FMA</c>; empty where loops run one element at a time.</summary>
    public static IReadOnlyList<string> InstructionSets { get; } =
    [
        .. ((ReadOnlySpan<(string Name, bool Used)>)
        [
            ("AVX", Avx.IsSupported),
            ("AVX2", Avx2.IsSupported),
            ("FMA", Fma.IsSupported),
            ("AVX-512", Avx512F.IsSupported && Tile.VectorBits == 512),
            ("AdvSimd", AdvSimd.IsSupported),
        ]).ToArray().Where(set => set.Used).Select(set => set.Name),
    ];

    /// <summary>Bits of the vectors that the tile of prefill, scores and attention is made of.</summary>
    public static int TileBits => Tile.VectorBits;

    /// <summary>Bits of the vectors of everything else: the eight lanes, or as much of them as one register holds.</summary>
    public static int LaneBits => Vector256.IsHardwareAccelerated ? 256 : Vector128.IsHardwareAccelerated ? 128 : 32;
}
