using System.IO.Enumeration;
using KvIL.Backends;
using KvIL.Conformance.Golden.Eviction;
using KvIL.Inference.Files;

namespace KvIL.Cli.Golden.Lckv;

/// <summary>Models with shared keys and values, as the published code of layer-condensed caches computes them.</summary>
internal sealed class LckvFormat : IGoldenFormat
{
    private const int MostFailures = 40;

    public string Name => LckvFolder.Format;

    public string Sign => $"configs.json with \"format\": \"{LckvFolder.Format}\"";

    public bool RunsModels => true;

    public bool Recognises(string directory) => LckvFolder.Recognises(directory);

    public GoldenResult Run(string directory, GoldenOptions options)
    {
        if (options.Models.Count > 0)
        {
            throw new UsageException($"{Name} has its models in the folder; leave out --model.");
        }

        LckvFolder folder = LckvFolder.Open(directory);
        LckvCase[] chosen = [.. folder.Cases.Where(c => options.Only.Count == 0 || options.Only.Any(only => FileSystemName.MatchesSimpleExpression(only, c.Name)))];
        if (chosen.Length == 0)
        {
            throw new UsageException($"--only names none of the {folder.Cases.Count} cases, such as {folder.Cases.FirstOrDefault()?.Name ?? "none"}.");
        }

        Tally tally = new();
        foreach (LckvMap published in options.Only.Count == 0 ? folder.Published : [])
        {
            MapChecks.Run(published, tally);
        }

        using IBackend backend = Device.Parse("cpu", options.Threads).CreateBackend();
        foreach ((int i, LckvCase recorded) in chosen.Index())
        {
            options.Cancelled.ThrowIfCancellationRequested();
            Run(folder, recorded, backend, tally);
            options.Progress((i + 1.0) / chosen.Length);
        }

        return new(Name, "quantity", tally.Groups, [.. tally.Failures.Take(MostFailures)])
        {
            Notes =
            [
                .. tally.Differences,
                "The engine computes no gradients, and it does not repeat the published decode, which is wrong for layers that read above; the definition in double does, for this comparison.",
            ],
        };
    }

    private static void Run(LckvFolder folder, LckvCase recorded, IBackend backend, Tally tally)
    {
        try
        {
            ModelConfig config = folder.Config(recorded);
            IReadOnlyDictionary<string, GoldenTensor> tensors = folder.Tensors(recorded);
            foreach (string name in (string[])["input_ids", "prompt_ids", "loss_batch"])
            {
                bool fits = tensors.TryGetValue(name, out GoldenTensor? ids) && ids.Shape.Count == (name == "loss_batch" ? 2 : 1) && ids.Values.Length is > 0 and < 1 << 16
                    && ids.Values.All(id => id >= 0 && id < config.VocabSize);
                if (!fits) throw new GoldenFormatException($"case {recorded.Name}: {name} is missing or holds no tokens of the vocabulary; get the folder again.");
            }

            MapChecks.Run(recorded, config, tally);
            using EngineChecks engine = new(folder, recorded, config, tensors, backend, tally);
            engine.Run();
            new DefinitionChecks(recorded, config, folder.Weights(recorded), tensors, tally).Run();
        }
        catch (GoldenFormatException e)
        {
            throw new IOException(e.Message, e);
        }
    }
}
