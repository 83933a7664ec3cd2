using System.Collections.Immutable;
using KvIL.Inference.Models.Architectures;

namespace KvIL.Inference.Files;

/// <summary>Reads rotary positions from <c>config.json</c>, in the old form and in the new one.</summary>
/// <remarks>
/// Old: <c>rope_theta</c> and <c>rope_scaling</c>, whose kind stands under <c>rope_type</c> or <c>type</c>. New: both in
/// <c>rope_parameters</c>, or there once for each kind of layer. A field of the scaling that its kind does not know is refused.
/// </remarks>
internal static class RopeConfigReader
{
    private const string Parameters = "rope_parameters";
    private const double MinTheta = 1;
    private const double MaxTheta = 1e12;
    private const double MaxFactor = 1e6;

    private static readonly string[] Common =
        ["rope_type", "type", "rope_theta", "partial_rotary_factor", "original_max_position_embeddings", "finetuned"];

    /// <summary>The rotation of layers that attend to everything, or of all layers.</summary>
    /// <param name="root">The config.</param>
    /// <param name="defaults">θ where the file has none, and what the architecture knows.</param>
    /// <param name="headDim">Channels of a head.</param>
    /// <param name="positions"><c>max_position_embeddings</c>.</param>
    public static RopeConfig Read(JsonValue root, ConfigDefaults defaults, int headDim, int positions)
    {
        (double theta, bool partial) = (defaults.Theta, defaults.PartialRotation);
        RopeConfig? ofFullLayers = ReadOfLayers(root, "full_attention", headDim, positions, theta);
        if (ofFullLayers is not null)
        {
            return ofFullLayers;
        }

        theta = root.Find("rope_theta")?.Number(MinTheta, MaxTheta) ?? theta;
        double share = ReadShare(root, partial) ?? 1;
        JsonValue? scaling = root.Find(Parameters) ?? root.Find("rope_scaling");
        if (scaling is not { } fields)
        {
            return new(theta, RotaryDim(root, headDim, share));
        }

        share = ReadShare(fields, partial) ?? share;
        theta = fields.Find("rope_theta")?.Number(MinTheta, MaxTheta) ?? theta;
        int dim = RotaryDim(root, headDim, share);
        AlphaScaling? alpha = defaults.AlphaScaling ? ReadAlpha(fields) : null;
        return new(theta, dim, alpha ?? ReadScaling(root, fields, dim, positions));
    }

    /// <summary>The rotation that the new form gives one kind of layer; null where it gives none.</summary>
    public static RopeConfig? ReadOfLayers(JsonValue root, string kind, int headDim, int positions, double theta = 10000)
    {
        if (root.Find(Parameters) is not { } all || !(all.Has("full_attention") || all.Has("sliding_attention"))
            || all.Find(kind) is not { } fields)
        {
            return null;
        }

        if ((fields.Find("rope_type") ?? fields.Find("type"))?.String() == "proportional")
        {
            return ReadProportional(fields, headDim, theta);
        }

        ReadShare(fields, partial: false);
        theta = fields.Find("rope_theta")?.Number(MinTheta, MaxTheta) ?? theta;
        return new(theta, headDim, ReadScaling(root, fields, headDim, positions));
    }

    private static RopeConfig ReadProportional(JsonValue fields, int headDim, double theta)
    {
        foreach ((string name, JsonValue value) in fields.Members())
        {
            if (name != "factor" && !Common.Contains(name) && !value.IsNull)
            {
                throw value.Error("rotary positions of type 'proportional' have no such field", "choose another checkpoint");
            }
        }

        double share = fields.Find("partial_rotary_factor")?.Number(0, 1) ?? 1;
        double factor = fields.Find("factor")?.Number(1, MaxFactor) ?? 1;
        return new(fields.Find("rope_theta")?.Number(MinTheta, MaxTheta) ?? theta, headDim, new ProportionalScaling(share, factor));
    }

    /// <summary>Positions that a scaling makes of those that the file names.</summary>
    public static int ScaledPositions(RopeScaling? scaling, int positions) => scaling switch
    {
        DynamicScaling dynamic => Scaled(dynamic.Factor, dynamic.OriginalPositions, positions),
        YarnScaling yarn => Scaled(yarn.Factor, yarn.OriginalPositions, positions),
        _ => positions,
    };

    private static int Scaled(double factor, int original, int positions) =>
        (int)Math.Max(positions, Math.Min(factor * original, 1 << 30));

    private static double? ReadShare(JsonValue fields, bool partial)
    {
        if (fields.Find("partial_rotary_factor") is not { } factor)
        {
            return null;
        }

        double share = factor.Number(0, 1);
        return partial || share == 1 ? share : throw factor.Expected("1, since this architecture rotates whole heads");
    }

    private static int RotaryDim(JsonValue root, int headDim, double share)
    {
        int dim = (int)(headDim * share);
        return dim >= 2 && dim % 2 == 0
            ? dim
            : throw root.Error($"partial_rotary_factor {share} of {headDim} channels gives no even number of them");
    }

    private static RopeScaling? ReadScaling(JsonValue root, JsonValue fields, int rotaryDim, int positions)
    {
        JsonValue kind = fields.Find("rope_type") ?? fields.Find("type") ?? fields.Require("rope_type");
        string[] known = kind.String() switch
        {
            "default" => [],
            "linear" or "dynamic" => ["factor"],
            "llama3" => ["factor", "low_freq_factor", "high_freq_factor"],
            "yarn" => ["factor", "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate"],
            "longrope" or "su" => ["factor", "attention_factor", "short_factor", "long_factor"],
            _ => throw kind.Error(
                $"found rotary positions of type {ModelFileException.Quote(kind.String())}, known are 'default', 'linear', "
                + "'dynamic', 'llama3', 'yarn' and 'longrope'", "choose a checkpoint with one of them"),
        };
        foreach ((string name, JsonValue value) in fields.Members())
        {
            if (!known.Contains(name) && !Common.Contains(name) && !value.IsNull)
            {
                throw value.Error($"rotary positions of type '{kind.String()}' have no such field", "choose another checkpoint");
            }
        }

        int original = (fields.Find("original_max_position_embeddings") ?? root.Find("original_max_position_embeddings"))
            ?.Integer(1, 1 << 30) ?? positions;
        return kind.String() switch
        {
            "default" => null,
            "linear" => new LinearScaling(Factor(fields)),
            "dynamic" => new DynamicScaling(Factor(fields), positions),
            "llama3" => ReadLlama3(fields, original),
            "yarn" => ReadYarn(fields, original, positions),
            _ => ReadLongRope(fields, rotaryDim, original, positions),
        };
    }

    // Hunyuan calls it dynamic; beside alpha, none of the other fields means anything but the factor, which must be 1.
    private static AlphaScaling? ReadAlpha(JsonValue fields)
    {
        if (fields.Find("alpha") is not { } alpha)
        {
            return null;
        }

        JsonValue kind = fields.Find("type") ?? fields.Find("rope_type") ?? fields.Require("type");
        if (kind.String() != "dynamic")
        {
            throw kind.Expected("'dynamic', since there is an alpha");
        }

        fields.Find("factor")?.Number(1, 1);
        return new(alpha.Number(1, MaxFactor));
    }

    private static double Factor(JsonValue fields) => fields.Require("factor").Number(1, MaxFactor);

    private static Llama3Scaling ReadLlama3(JsonValue fields, int original)
    {
        double low = fields.Require("low_freq_factor").Number(1e-6, MaxFactor);
        JsonValue high = fields.Require("high_freq_factor");
        return high.Number(1e-6, MaxFactor) > low
            ? new(Factor(fields), low, high.Number(1e-6, MaxFactor), original)
            : throw high.Expected(FormattableString.Invariant($"a number above low_freq_factor ({low})"));
    }

    private static YarnScaling ReadYarn(JsonValue fields, int original, int positions)
    {
        double factor = fields.Find("factor")?.Number(1, MaxFactor) ?? Math.Max(1, (double)positions / original);
        double? attention = fields.Find("attention_factor")?.Number(0, MaxFactor);
        double m = fields.Find("mscale")?.Number(0, MaxFactor) ?? 0;
        double mAll = fields.Find("mscale_all_dim")?.Number(0, MaxFactor) ?? 0;
        attention ??= m > 0 && mAll > 0
            ? YarnScaling.DefaultAttention(factor, m) / YarnScaling.DefaultAttention(factor, mAll)
            : YarnScaling.DefaultAttention(factor);
        return new(
            factor, original, attention.Value, fields.Find("beta_fast")?.Number(1e-6, MaxFactor) ?? 32,
            fields.Find("beta_slow")?.Number(1e-6, MaxFactor) ?? 1, fields.Find("truncate")?.Boolean() ?? true);
    }

    private static LongRopeScaling ReadLongRope(JsonValue fields, int rotaryDim, int original, int positions)
    {
        // Where the file names the original positions, their ratio counts and not a factor beside it.
        double factor = original != positions ? (double)positions / original : fields.Find("factor")?.Number(1, MaxFactor) ?? 1;
        double attention = fields.Find("attention_factor")?.Number(0, MaxFactor) ?? LongRopeScaling.DefaultAttention(factor, original);
        return new(ReadDivisors("short_factor"), ReadDivisors("long_factor"), original, attention);

        ImmutableArray<double> ReadDivisors(string name)
        {
            JsonValue list = fields.Require(name);
            ImmutableArray<double> divisors = [.. list.Items().Select(divisor => divisor.Number(1e-6, 1e12))];
            return divisors.Length == rotaryDim / 2
                ? divisors
                : throw list.Error($"expected {rotaryDim / 2} numbers, one for each pair of rotated channels, got {divisors.Length}");
        }
    }
}
