using System.Runtime.InteropServices;
using KvIL.Tensors;

namespace KvIL.Inference.Files;

/// <summary>The metadata of a GGUF file that describe its model: keys that start with the architecture's name.</summary>
internal sealed class GgufFields(GgufFile file, string architecture)
{
    private const double MaxFactor = 1e12;

    public GgufFile File => file;

    /// <summary>The value of <c>ARCHITECTURE.key</c>; null where there is none.</summary>
    public GgufValue? Find(string key) => file.Metadata.Find($"{architecture}.{key}");

    /// <summary>The value of <c>ARCHITECTURE.key</c>, which must be there.</summary>
    public GgufValue Require(string key) => file.Metadata.Require($"{architecture}.{key}");

    /// <summary>A whole number from 1 on.</summary>
    public int Size(string key, int max) => Uniform(Require(key), max);

    /// <summary>A whole number from 1 on, or a default.</summary>
    public int SizeOr(string key, int max, int absent) => Find(key) is { } value ? Uniform(value, max) : absent;

    /// <summary>A finite number, or null where it is absent or 0, which llama.cpp takes for absent.</summary>
    public double? Factor(string key) => Find(key)?.Number(0, MaxFactor) is { } value && value != 0 ? value : null;

    /// <summary>A sliding window; null where it is absent or 0.</summary>
    public int? Window() => Find("attention.sliding_window") is { } value && value.Integer(0, long.MaxValue) is > 0 and var window
        ? (int)Math.Min(window, ModelConfigReader.MaxPositions)
        : null;

    /// <summary>Which layers slide: all but each <paramref name="period"/>th, or as <c>attention.sliding_window_pattern</c> says.</summary>
    public Func<int, bool> Slides(int period, int layers)
    {
        GgufValue? pattern = Find("attention.sliding_window_pattern");
        if (pattern is { IsArray: true })
        {
            bool[] slides = pattern.ElementType == GgufValueType.Bool
                ? pattern.Booleans()
                : [.. pattern.Integers().Select(value => value != 0)];
            return slides.Length == layers
                ? layer => slides[layer]
                : throw pattern.Error($"expected {layers} entries, one a layer, got {slides.Length}");
        }

        period = pattern?.Integer(0, ModelConfigReader.MaxLayers) ?? period;
        return layer => period == 0 || layer % period < period - 1;
    }

    /// <summary>Whether the first layer has a tensor of that name.</summary>
    public bool Has(string part) => file.Tensors.ContainsKey($"blk.0.{part}");

    /// <summary>A tensor of so many binary32 numbers within the limits; null where there is none.</summary>
    public double[]? Numbers(string name, int count, double min, double max)
    {
        if (!file.Tensors.TryGetValue(name, out FileTensor? tensor))
        {
            return null;
        }

        if (tensor.Type != DType.F32 || !tensor.Shape.SequenceEqual([count]))
        {
            throw Error(tensor, $"expected F32 [{count}], got {tensor.StoredType} {Shapes.Show([.. tensor.Shape])}");
        }

        float[] numbers = new float[count];
        tensor.Data.AsSpan().CopyTo(MemoryMarshal.AsBytes(numbers.AsSpan()));
        return numbers.All(number => number >= min && number <= max)
            ? [.. numbers.Select(number => (double)number)]
            : throw Error(tensor, FormattableString.Invariant($"expected numbers from {min} to {max}"));
    }

    // Some converters write a number for each layer.
    private static int Uniform(GgufValue value, int max)
    {
        if (!value.IsArray)
        {
            return value.Integer(1, max);
        }

        int[] each = value.Integers();
        return each.Length > 0 && each.All(one => one == each[0]) && each[0] >= 1 && each[0] <= max
            ? each[0]
            : throw value.Error($"expected one number from 1 to {max} for all layers", "choose a model whose layers are alike");
    }

    private static ModelFileException Error(FileTensor tensor, string problem) =>
        new($"{tensor.Path}: tensor {ModelFileException.Quote(tensor.Name)} at byte offset {tensor.FileOffset}: {problem}; "
            + "download the file again or convert the model again.");
}
