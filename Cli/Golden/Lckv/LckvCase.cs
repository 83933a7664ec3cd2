using System.Globalization;
using System.Text.Json;

namespace KvIL.Cli.Golden.Lckv;

/// <summary>A map as a text, and as the official code resolves it.</summary>
/// <param name="Name">What it is.</param>
/// <param name="LayerTypes">The text.</param>
/// <param name="Source">By layer, the layer that it reads.</param>
/// <param name="Sliding">By layer, whether it has a window; null where none has.</param>
/// <param name="Owners">The layers that are read.</param>
/// <param name="Plan">First layer, end layer and passes of every slice of 7 + 2 passes.</param>
internal sealed record LckvMap(string Name, string LayerTypes, int[] Source, bool[]? Sliding, int[] Owners, int[][] Plan)
{
    public static LckvMap Read(JsonElement entry, string name) => new(
        name,
        entry.GetProperty("layer_types").GetString()!,
        Integers(entry.GetProperty("source")),
        entry.TryGetProperty("sliding", out JsonElement sliding) && sliding.ValueKind != JsonValueKind.Null
            ? [.. sliding.EnumerateArray().Select(mark => mark.GetBoolean())] : null,
        Integers(entry.GetProperty("owners")),
        [.. entry.GetProperty("plan_7_2").EnumerateArray().Select(Integers)]);

    private static int[] Integers(JsonElement array) => [.. array.EnumerateArray().Select(value => value.GetInt32())];
}

/// <summary>A recorded model.</summary>
/// <param name="Map">Its map.</param>
/// <param name="Family">What it stands for; <c>nine</c> for one of the nine configurations.</param>
/// <param name="StrictlyPast">Its <c>force_nodiag</c>.</param>
/// <param name="Weights">File of the weights.</param>
/// <param name="Config">File of the config.</param>
/// <param name="Golden">File of the tensors.</param>
/// <param name="Losses">Mean next-token cross-entropy by passes (m, b).</param>
/// <param name="Gradients">Number of recorded gradient norms.</param>
internal sealed record LckvCase(
    LckvMap Map, string Family, bool StrictlyPast, string Weights, string Config, string Golden,
    IReadOnlyList<(int Forward, int Backward, double Loss)> Losses, int Gradients)
{
    public string Name => Map.Name;

    public static LckvCase Read(JsonElement entry) => new(
        LckvMap.Read(entry, entry.GetProperty("name").GetString()!),
        entry.GetProperty("family").GetString()!,
        entry.GetProperty("force_nodiag").GetBoolean(),
        entry.GetProperty("weights").GetString()!,
        entry.GetProperty("config").GetString()!,
        entry.GetProperty("golden").GetString()!,
        [.. entry.GetProperty("loss").EnumerateObject().Select(loss => Passes(loss.Name) is var (m, b) ? (m, b, loss.Value.GetDouble()) : default)],
        entry.TryGetProperty("grad_norms", out JsonElement norms) ? norms.EnumerateObject().Sum(set => set.Value.EnumerateObject().Count()) : 0);

    // "7,2"
    private static (int Forward, int Backward) Passes(string text)
    {
        int[] parts = [.. text.Split(',').Select(part => int.Parse(part, NumberStyles.None, CultureInfo.InvariantCulture))];
        return parts is [int m, int b] ? (m, b) : throw new FormatException();
    }
}
