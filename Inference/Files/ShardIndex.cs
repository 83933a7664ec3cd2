namespace KvIL.Inference.Files;

/// <summary><c>model.safetensors.index.json</c>: which file of a checkpoint holds which tensor.</summary>
internal static class ShardIndex
{
    private const int MaxFileBytes = 1 << 27;

    /// <summary>Reads the map from tensor names to file names; every file name is a plain one.</summary>
    /// <exception cref="ModelFileException">The file cannot be read, or points outside its directory.</exception>
    public static Dictionary<string, string> Read(string path)
    {
        JsonValue map = JsonValue.Load(path, MaxFileBytes).Require("weight_map");
        var shards = new Dictionary<string, string>();
        foreach ((string tensor, JsonValue value) in map.Members())
        {
            string shard = value.String();
            if (!IsPlainFileName(shard))
            {
                throw value.Expected("the name of a .safetensors file in the same directory");
            }

            if (!shards.TryAdd(tensor, shard))
            {
                throw value.Error("the tensor stands there twice");
            }
        }

        return shards.Count > 0 ? shards : throw map.Error("the index names no tensors");
    }

    // Both kinds of separator are refused everywhere: a checkpoint must mean the same on every system.
    private static bool IsPlainFileName(string name) =>
        name.EndsWith(".safetensors", StringComparison.Ordinal) && name.Length <= byte.MaxValue
        && !name.Any(c => char.IsControl(c) || c is '/' or '\\' or ':');
}
