using System.Collections.Frozen;

namespace KvIL.Inference.Files;

/// <summary>A tensor type of ggml: its name and its storage block.</summary>
internal readonly record struct GgufTensorType(string Name, int BlockElements, int BlockBytes)
{
    /// <summary>Bytes of a tensor, or null where its rows are not whole blocks or 64 bits do not hold the size.</summary>
    /// <param name="shape">Outermost first; the last extent is that of a row.</param>
    public long? SizeBytes(IReadOnlyList<long> shape)
    {
        if (shape.Count > 0 && shape[^1] % BlockElements != 0)
        {
            return null;
        }

        UInt128 elements = 1;
        foreach (long extent in shape)
        {
            elements *= (ulong)extent;
            if (elements > long.MaxValue)
            {
                return null;
            }
        }

        if (elements % (uint)BlockElements != 0)
        {
            return null;
        }

        UInt128 bytes = elements / (uint)BlockElements * (uint)BlockBytes;
        return bytes <= long.MaxValue ? (long)bytes : null;
    }
}

/// <summary>The tensor types of ggml by the number that a GGUF file writes (ggml's <c>enum ggml_type</c>).</summary>
internal static class GgufTensorTypes
{
    private static readonly FrozenDictionary<uint, GgufTensorType> ByNumber = new Dictionary<uint, GgufTensorType>
    {
        [0] = new("F32", 1, 4),
        [1] = new("F16", 1, 2),
        [2] = new("Q4_0", 32, 18),
        [3] = new("Q4_1", 32, 20),
        [6] = new("Q5_0", 32, 22),
        [7] = new("Q5_1", 32, 24),
        [8] = new("Q8_0", 32, 34),
        [9] = new("Q8_1", 32, 36),
        [10] = new("Q2_K", 256, 84),
        [11] = new("Q3_K", 256, 110),
        [12] = new("Q4_K", 256, 144),
        [13] = new("Q5_K", 256, 176),
        [14] = new("Q6_K", 256, 210),
        [15] = new("Q8_K", 256, 292),
        [16] = new("IQ2_XXS", 256, 66),
        [17] = new("IQ2_XS", 256, 74),
        [18] = new("IQ3_XXS", 256, 98),
        [19] = new("IQ1_S", 256, 50),
        [20] = new("IQ4_NL", 32, 18),
        [21] = new("IQ3_S", 256, 110),
        [22] = new("IQ2_S", 256, 82),
        [23] = new("IQ4_XS", 256, 136),
        [24] = new("I8", 1, 1),
        [25] = new("I16", 1, 2),
        [26] = new("I32", 1, 4),
        [27] = new("I64", 1, 8),
        [28] = new("F64", 1, 8),
        [29] = new("IQ1_M", 256, 56),
        [30] = new("BF16", 1, 2),
        [34] = new("TQ1_0", 256, 54),
        [35] = new("TQ2_0", 256, 66),
        [39] = new("MXFP4", 32, 17),
        [40] = new("NVFP4", 64, 36),
    }.ToFrozenDictionary();

    private static readonly FrozenDictionary<string, uint> NumberOf =
        ByNumber.ToFrozenDictionary(pair => pair.Value.Name, pair => pair.Key);

    /// <summary>All known types.</summary>
    public static IEnumerable<(uint Number, GgufTensorType Type)> All => ByNumber.Select(pair => (pair.Key, pair.Value));

    /// <summary>The type of that number; null where it is not known.</summary>
    public static GgufTensorType? Find(uint number) => ByNumber.TryGetValue(number, out GgufTensorType type) ? type : null;

    /// <summary>The number and the block of the type of that name.</summary>
    public static (uint Number, GgufTensorType Type) Named(string name) => (NumberOf[name], ByNumber[NumberOf[name]]);
}
