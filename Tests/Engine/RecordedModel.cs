using System.Globalization;
using System.Runtime.InteropServices;
using System.Text.Json;
using KvIL.Inference.Files;

namespace KvIL.Tests.Engines;

/// <summary>One sequence of a recorded reference.</summary>
/// <param name="Ids">As fed.</param>
/// <param name="Logits">Of the last rows; empty where none are recorded.</param>
/// <param name="Greedy">The continuation; empty where none is recorded.</param>
/// <param name="Margins">Gap between the two best logits at each step; empty where none is recorded.</param>
/// <param name="Keys">By layer, <c>[kv_heads, tokens, head_dim]</c>.</param>
/// <param name="Values">By layer.</param>
/// <param name="Tolerance">Largest difference of logits accepted.</param>
internal sealed record RecordedSequence(
    int[] Ids, float[][] Logits, int[] Greedy, float[] Margins, IReadOnlyDictionary<int, float[]> Keys,
    IReadOnlyDictionary<int, float[]> Values, double Tolerance);

/// <summary>A <c>reference.safetensors</c>, format kvil-reference/1.</summary>
internal sealed class RecordedModel
{
    public RecordedModel(string directory, string name = "reference.safetensors")
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(Path.Combine(directory, name));
        if (file.Metadata.TryGetValue("float32_minus_float64", out string? distance)) Distance = double.Parse(distance, CultureInfo.InvariantCulture);
        Sequences = [.. JsonSerializer.Deserialize<Dictionary<string, double>>(file.Metadata["tolerances"])!
            .Select(t => Read(file.Tensors, t.Key, t.Value))];
    }

    /// <summary>Distance of the recorded float32 computation to double, where the file says it.</summary>
    public double? Distance { get; }

    public IReadOnlyList<RecordedSequence> Sequences { get; }

    private static RecordedSequence Read(IReadOnlyDictionary<string, FileTensor> tensors, string name, double tolerance)
    {
        int[] ids = [.. Cast<long>(tensors[$"{name}.input_ids"]).Select(id => (int)id)];
        return new(
            ids,
            tensors.TryGetValue($"{name}.logits", out FileTensor? logits) ? [.. Cast<float>(logits).Chunk((int)logits.Shape[1])] : [],
            tensors.TryGetValue($"{name}.greedy", out FileTensor? greedy) ? [.. Cast<long>(greedy).Select(id => (int)id)] : [],
            tensors.TryGetValue($"{name}.greedy_margin", out FileTensor? margins) ? Cast<float>(margins) : [],
            Layers("k"),
            Layers("v"),
            tolerance);

        Dictionary<int, float[]> Layers(string which) => tensors.Where(t => t.Key.StartsWith($"{name}.{which}.", StringComparison.Ordinal))
            .ToDictionary(t => int.Parse(t.Key.Split('.')[2], CultureInfo.InvariantCulture), t => Cast<float>(t.Value));
    }

    private static T[] Cast<T>(FileTensor tensor) where T : unmanaged => MemoryMarshal.Cast<byte, T>(tensor.Data.AsSpan()).ToArray();
}
