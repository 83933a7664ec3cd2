using KvIL.Backends;
using KvIL.Inference.Evaluation.Press;

namespace KvIL.Cli.Golden;

/// <summary>What kvpress keeps of whole prompts, and what models then say, recorded from the official package.</summary>
internal sealed class PressFormat : IGoldenFormat
{
    private const int MostFailures = 40;

    public string Name => PressFolder.Format;

    public string Sign => "JSON files with score_layers and cases, or lists of prompts with results";

    public bool RunsModels => true;

    public bool Recognises(string directory) => PressFolder.Recognises(directory);

    public GoldenResult Run(string directory, GoldenOptions options)
    {
        PressFolder folder = PressFolder.Open(directory, options.Only);
        RecordedModels models = new(directory, options.Models);
        foreach (string name in folder.Models)
        {
            _ = models.Find(name); // before anything runs
        }

        using IBackend backend = Device.Parse("cpu", options.Threads).CreateBackend();
        PressReport report = folder.Run(models.Find, backend, options.Progress, options.Cancelled);
        return new(
            Name,
            "method",
            [.. report.Methods.Select(m => new GoldenGroup(m.Name, m.Passed, m.Failures.Count, m.NotImplemented))],
            [.. report.Methods.SelectMany(m => m.Failures).Take(MostFailures).Select(f => new GoldenFailure(f.Case, f.Difference))])
        {
            Notes = report.Notes,
        };
    }
}
