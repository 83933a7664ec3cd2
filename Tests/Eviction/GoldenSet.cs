using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace KvIL.Tests.Eviction;

/// <summary>A tensor of a golden set, widened to double; float32 values are exact in it.</summary>
public sealed record GoldenTensor(int[] Shape, double[] Values)
{
    public double[,] Matrix()
    {
        double[,] m = new double[Shape[0], Shape[1]];
        Buffer.BlockCopy(Values, 0, m, 0, Values.Length * sizeof(double));
        return m;
    }

    public double[,,] Cube()
    {
        double[,,] m = new double[Shape[0], Shape[1], Shape[2]];
        Buffer.BlockCopy(Values, 0, m, 0, Values.Length * sizeof(double));
        return m;
    }

    /// <summary>Rows as the float32 numbers that the official code ranked.</summary>
    public float[][] Rows() => [.. Values.Select(x => (float)x).Chunk(Shape[1])];
}

/// <summary>One recorded call of official code.</summary>
public sealed class GoldenCase(JsonObject json, IReadOnlyDictionary<string, GoldenTensor> tensors)
{
    public string Kind => (string)json["kind"]!;

    public string Method => (string)json["method"]!;

    public string Repository => (string)json["source"]!["repo"]!;

    public JsonObject Parameters => json["params"]!.AsObject();

    public JsonObject Expected => json["expected"]!.AsObject();

    public JsonNode? Optional(string field) => json[field];

    public int Int(string parameter) => (int)Parameters[parameter]!;

    /// <summary>Whether every one of the tensors is in the set, among the inputs or the outputs.</summary>
    public bool Has(params string[] names) => names.All(n => (json["inputs"]![n] ?? json["tensors"]![n]) is not null);

    public GoldenTensor Tensor(string name) => tensors[(string)(json["inputs"]![name] ?? json["tensors"]![name])!];

    /// <summary>An array of integers, or null where the set has none.</summary>
    public int[]? Ints(string expected) => Expected[expected]?.Deserialize<int[]>();

    public override string ToString() => $"{(string)json["id"]!} ({Method})";
}

/// <summary>The golden numbers of eviction, in the format <c>kvil-golden/1</c> (golden/eviction/README.md).</summary>
public sealed class GoldenSet
{
    private readonly JsonArray _cases;
    private readonly Dictionary<string, GoldenTensor> _tensors;

    private GoldenSet(JsonArray cases, Dictionary<string, GoldenTensor> tensors) => (_cases, _tensors) = (cases, tensors);

    /// <summary>The folder named by KVIL_GOLDEN_EVICTION, else golden/eviction above this assembly.</summary>
    public static string Folder { get; } = Environment.GetEnvironmentVariable("KVIL_GOLDEN_EVICTION") is { Length: > 0 } named
        ? named
        : Path.Combine(Root(), "golden", "eviction");

    public static GoldenSet Load()
    {
        JsonNode manifest = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "manifest.json")))!;
        if ((string?)manifest["format"] != "kvil-golden/1") throw new InvalidDataException("Expected format kvil-golden/1.");
        Dictionary<string, GoldenTensor> tensors = [];
        foreach (string file in Directory.EnumerateFiles(Folder, "*.safetensors")) Read(file, tensors);
        return new(manifest["cases"]!.AsArray(), tensors);
    }

    public IEnumerable<GoldenCase> Cases => _cases.Select(c => new GoldenCase(c!.AsObject(), _tensors));

    /// <summary>The same set with its cases in another order, and all cases and tensors renamed.</summary>
    public GoldenSet Renamed(int seed)
    {
        var random = new Random(seed);
        JsonNode[] cases = [.. _cases.Select(c => c!.DeepClone())];
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
                JsonObject map = cases[i][part]!.AsObject();
                foreach (string key in map.Select(p => p.Key).ToArray()) map[key] = names[(string)map[key]!];
            }
        }

        return new([.. cases], _tensors.ToDictionary(p => names[p.Key], p => p.Value));
    }

    private static string Root()
    {
        DirectoryInfo? folder = new(AppContext.BaseDirectory);
        while (folder is not null && !File.Exists(Path.Combine(folder.FullName, "KvIL.sln"))) folder = folder.Parent;
        return folder?.FullName ?? throw new DirectoryNotFoundException("No KvIL.sln above the test assembly.");
    }

    // safetensors: 8 bytes of header length, a JSON header, raw little-endian data.
    private static void Read(string file, Dictionary<string, GoldenTensor> tensors)
    {
        byte[] bytes = File.ReadAllBytes(file);
        int start = 8 + checked((int)BinaryPrimitives.ReadInt64LittleEndian(bytes));
        foreach ((string name, JsonNode? entry) in JsonNode.Parse(bytes.AsSpan(8, start - 8))!.AsObject())
        {
            if (name == "__metadata__") continue;
            int[] offsets = entry!["data_offsets"].Deserialize<int[]>()!;
            ReadOnlySpan<byte> data = bytes.AsSpan(start)[offsets[0]..offsets[1]];
            double[] values = (string)entry["dtype"]! switch
            {
                "F64" => MemoryMarshal.Cast<byte, double>(data).ToArray(),
                "F32" => [.. MemoryMarshal.Cast<byte, float>(data).ToArray().Select(x => (double)x)],
                _ => [], // integers belong to methods that are not tested here
            };
            tensors.Add(name, new(entry["shape"].Deserialize<int[]>()!, values));
        }
    }
}
