using System.CommandLine;
using KvIL.Inference.Files;
using KvIL.Inference.Models;
using KvIL.Inference.Tokenization;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil inspect</c>: what a model is, without running it.</summary>
internal static class InspectCommand
{
    public static Command Create(CommandContext context)
    {
        Argument<string> model = CommonOptions.Model();
        Option<bool> json = CommonOptions.Json("Prints one JSON object in place of the text.");
        Option<bool> tensors = new("--tensors") { Description = "Lists every tensor." };
        Option<bool> metadata = new("--metadata") { Description = "Lists the metadata of a GGUF file." };
        Command command = new("inspect", "Shows a model's format, shapes, tensors, tokenizer, and the bytes of its cache.")
        {
            model, json, tensors, metadata,
        };
        command.SetAction(parse =>
        {
            Inspection inspection = Inspect(CommonOptions.ReadModel(parse, model), parse.GetValue(tensors), parse.GetValue(metadata));
            if (parse.GetValue(json))
            {
                Json.Write(context.Terminal, inspection);
            }
            else
            {
                InspectionText.Write(context.Terminal, inspection);
            }

            return App.Success;
        });
        return command;
    }

    /// <summary>Reads the files' headers and the tokenizer; no weight is touched.</summary>
    /// <exception cref="ModelFileException">The model is missing, damaged or not supported.</exception>
    public static Inspection Inspect(string path, bool tensors = false, bool metadata = false)
    {
        using Checkpoint checkpoint = Checkpoint.Open(path);
        Transformer transformer = new(checkpoint);
        ModelConfig config = checkpoint.Config;
        ITokenizer? tokenizer = null;
        if (checkpoint.TokenizerPath is string file)
        {
            tokenizer = Tokenizers.Load(file);
            Tokenizers.EnsureFits(tokenizer, config.VocabSize, file);
        }

        return new()
        {
            Path = path,
            Format = checkpoint.Format,
            Architecture = config.Architecture,
            Layers = config.NumLayers,
            HiddenSize = config.HiddenSize,
            IntermediateSize = config.IntermediateSize,
            QueryHeads = config.NumQueryHeads,
            KvHeads = config.NumKvHeads,
            HeadDim = config.HeadDim,
            VocabSize = config.VocabSize,
            Context = config.MaxPositions,
            RopeTheta = config.Layers.Max(layer => layer.Rope?.Theta ?? 0),
            RmsNormEps = config.RmsNormEps,
            TiedEmbeddings = config.TieWordEmbeddings,
            Parameters = checkpoint.Tensors.Values.Sum(tensor => tensor.ElementCount),
            WeightBytes = checkpoint.WeightBytes,
            Tensors =
            [
                .. checkpoint.Tensors.Values.GroupBy(tensor => tensor.StoredType).OrderBy(group => group.Key, StringComparer.Ordinal)
                    .Select(group => new TensorTypeInfo(group.Key, group.Count(), group.Sum(tensor => tensor.Data.LengthBytes))),
            ],
            Tokenizer = tokenizer is null ? null : new(tokenizer.Kind, tokenizer.VocabSize, tokenizer.BosId, tokenizer.AddsBos),
            Eos = config.EosTokenIds.Count > 0 ? config.EosTokenIds : tokenizer?.EosIds ?? [],
            ChatTemplate = checkpoint.ReadChatTemplate() is { Source: string template } ? new(template.Length, FirstLine(template)) : null,
            Windows = [.. config.Layers.Select(layer => layer.Window)],
            TensorList = tensors ? [.. checkpoint.Tensors.Values.Select(Describe)] : null,
            Metadata = metadata ? MetadataOf(checkpoint) : null,
            Kv = KvOf(config, transformer.Map),
            Stores = transformer.Map.Stores,
            Sharing = SharingInfo.Of(config, transformer.Map),
        };
    }

    private static TensorInfo Describe(FileTensor tensor) =>
        new(tensor.Name, tensor.StoredType, tensor.Shape, tensor.Data.LengthBytes, tensor.Path, tensor.FileOffset);

    private static string FirstLine(string template)
    {
        const int most = 120;
        string line = template.AsSpan().TrimStart().ToString().Split('\n')[0].TrimEnd();
        return line.Length <= most ? line : $"{line[..most]}…";
    }

    private static MetadataInfo[] MetadataOf(Checkpoint checkpoint)
    {
        GgufMetadata metadata = checkpoint.Metadata
            ?? throw new UsageException($"--metadata is for GGUF files; {checkpoint.Path} is {checkpoint.Format}.");
        return [.. metadata.Keys.Select(key => MetadataText.Describe(metadata.Require(key)))];
    }

    // A row and a store are those of layer 0, where layers differ; the totals are over all stores.
    private static KvInfo KvOf(ModelConfig config, SharingMap map)
    {
        TypedBytes Of(Func<long, long> bytes) => new(bytes(RowBytes(config, DType.F16)), bytes(RowBytes(config, DType.F32)));
        TypedBytes token = SharingInfo.Bytes(config, Enumerable.Range(0, map.NumStores).Select(map.Owner));
        return new(
            "row = head_dim * (key bytes + value bytes) + 4 for the position; a store takes kv_heads rows for each token",
            Of(row => row),
            Of(row => checked(row * config.NumKvHeads)),
            token,
            new(checked(token.F16 * config.MaxPositions), checked(token.F32 * config.MaxPositions)));
    }

    private static long RowBytes(ModelConfig config, DType type) => new StoreSpec(1, config.NumKvHeads, config.HeadDim, type, 0).RowBytes;
}
