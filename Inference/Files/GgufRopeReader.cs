using System.Collections.Immutable;

namespace KvIL.Inference.Files;

/// <summary>Reads rotary positions from the metadata and the small tensors of a GGUF file.</summary>
internal static class GgufRopeReader
{
    private const double MaxFactor = 1e6;

    /// <summary>The rotation of layers that attend to everything.</summary>
    public static RopeConfig Read(GgufFields fields, int headDim, int positions)
    {
        int dim = fields.SizeOr("rope.dimension_count", ModelConfigReader.MaxHeadDim, headDim);
        if (dim > headDim || dim % 2 != 0)
        {
            throw fields.Require("rope.dimension_count").Expected($"an even number of at most {headDim} channels");
        }

        return new(Theta(fields, "rope.freq_base", 10000), dim, ReadScaling(fields, dim, positions));
    }

    /// <summary>A base of the frequencies, or a default.</summary>
    public static double Theta(GgufFields fields, string key, double absent) => fields.Find(key)?.Number(1, 1e12) ?? absent;

    private static RopeScaling? ReadScaling(GgufFields fields, int dim, int positions)
    {
        GgufValue? kind = fields.Find("rope.scaling.type");
        int original = fields.SizeOr("rope.scaling.original_context_length", ModelConfigReader.MaxPositions, positions);
        // The older key is the same factor of linear scaling.
        double factor = (fields.Find("rope.scaling.factor") ?? fields.Find("rope.scale_linear"))?.Number(0, MaxFactor) is { } s && s != 0 ? s : 1;
        if (ReadLongRope(fields, dim, original) is { } longRope)
        {
            return longRope;
        }

        // Without a type llama.cpp takes the factor for a linear one.
        RopeScaling? scaling = kind?.String() switch
        {
            "none" => null,
            null or "linear" => factor == 1 ? null : new LinearScaling(factor),
            "yarn" => ReadYarn(fields, factor, original),
            string other => throw kind.Error(
                $"found rotary positions of type {ModelFileException.Quote(other)}, known are 'none', 'linear' and 'yarn', and "
                + "'longrope' with its two tensors", "choose another model"),
        };
        return fields.Numbers("rope_freqs.weight", dim / 2, 1e-6, 1e12) is not { } divisors ? scaling : scaling switch
        {
            null => new DividedScaling([.. divisors]),
            LinearScaling linear => new DividedScaling([.. divisors.Select(divisor => divisor * linear.Factor)]),
            _ => throw kind!.Error("'rope_freqs.weight' beside it is not supported", "choose another model"),
        };
    }

    private static LongRopeScaling? ReadLongRope(GgufFields fields, int dim, int original)
    {
        double[]? shorter = fields.Numbers("rope_factors_short.weight", dim / 2, 1e-6, 1e12);
        double[]? longer = fields.Numbers("rope_factors_long.weight", dim / 2, 1e-6, 1e12);
        return shorter is null || longer is null
            ? null
            : new(
                ImmutableArray.Create(shorter), ImmutableArray.Create(longer), original, fields.Factor("rope.scaling.attn_factor") ?? 1);
    }

    private static YarnScaling ReadYarn(GgufFields fields, double factor, int original) => new(
        factor, original, (fields.Factor("rope.scaling.attn_factor") ?? 1) * YarnScaling.DefaultAttention(factor),
        fields.Factor("rope.scaling.yarn_beta_fast") ?? 32, fields.Factor("rope.scaling.yarn_beta_slow") ?? 1);
}
