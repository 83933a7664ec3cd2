using System.Buffers.Binary;
using KvIL.Backends;
using KvIL.Cli.Golden.Lckv;
using KvIL.Conformance.Theorems.Sharing;
using KvIL.Conformance.Theory.Sharing;
using KvIL.Inference.Files;
using KvIL.Inference.Models;
using KvIL.Sharing;
using KvIL.Tests.Files;

namespace KvIL.Tests.Sharing;

/// <summary>The laws' forward functions by the engine on the CPU, in float32.</summary>
internal sealed class EngineMath : SharingMath, IDisposable
{
    private readonly IBackend _backend = Device.Parse("cpu", 1).CreateBackend();
    private readonly TemporaryDirectory _directory = new();

    public override double Tolerance => 2e-4;

    public void Dispose()
    {
        _backend.Dispose();
        _directory.Dispose();
    }

    /// <summary>The model on the backend; its file is gone when the model is disposed of.</summary>
    public Model Open(SharedModel model)
    {
        SharedLlamaSizes sizes = model.Weights.Sizes;
        string path = _directory.PathOf($"{Guid.NewGuid():N}.safetensors");
        SafeTensorsWriter.Write(path, [.. model.Weights.Tensors.Select(tensor => new SafeTensorsSource(
            tensor.Key, "F32", Shape(tensor.Key, tensor.Value.Length, sizes), stream => Write(tensor.Value, stream)))]);
        int layers = model.Map.NumLayers, inner = model.Weights.Tensors["model.layers.0.mlp.up_proj.weight"].Length / sizes.Hidden;
        RopeConfig rope = new(sizes.Theta, sizes.HeadDim);
        ModelConfig config = new()
        {
            Architecture = "LlamaForCausalLM", ModelType = "llama", HiddenSize = sizes.Hidden, IntermediateSize = inner, NumLayers = layers,
            NumQueryHeads = sizes.QueryHeads, NumKvHeads = sizes.KvHeads, HeadDim = sizes.HeadDim, VocabSize = SharedModel.Vocabulary, MaxPositions = 64,
            RmsNormEps = sizes.Epsilon, Layers = [.. model.Windows.Select(window => new LayerConfig(rope, window))], TieWordEmbeddings = false,
            Sharing = model.Map, StrictlyPast = model.StrictlyPast,
        };
        return Model.Open(Checkpoint.Open(config, path), _backend);
    }

    public override double[][] Run(SharedModel model, IReadOnlyList<int> prompt, PrefillStrategy strategy, IReadOnlyList<int> continuation)
    {
        using Model opened = Open(model);
        using EngineRun run = new(opened, strategy, Math.Max(1, prompt.Count + continuation.Count));
        return [.. prompt.Count > 0 ? run.Prompt([.. prompt]) : [], .. continuation.Select(run.Next)];
    }

    private static IReadOnlyList<long> Shape(string name, int count, SharedLlamaSizes sizes)
    {
        int columns = name.Contains("norm", StringComparison.Ordinal) ? 0
            : name.Contains("o_proj", StringComparison.Ordinal) ? sizes.QueryHeads * sizes.HeadDim
            : name.Contains("down_proj", StringComparison.Ordinal) ? count / sizes.Hidden
            : sizes.Hidden;
        return columns == 0 ? [count] : [count / columns, columns];
    }

    private static void Write(double[] values, Stream stream)
    {
        byte[] bytes = new byte[values.Length * sizeof(float)];
        for (int i = 0; i < values.Length; i++) BinaryPrimitives.WriteSingleLittleEndian(bytes.AsSpan(i * sizeof(float)), (float)values[i]);
        stream.Write(bytes);
    }
}
