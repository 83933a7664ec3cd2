using KvIL.Backends;
using KvIL.Inference.Files;
using KvIL.Inference.Files.Sharing;
using KvIL.Inference.Runtime;
using KvIL.Inference.Templates;
using KvIL.Inference.Tokenization;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Inference.Models;

/// <summary>A checkpoint on a backend: weights imported, tokenizer read, ready to compile.</summary>
public sealed class Model : IDisposable
{
    private readonly Checkpoint _checkpoint;
    private readonly Dictionary<string, IBuffer> _buffers = [];
    private readonly Lazy<ModelChatTemplate?> _chatTemplate;

    private Model(Checkpoint checkpoint, IBackend backend, ModelConfig config, SharingMap? map, long? memoryLimit, Task<ITokenizer>? tokenizer)
    {
        (_checkpoint, Backend) = (checkpoint, backend);
        _chatTemplate = new(() => ChatTemplates.Of(checkpoint));
        Transformer = new(checkpoint, config, map);
        EnsureSupported(Transformer, backend);
        MemoryNeed.OfWeights(Transformer).Check(memoryLimit);
        foreach ((string name, TensorSpec spec) in Transformer.Weights)
        {
            _buffers[name] = backend.Import(spec, Transformer.Tensors[name].Data);
        }

        if (tokenizer is not null && checkpoint.TokenizerPath is string path)
        {
            Tokenizer = tokenizer.GetAwaiter().GetResult();
            Tokenizers.EnsureFits(Tokenizer, Config.VocabSize, path);
        }

        EosIds = [.. Config.EosTokenIds.Union(Tokenizer?.EndOfTurnIds ?? [])];
    }

    /// <summary>The device that computes.</summary>
    public IBackend Backend { get; }

    /// <summary>What was opened: a directory, or a single file.</summary>
    public string Path => _checkpoint.Path;

    /// <summary>The architecture as plans.</summary>
    public Transformer Transformer { get; }

    /// <summary>The model's shape.</summary>
    public ModelConfig Config => Transformer.Config;

    /// <summary>The sharing map that the checkpoint itself says; the one that runs is <see cref="Transformer.Map"/>.</summary>
    public SharingMap OwnMap => _checkpoint.Config.OwnMap();

    /// <summary>Weights by name.</summary>
    public IReadOnlyDictionary<string, IBuffer> Weights => _buffers;

    /// <summary>The tokenizer, or null where the checkpoint has none.</summary>
    public ITokenizer? Tokenizer { get; }

    /// <summary>Tokens that end a text or an answer: those of the model's config and those of its tokenizer.</summary>
    public IReadOnlyList<int> EosIds { get; }

    /// <summary>The chat template; null where the model has none.</summary>
    /// <exception cref="ModelFileException">The file that holds it is damaged.</exception>
    /// <exception cref="TemplateException">It is not a template.</exception>
    public ModelChatTemplate? ChatTemplate => _chatTemplate.Value;

    // Before any weight is brought to a device that then lacks a step.
    private static void EnsureSupported(Transformer transformer, IBackend backend)
    {
        if (transformer.Trial().Ops.FirstOrDefault(op => !backend.Supports(op)) is { } missing)
        {
            throw new RequestException(
                $"{transformer.Config.Architecture} takes a step ({missing.Name}) that {backend.Name} cannot run; use --device cpu.");
        }
    }

    /// <summary>Opens the checkpoint in <paramref name="directory"/> on <paramref name="backend"/>, which must outlive the model.</summary>
    /// <param name="directory">The checkpoint's directory.</param>
    /// <param name="backend">The device.</param>
    /// <param name="map">Which layer reads whose keys and values; null for each its own.</param>
    /// <param name="memoryLimit">Most bytes of weights; null for what the machine has.</param>
    /// <param name="readTokenizer">Whether to read the tokenizer, if there is one.</param>
    /// <exception cref="ModelFileException">The checkpoint is missing, damaged or not supported.</exception>
    /// <exception cref="RequestException">The weights are above the limit, or the device lacks a step of the model; none of them was imported.</exception>
    public static Model Open(
        string directory, IBackend backend, SharingMap? map = null, long? memoryLimit = null, bool readTokenizer = true) =>
        Open(directory, backend, config => config, map, memoryLimit, readTokenizer);

    /// <summary>Opens the checkpoint with another map than its own.</summary>
    /// <param name="directory">The checkpoint's directory.</param>
    /// <param name="backend">The device.</param>
    /// <param name="share">A <see cref="SharingConfiguration"/> or a text of <see cref="LayerTypes"/> without windows; null for the checkpoint's own map.</param>
    /// <param name="memoryLimit">Most bytes of weights; null for what the machine has.</param>
    /// <param name="readTokenizer">Whether to read the tokenizer, if there is one.</param>
    /// <exception cref="ModelFileException">The checkpoint is missing, damaged or not supported.</exception>
    /// <exception cref="RequestException">The text is no map for this model, or the weights are above the limit.</exception>
    public static Model Open(string directory, IBackend backend, string? share, long? memoryLimit = null, bool readTokenizer = true) =>
        Open(directory, backend, config => share is null ? config : ForcedSharing.Apply(config, share), memoryLimit: memoryLimit, readTokenizer: readTokenizer);

    /// <summary>Puts a checkpoint that is open on <paramref name="backend"/>; the model closes it.</summary>
    /// <exception cref="ModelFileException">The checkpoint does not have what its config asks for.</exception>
    /// <exception cref="RequestException">The weights are above the limit; none of them was imported.</exception>
    public static Model Open(Checkpoint checkpoint, IBackend backend, SharingMap? map = null, long? memoryLimit = null)
    {
        ArgumentNullException.ThrowIfNull(checkpoint);
        ArgumentNullException.ThrowIfNull(backend);
        try
        {
            return new(checkpoint, backend, checkpoint.Config, map, memoryLimit, tokenizer: null);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <summary>The same, with another config than the files have: to see what a wrong one does, or to round as other code does.</summary>
    internal static Model Open(
        string directory, IBackend backend, Func<ModelConfig, ModelConfig> amend, SharingMap? map = null, long? memoryLimit = null,
        bool readTokenizer = true)
    {
        ArgumentNullException.ThrowIfNull(backend);
        // Reading a vocabulary takes as long as all the rest, so it goes on beside it; what it says counts only where the model has one.
        Task<ITokenizer>? tokenizer = readTokenizer && File.Exists(directory) ? Task.Run(() => Tokenizers.Load(directory)) : null;
        Checkpoint checkpoint = Checkpoint.Open(directory);
        try
        {
            tokenizer ??= readTokenizer && checkpoint.TokenizerPath is string path ? Task.Run(() => Tokenizers.Load(path)) : null;
            return new(checkpoint, backend, amend(checkpoint.Config), map, memoryLimit, tokenizer);
        }
        catch
        {
            checkpoint.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IBuffer buffer in _buffers.Values)
        {
            buffer.Dispose();
        }

        _buffers.Clear();
        _checkpoint.Dispose();
    }
}
