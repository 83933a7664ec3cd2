using KvIL.Eviction;

namespace KvIL.Inference.Files;

/// <summary>A table of head weights as JSON: a list of layers, each a list of one weight for each KV head, <c>[[3, 1], [0.5, 0.5]]</c>.</summary>
public static class HeadTableFile
{
    private const long MostBytes = 1 << 22;

    /// <summary>Reads a table.</summary>
    /// <exception cref="ModelFileException">The file is missing, too large or no such list, or a weight is negative or no number.</exception>
    public static HeadTable Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        List<double[]> layers = [];
        foreach (JsonValue layer in JsonValue.Load(path, MostBytes).Items().Take(HeadTable.MaxWeights + 1))
        {
            layers.Add([.. layer.Items().Take(HeadTable.MaxWeights + 1).Select(weight => weight.Number(0, double.MaxValue))]);
        }

        try
        {
            return HeadTable.Of(layers);
        }
        catch (PolicyFormatException e)
        {
            throw new ModelFileException($"{path}: {e.Message}");
        }
    }
}
