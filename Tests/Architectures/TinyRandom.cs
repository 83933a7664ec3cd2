using KvIL.Inference.Evaluation;
using KvIL.Inference.Files;
using KvIL.Inference.Models;
using KvIL.Reference;
using Xunit;

namespace KvIL.Tests.Architectures;

/// <summary>The small checkpoints with recorded results, one or more of each architecture.</summary>
internal static class TinyRandom
{
    /// <summary>Folder, and the recorded largest difference of its logits between float32 and float64 (README of the recordings).</summary>
    public static readonly IReadOnlyDictionary<string, double> Float32Errors = new Dictionary<string, double>
    {
        ["llama-untied"] = 1.1e-5, ["llama-untied-sharded"] = 1.1e-5, ["llama-rope-llama3"] = 2.2e-5, ["llama-rope-linear"] = 1.2e-5,
        ["llama-bias"] = 4.9e-6, ["llama-rope-yarn"] = 1.4e-5, ["llama-rope-dynamic"] = 1.3e-5, ["mistral-sliding"] = 1.1e-5,
        ["qwen2"] = 1.2e-5, ["qwen2-sliding"] = 1.0e-5, ["qwen3"] = 2.8e-5, ["gemma2"] = 1.7e-5, ["gemma3"] = 3.2e-5,
        ["gemma3-new"] = 3.9e-5, ["phi3"] = 8.5e-6, ["phi3-longrope"] = 3.5e-5, ["smollm3"] = 2.5e-5, ["granite"] = 2.0e-5,
        ["olmo2"] = 2.6e-5, ["hunyuan-dense"] = 3.5e-5, ["hunyuan-cla"] = 6.3e-5, ["gemma3n"] = 4.2e-5, ["gemma4"] = 7.7e-5,
        ["gemma4-keqv"] = 1.3e-5, ["gemma4-nested"] = 7.7e-5,
    };

    public static TheoryData<string> Folders => [.. Float32Errors.Keys];

    public static string PathOf(string folder) => Repo.PathOf($"models/tiny-random/{folder}");

    /// <summary>Runs a model, perhaps with a wrong config, against its recording.</summary>
    public static CheckReport Check(string path, Func<ModelConfig, ModelConfig>? amend = null)
    {
        using ReferenceBackend backend = new(1);
        using Model model = Model.Open(path, backend, amend ?? (config => config), readTokenizer: false);
        return ReferenceCheck.Run(model);
    }

    /// <summary>The largest difference of a report, of logits or of cached rows.</summary>
    public static double Largest(CheckReport report) => report.Sequences.SelectMany(s => s.Quantities).Max(q => q.Difference);
}
