using System.Text;
using KvIL.Backends;
using KvIL.Inference.Files;
using KvIL.Inference.Models;

namespace KvIL.Inference.Evaluation.Press;

/// <summary>A folder of recordings of kvpress on whole models, in the format <c>kvil-kvpress-models/1</c>.</summary>
/// <remarks>
/// What a file is follows from its content: an object with <c>cases</c> has keep sets, scores and logits beside it; a list has prompts
/// with outcomes. Other JSON files are no part of the format.
/// </remarks>
public sealed class PressFolder
{
    /// <summary>The format's name.</summary>
    public const string Format = "kvil-kvpress-models/1";

    private const long MostBytes = 1 << 28;

    // Models that files do not name: of prompts with ids, and of prompts that are lines of the model's own sets.
    private const string ModelOfIds = "SmolLM2-135M-Instruct", ModelOfTexts = "kvil-demo";

    private readonly List<Entry> _entries;

    private PressFolder(List<Entry> entries) => _entries = entries;

    /// <summary>The models that the recordings are of.</summary>
    public IReadOnlyList<string> Models => [.. _entries.Select(e => e.Model).Distinct()];

    /// <summary>Whether a folder has a file of the format; one that is damaged is taken for it too.</summary>
    public static bool Recognises(string directory) => Directory.EnumerateFiles(directory, "*.json").Any(path =>
    {
        using FileStream stream = File.OpenRead(path);
        byte[] start = new byte[1 << 16];
        string head = Encoding.UTF8.GetString(start, 0, stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false));
        return head.Contains("\"score_layers\"", StringComparison.Ordinal)
            || (head.TrimStart().StartsWith('[') && head.Contains("\"half\"", StringComparison.Ordinal) && head.Contains("\"id\"", StringComparison.Ordinal));
    });

    /// <summary>Reads the files of a folder, but for the tensors.</summary>
    /// <param name="directory">The folder.</param>
    /// <param name="only">Of the form <c>FILE</c>, <c>FILE/PRESS</c> or <c>/PRESS</c>, <c>*</c> for any letters; empty for everything.</param>
    /// <exception cref="ModelFileException">A file is damaged.</exception>
    /// <exception cref="RequestException">Nothing is named that is there.</exception>
    public static PressFolder Open(string directory, IReadOnlyList<string> only)
    {
        ArgumentNullException.ThrowIfNull(only);
        List<Entry> entries = [];
        foreach (string path in Directory.EnumerateFiles(directory, "*.json").Order(StringComparer.Ordinal))
        {
            JsonValue root = JsonValue.Load(path, MostBytes);
            string name = Path.GetFileNameWithoutExtension(path);
            if (root.IsArray ? root.Items().Any() : root.Has("cases"))
            {
                Entry entry = new(name, path, root, ModelOf(root), [.. only.Select(o => o.Split('/', 2))]);
                entries.Add(entry);
            }
        }

        entries.RemoveAll(entry => !entry.Presses.Any(entry.Wants));
        return entries.Count > 0 ? new(entries) : throw new RequestException(
            only.Count > 0 ? $"{directory}: --only names nothing that is recorded here; give FILE, FILE/METHOD or /METHOD, without .json."
                : $"{directory}: no recordings of the format {Format}; get the folder again.");
    }

    /// <summary>Repeats everything that was recorded.</summary>
    /// <param name="find">Where a model is, by its name.</param>
    /// <param name="backend">The device that computes.</param>
    /// <param name="progress">Told the share done, from 0 to 1.</param>
    /// <param name="cancelled">Stops between cases.</param>
    /// <exception cref="ModelFileException">A file is missing, damaged, or of another model.</exception>
    public PressReport Run(Func<string, string> find, IBackend backend, Action<double> progress, CancellationToken cancelled)
    {
        ArgumentNullException.ThrowIfNull(find);
        PressTally tally = new(cancelled, progress) { Work = _entries.Sum(entry => entry.Presses.LongCount(entry.Wants)) };
        foreach (IGrouping<string, (string Path, Entry Entry)> group in _entries.Select(e => (find(e.Model), e)).ToList().GroupBy(e => e.Item1))
        {
            using Model model = Model.Open(group.Key, backend, WithRoundedAngles, readTokenizer: group.Any(e => e.Entry.NeedsTexts));
            foreach ((_, Entry entry) in group)
            {
                entry.Run(model, tally);
            }
        }

        return tally.Report();
    }

    // As in transformers: else scores at position 1000 differ by more than the recordings allow.
    private static ModelConfig WithRoundedAngles(ModelConfig config) => config with
    {
        Layers = [.. config.Layers.Select(layer => layer with { Rope = layer.Rope is null ? null : layer.Rope with { RoundsAngles = true } })],
    };

    private static string ModelOf(JsonValue root)
    {
        JsonValue first = root.IsArray ? root.Items().First() : root;
        return first.Find("model") is JsonValue model ? model.String()
            : first.Has("prefix_ids") || first.Has("context_ids") ? ModelOfIds : ModelOfTexts;
    }

    /// <summary>One file.</summary>
    private sealed class Entry(string name, string path, JsonValue root, string model, string[][] only)
    {
        private readonly List<OutcomePrompt>? _prompts = root.IsArray ? PressOutcomes.Read(root) : null;

        public string Model => model;

        public bool NeedsTexts => _prompts?.Any(p => p.Source is not null) ?? false;

        /// <summary>Press of each case.</summary>
        public IEnumerable<string> Presses => _prompts?.SelectMany(p => p.Results.Select(r => r.Press))
            ?? root.Require("cases").Items().Select(c => c.Require("press").String());

        public bool Wants(string press) => only.Length == 0
            || only.Any(o => Matches(name, o[0]) && Matches(press, o.Length > 1 ? o[1] : ""));

        public void Run(Model model, PressTally tally)
        {
            if (_prompts is not null)
            {
                PressOutcomes.Complete(_prompts, Directory.Exists(model.Path) ? model.Path : Path.GetDirectoryName(model.Path)!, model.Tokenizer);
                using OutcomeRun outcomes = new(name, _prompts, model, tally);
                outcomes.Run(Wants);
                return;
            }

            using PressRecording recording = new(path, root);
            using RecordingRun run = new(name, recording, model, tally);
            run.Run(Wants);
        }

        private static bool Matches(string text, string pattern) =>
            pattern.Length == 0 || System.IO.Enumeration.FileSystemName.MatchesSimpleExpression(pattern, text, ignoreCase: false);
    }
}
