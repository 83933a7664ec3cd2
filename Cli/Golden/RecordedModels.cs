namespace KvIL.Cli.Golden;

/// <summary>Where the models are that results were recorded with.</summary>
/// <remarks>
/// One named on the command line; else a folder of its name, in any case, in <c>models</c>: of <c>KVIL_SHARED</c>, of the folder two above
/// the recordings, of <c>shared</c> beside the repository, of the repository. A folder without <c>config.json</c> stands for its only GGUF file.
/// </remarks>
internal sealed class RecordedModels
{
    private readonly Dictionary<string, string> _named = new(StringComparer.Ordinal);
    private readonly string? _any;
    private readonly List<string> _places = [];

    /// <summary>The places that there are.</summary>
    /// <param name="recordings">The folder of the recordings.</param>
    /// <param name="given">Models named, <c>[NAME=]PATH</c>.</param>
    /// <exception cref="UsageException">One means nothing, or two mean the same.</exception>
    public RecordedModels(string recordings, IReadOnlyList<string> given)
    {
        foreach (string model in given)
        {
            int equals = model.IndexOf('=', StringComparison.Ordinal);
            (string name, string path) = equals < 0 ? ("", model) : (model[..equals], model[(equals + 1)..]);
            if (path.Length == 0 || (equals >= 0 && name.Length == 0) || !_named.TryAdd(name, path))
            {
                throw new UsageException($"--model is a path, or a name, = and a path, each name once; got '{model}'.");
            }
        }

        _any = _named.GetValueOrDefault("");
        string? shared = Environment.GetEnvironmentVariable("KVIL_SHARED");
        DirectoryInfo? root = new(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(Path.Combine(root.FullName, "KvIL.sln")))
        {
            root = root.Parent;
        }

        string?[] parents =
        [
            string.IsNullOrEmpty(shared) ? null : shared,
            Path.Combine(recordings, "..", ".."),
            root?.Parent is null ? null : Path.Combine(root.Parent.FullName, "shared"),
            root?.FullName,
        ];
        _places.AddRange(parents.OfType<string>().Select(parent => Path.GetFullPath(Path.Combine(parent, "models"))).Distinct());
    }

    /// <summary>The path of a model.</summary>
    /// <exception cref="IOException">It is nowhere.</exception>
    public string Find(string name)
    {
        if ((_named.GetValueOrDefault(name) ?? _any) is string given)
        {
            return given;
        }

        foreach (string place in _places.Where(Directory.Exists))
        {
            string? folder = Directory.EnumerateDirectories(place).FirstOrDefault(d => Path.GetFileName(d).Equals(name, StringComparison.OrdinalIgnoreCase));
            if (folder is null)
            {
                continue;
            }

            string[] files = File.Exists(Path.Combine(folder, "config.json")) ? [] : Directory.GetFiles(folder, "*.gguf");
            return files.Length == 1 ? files[0] : folder;
        }

        throw new IOException(
            $"The model {name}, with which this was recorded, is not in {string.Join(" or ", _places)}; name it with --model {Terminal.Visible(name)}=PATH, or choose other recordings with --only.");
    }
}
