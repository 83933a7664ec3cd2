namespace KvIL.Inference.Files;

/// <summary>Fields of <c>config.json</c> that several architectures have.</summary>
internal static class ConfigFields
{
    /// <summary><c>sliding_window</c>; null where the file says null, <paramref name="absent"/> where it says nothing.</summary>
    public static int? WindowOr(this JsonValue root, int? absent) => root.Has("sliding_window")
        ? root.Find("sliding_window")?.Integer(1, int.MaxValue)
        : absent;

    /// <summary>A soft cap; null where the file says null, <paramref name="absent"/> where it says nothing.</summary>
    public static double? CapOr(this JsonValue root, string name, double? absent) => root.Has(name)
        ? root.Find(name)?.Number(1e-3, 1e12)
        : absent;

    /// <summary>Which layers <c>layer_types</c> gives a window; null where the field is absent.</summary>
    public static Func<int, bool>? SlidingLayers(this JsonValue root, int layers)
    {
        if (root.Find("layer_types") is not { } field)
        {
            return null;
        }

        bool[] slides = [.. field.Items().Select(type => type.String() switch
        {
            "sliding_attention" => true,
            "full_attention" => false,
            string other => throw type.Error(
                $"found {ModelFileException.Quote(other)}, known are 'full_attention' and 'sliding_attention'", "choose another checkpoint"),
        })];
        return slides.Length == layers
            ? layer => slides[layer]
            : throw field.Error($"expected {layers} entries, one a layer, got {slides.Length}");
    }
}
