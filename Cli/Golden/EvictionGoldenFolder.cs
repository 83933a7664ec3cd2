using System.Runtime.InteropServices;
using System.Text;
using KvIL.Conformance.Golden.Eviction;
using KvIL.Inference.Files;

namespace KvIL.Cli.Golden;

/// <summary>A folder with recorded numbers of eviction: <c>manifest.json</c>, safetensors files, <c>layer_budgets.json</c>.</summary>
internal static class EvictionGoldenFolder
{
    private const string Manifest = "manifest.json", LayerBudgets = "layer_budgets.json";

    /// <summary>Whether the folder's manifest names the format, in any version; one that is damaged is still taken for it.</summary>
    public static bool Recognises(string folder)
    {
        string path = Path.Combine(folder, Manifest);
        if (!File.Exists(path)) return false;
        using FileStream stream = File.OpenRead(path);
        byte[] start = new byte[1 << 12];
        string head = Encoding.UTF8.GetString(start, 0, stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false));
        return head.Contains("\"kvil-golden/", StringComparison.Ordinal);
    }

    /// <summary>Reads a folder.</summary>
    /// <exception cref="GoldenFormatException">A JSON file is missing or damaged.</exception>
    /// <exception cref="ModelFileException">A safetensors file is damaged.</exception>
    public static GoldenSet Open(string folder)
    {
        string? Text(string name)
        {
            string path = Path.Combine(folder, name);
            try
            {
                return File.Exists(path) ? File.ReadAllText(path) : null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new GoldenFormatException($"{path}: cannot be read ({e.Message}).");
            }
        }

        string manifest = Text(Manifest)
            ?? throw new GoldenFormatException($"{folder}: no {Manifest}; name a folder with a set of the format {GoldenSet.Format}.");
        return GoldenSet.Read(manifest, Text(LayerBudgets), Tensors(folder));
    }

    /// <summary>The tensors of all safetensors files of a folder.</summary>
    /// <exception cref="GoldenFormatException">A tensor has another element type than the format's.</exception>
    /// <exception cref="ModelFileException">A file is damaged.</exception>
    public static KeyValuePair<string, GoldenTensor>[] Tensors(string folder) =>
        [.. Directory.EnumerateFiles(folder, "*.safetensors").Order(StringComparer.Ordinal).SelectMany(InFile)];

    /// <summary>The tensors of one safetensors file.</summary>
    /// <exception cref="GoldenFormatException">A tensor has another element type than the format's.</exception>
    /// <exception cref="ModelFileException">The file is missing or damaged.</exception>
    public static KeyValuePair<string, GoldenTensor>[] InFile(string path)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        return [.. file.Tensors.Values.Select(tensor =>
        {
            ReadOnlySpan<byte> data = tensor.Data.AsSpan();
            double[] values = tensor.StoredType switch
            {
                "F64" => MemoryMarshal.Cast<byte, double>(data).ToArray(),
                "F32" => Widened(MemoryMarshal.Cast<byte, float>(data)),
                "I32" => Widened(MemoryMarshal.Cast<byte, int>(data)),
                _ => throw new GoldenFormatException(
                    $"{path}: tensor '{tensor.Name}' has elements of type {tensor.StoredType}; expected F32, F64 or I32."),
            };
            return KeyValuePair.Create(tensor.Name, new GoldenTensor([.. tensor.Shape.Select(n => (int)Math.Min(n, int.MaxValue))], values));
        })];
    }

    private static double[] Widened<T>(ReadOnlySpan<T> values)
        where T : struct, IConvertible
    {
        double[] wide = new double[values.Length];
        for (int i = 0; i < wide.Length; i++) wide[i] = values[i].ToDouble(System.Globalization.CultureInfo.InvariantCulture);
        return wide;
    }
}
