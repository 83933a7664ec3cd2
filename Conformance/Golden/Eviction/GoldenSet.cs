using System.Text.Json;
using System.Text.Json.Nodes;

namespace KvIL.Conformance.Golden.Eviction;

/// <summary>Recorded numbers of eviction, in the format <c>kvil-golden/1</c> (golden/eviction/README.md).</summary>
public sealed class GoldenSet
{
    /// <summary>What the manifest of such a set says of itself.</summary>
    public const string Format = "kvil-golden/1";

    private readonly Dictionary<string, GoldenTensor> _tensors;

    private GoldenSet(List<JsonObject> json, Dictionary<string, GoldenTensor> tensors, LayerTables? tables)
    {
        (Json, _tensors, Tables) = (json, tensors, tables);
        Cases = [.. json.Select((c, i) => new GoldenCase(c, i, tensors))];
    }

    /// <summary>The cases.</summary>
    public IReadOnlyList<GoldenCase> Cases { get; }

    /// <summary>The tables of <c>layer_budgets.json</c>, where there is one.</summary>
    public LayerTables? Tables { get; }

    private List<JsonObject> Json { get; }

    /// <summary>Reads a set from its texts and its tensors by name.</summary>
    /// <param name="manifest">manifest.json.</param>
    /// <param name="layerBudgets">layer_budgets.json, or null.</param>
    /// <param name="tensors">The tensors of all files.</param>
    /// <exception cref="GoldenFormatException">A text is damaged, of another format, or names what is not there.</exception>
    public static GoldenSet Read(string manifest, string? layerBudgets, IEnumerable<KeyValuePair<string, GoldenTensor>> tensors)
    {
        JsonObject json = Parsed("manifest.json", manifest);
        if (json["format"] is not JsonValue value || !value.TryGetValue(out string? format) || format != Format)
        {
            throw new GoldenFormatException($"manifest.json: expected \"format\": \"{Format}\"; use a set of that format.");
        }

        if (json["cases"] is not JsonArray cases || cases.Any(c => c is not JsonObject))
        {
            throw new GoldenFormatException("manifest.json: expected a list 'cases' of objects; the set is damaged, so copy it again.");
        }

        Dictionary<string, GoldenTensor> byName = [];
        foreach ((string name, GoldenTensor tensor) in tensors)
        {
            if (!byName.TryAdd(name, tensor))
            {
                throw new GoldenFormatException($"the tensor '{name}' is in two files; the set is damaged, so copy it again.");
            }
        }

        LayerTables? tables = layerBudgets is null ? null : new(Parsed("layer_budgets.json", layerBudgets));
        return new([.. cases.Select(c => (JsonObject)c!)], byName, tables);
    }

    /// <summary>The same set with its cases in another order, and all cases and tensors renamed.</summary>
    public GoldenSet Renamed(int seed)
    {
        var random = new Random(seed);
        JsonObject[] cases = [.. Json.Select(c => c.DeepClone().AsObject())];
        random.Shuffle(cases);
        string[] fresh = [.. _tensors.Keys.Select((_, i) => $"tensor-{i}")];
        random.Shuffle(fresh);
        Dictionary<string, string> names = _tensors.Keys.Zip(fresh).ToDictionary(p => p.First, p => p.Second);
        for (int i = 0; i < cases.Length; i++)
        {
            cases[i]["id"] = $"case-{i}";
            cases[i]["group"] = "any";
            foreach (string part in (string[])["inputs", "tensors"])
            {
                if (cases[i][part] is not JsonObject map) continue;
                foreach (string key in map.Select(p => p.Key).ToArray()) map[key] = names[(string)map[key]!];
            }
        }

        return new([.. cases], _tensors.ToDictionary(p => names[p.Key], p => p.Value), Tables);
    }

    private static JsonObject Parsed(string file, string text)
    {
        try
        {
            return JsonNode.Parse(text) as JsonObject
                ?? throw new GoldenFormatException($"{file}: expected a JSON object; the set is damaged, so copy it again.");
        }
        catch (Exception e) when (e is JsonException or ArgumentException)
        {
            throw new GoldenFormatException($"{file}: not valid JSON; the set is damaged, so copy it again.");
        }
    }
}
