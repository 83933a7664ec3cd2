namespace KvIL.Inference.Files;

/// <summary>Shapes in messages.</summary>
internal static class Shapes
{
    private const int MaxShown = 8;

    /// <summary>The shape as <c>[2, 3]</c>; a long one is clipped.</summary>
    public static string Show(IReadOnlyCollection<long> shape) => shape.Count <= MaxShown
        ? $"[{string.Join(", ", shape)}]"
        : $"[{string.Join(", ", shape.Take(MaxShown))}, …]";
}
