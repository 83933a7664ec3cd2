using System.Diagnostics;
using KvIL.Backends;
using KvIL.Inference;
using KvIL.Inference.Files;
using KvIL.Inference.Generation;
using KvIL.Inference.Models;
using KvIL.Inference.Templates;
using KvIL.Inference.Tokenization;

namespace KvIL;

/// <summary>A language model on a device: give it a prompt, read text, with the cache held to a budget.</summary>
/// <remarks>
/// <code>
/// using var model = LanguageModel.Open("path/to/model", Device.Auto);
/// var policy = EvictionPolicy.Parse("ada-snapkv:budget=20%,window=32,floor=0.2");
/// await foreach (var piece in model.GenerateAsync("Once upon a time", new() { Eviction = policy, MaxTokens = 200 }))
///     Console.Write(piece.Text);
/// </code>
/// One generation at a time.
/// </remarks>
public sealed class LanguageModel : IDisposable
{
    private LanguageModel(Model model, TimeSpan loadTime) => (Model, LoadTime) = (model, loadTime);

    /// <summary>The checkpoint on its backend, for uses beyond text.</summary>
    public Model Model { get; }

    private ITokenizer Tokenizer => Model.Tokenizer
        ?? throw new RequestException("The model has no tokenizer, so text cannot be read; add one beside its weights.");

    /// <summary>Time that opening took.</summary>
    public TimeSpan LoadTime { get; }

    /// <summary>Opens the model in <paramref name="path"/> on <paramref name="device"/>.</summary>
    /// <param name="path">Directory of the model.</param>
    /// <param name="device">The device; null for <see cref="Device.Auto"/>.</param>
    /// <param name="memoryLimit">Most bytes of weights; null for what the machine has.</param>
    /// <param name="share">A sharing map in place of the checkpoint's own, such as <c>sandwich-middle:11</c> or <c>0_10x20_21</c>; null for its own.</param>
    /// <exception cref="ModelFileException">The model is missing, damaged or not supported.</exception>
    /// <exception cref="RequestException">The weights are above the limit, and none of them was loaded; or the map is none for this model.</exception>
    public static LanguageModel Open(string path, Device? device = null, long? memoryLimit = null, string? share = null)
    {
        Stopwatch clock = Stopwatch.StartNew();
        IBackend backend = (device ?? Device.Auto).CreateBackend();
        try
        {
            return new(Model.Open(path, backend, share, memoryLimit), clock.Elapsed);
        }
        catch
        {
            backend.Dispose();
            throw;
        }
    }

    /// <summary>The continuation of a prompt: enumerate it or await it.</summary>
    /// <exception cref="RequestException">The model has no tokenizer, or an option is out of range.</exception>
    public Generation Generate(string prompt, GenerationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(prompt);
        return Generate(Tokenizer.Encode(prompt), options);
    }

    /// <summary>The answer to a conversation, whose prompt the model's own chat template makes.</summary>
    /// <remarks>
    /// The template's text is read with special tokens, so the spelling of one in a message means that token. The start token is put in
    /// front where the tokenizer asks for it and the template did not write it.
    /// </remarks>
    /// <exception cref="RequestException">The model has no tokenizer or no chat template, or an option is out of range.</exception>
    /// <exception cref="TemplateException">The template refuses the messages.</exception>
    public Generation Chat(IReadOnlyList<ChatMessage> messages, GenerationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(messages);
        ModelChatTemplate template = Model.ChatTemplate
            ?? throw new RequestException("The model has no chat template; give it a plain prompt.");
        string prompt = template.Render(messages);
        bool begun = template.BosToken is { Length: > 0 } bos && prompt.StartsWith(bos, StringComparison.Ordinal);
        return Generate(Tokenizer.Encode(prompt, addBos: !begun, parseSpecial: true), options);
    }

    /// <summary>The continuation of a prompt given as token ids.</summary>
    /// <exception cref="RequestException">An option is out of range.</exception>
    public Generation Generate(ReadOnlySpan<int> prompt, GenerationOptions? options = null) => new(Model, prompt, options ?? new());

    /// <summary>The continuation of a prompt, piece by piece, off the calling thread.</summary>
    /// <exception cref="RequestException">The model has no tokenizer, or an option is out of range.</exception>
    public IAsyncEnumerable<TextPiece> GenerateAsync(string prompt, GenerationOptions? options = null) => Generate(prompt, options);

    /// <inheritdoc/>
    public void Dispose()
    {
        IBackend backend = Model.Backend;
        Model.Dispose();
        backend.Dispose();
    }
}
