using System.Text;
using System.Text.Json;
using KvIL.Conformance.Golden.Eviction;
using KvIL.Inference.Files;

namespace KvIL.Cli.Golden.Lckv;

/// <summary>A folder of format <c>kvil-golden-lckv/1</c>: <c>configs.json</c>, weights by depth, and for each case a config and tensors.</summary>
internal sealed class LckvFolder
{
    public const string Format = "kvil-golden-lckv/1";
    private const string Configs = "configs.json";

    private readonly string _folder;
    private readonly Dictionary<string, IReadOnlyDictionary<string, GoldenTensor>> _weights = [];

    private LckvFolder(string folder, IReadOnlyList<LckvCase> cases, IReadOnlyList<LckvMap> published) =>
        (_folder, Cases, Published) = (folder, cases, published);

    /// <summary>The cases.</summary>
    public IReadOnlyList<LckvCase> Cases { get; }

    /// <summary>Maps without numbers.</summary>
    public IReadOnlyList<LckvMap> Published { get; }

    /// <summary>Whether the folder's <c>configs.json</c> names the format, in any version.</summary>
    public static bool Recognises(string folder)
    {
        string path = Path.Combine(folder, Configs);
        if (!File.Exists(path)) return false;
        using FileStream stream = File.OpenRead(path);
        byte[] start = new byte[1 << 12];
        string head = Encoding.UTF8.GetString(start, 0, stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false));
        return head.Contains("\"kvil-golden-lckv/", StringComparison.Ordinal);
    }

    /// <summary>Reads the list of cases; tensors are read when they are wanted.</summary>
    /// <exception cref="IOException">The list is damaged or of another version, or a name leads out of the folder.</exception>
    public static LckvFolder Open(string folder)
    {
        string path = Path.Combine(folder, Configs);
        try
        {
            using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(path));
            JsonElement root = document.RootElement;
            if (root.GetProperty("format").GetString() is var format && format != Format)
            {
                throw new IOException($"{path}: the recordings are of format {format}, and {Format} is expected; get a folder of that format.");
            }

            return new(
                folder,
                [.. root.GetProperty("cases").EnumerateArray().Select(LckvCase.Read)],
                root.TryGetProperty("published", out JsonElement published)
                    ? [.. published.GetProperty("strings").EnumerateArray().Select(entry => LckvMap.Read(entry, entry.GetProperty("what").GetString()!))]
                    : []);
        }
        catch (JsonException e)
        {
            throw new IOException($"{path}: the list of cases is damaged at line {e.LineNumber + 1}; get the folder again.", e);
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException or FormatException)
        {
            throw new IOException($"{path}: the list of cases is damaged, as a field is missing or has another type than it should; get the folder again.", e);
        }
    }

    /// <summary>The config of a case.</summary>
    /// <exception cref="ModelFileException">It is damaged, or describes what KvIL does not run.</exception>
    public ModelConfig Config(LckvCase recorded) => ModelConfig.Parse(PathOf(recorded.Config));

    /// <summary>Where the weights of a case lie.</summary>
    public string WeightsPath(LckvCase recorded) => PathOf(recorded.Weights);

    /// <summary>The weights of a case; those of one depth are read once.</summary>
    /// <exception cref="ModelFileException">The file is missing or damaged.</exception>
    public IReadOnlyDictionary<string, GoldenTensor> Weights(LckvCase recorded)
    {
        if (!_weights.TryGetValue(recorded.Weights, out IReadOnlyDictionary<string, GoldenTensor>? weights))
        {
            _weights[recorded.Weights] = weights = Read(recorded.Weights);
        }

        return weights;
    }

    /// <summary>The recorded tensors of a case.</summary>
    /// <exception cref="ModelFileException">The file is missing or damaged.</exception>
    public IReadOnlyDictionary<string, GoldenTensor> Tensors(LckvCase recorded) => Read(recorded.Golden);

    private Dictionary<string, GoldenTensor> Read(string name) => new(EvictionGoldenFolder.InFile(PathOf(name)));

    private string PathOf(string name) => Path.IsPathRooted(name) || name.Split('/', '\\').Contains("..")
        ? throw new IOException($"{Path.Combine(_folder, Configs)}: the file {name} lies outside of the folder; get the folder again.")
        : Path.Combine(_folder, name);
}
