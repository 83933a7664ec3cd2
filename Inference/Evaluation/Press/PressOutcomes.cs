using KvIL.Inference.Files;
using KvIL.Inference.Tokenization;

namespace KvIL.Inference.Evaluation.Press;

/// <summary>How one press at one ratio did on one prompt.</summary>
/// <param name="Press">The press's name.</param>
/// <param name="Ratio">Share of the rows that it removes.</param>
/// <param name="Figures">Of a question, right and mean NLL, with the question seen and not; of a continuation, mean KL, NLL, largest KL, and rows with the full cache's choice.</param>
internal sealed record RecordedOutcome(string Press, double Ratio, double[] Figures);

/// <summary>A prompt with what was recorded of it.</summary>
internal sealed class OutcomePrompt
{
    /// <summary>Its name in the file.</summary>
    public required string Id { get; init; }

    /// <summary>What is evicted when the question is not seen; of a continuation, all that stands before it.</summary>
    public int[] Context { get; set; } = [];

    /// <summary>The question; empty for a continuation.</summary>
    public int[] Question { get; set; } = [];

    /// <summary>What is fed, and scored.</summary>
    public int[] Answer { get; set; } = [];

    /// <summary>Whether the answer is a text's continuation, not the answer of a question.</summary>
    public bool IsContinuation { get; init; }

    /// <summary>The full cache's figures: right and NLL, or NLL alone.</summary>
    public double[] Full { get; init; } = [];

    public IReadOnlyList<RecordedOutcome> Results { get; init; } = [];

    /// <summary>Line of the model's own set that holds the texts; null where the ids are recorded.</summary>
    public (string File, int Id, int Tokens, int ContextTokens)? Source { get; init; }
}

/// <summary>Reads lists of prompts with outcomes, and the texts that they only name.</summary>
internal static class PressOutcomes
{
    private const int MostIds = 1 << 20;

    /// <summary>Reads the prompts of a list.</summary>
    /// <exception cref="ModelFileException">The list is damaged.</exception>
    public static List<OutcomePrompt> Read(JsonValue root) => [.. root.Items().Select(Prompt)];

    /// <summary>Fills in the ids of prompts that name texts, with the model's own tokenizer.</summary>
    /// <param name="prompts">The prompts.</param>
    /// <param name="model">The model's directory, which holds the sets.</param>
    /// <param name="tokenizer">Its tokenizer; null for none.</param>
    /// <exception cref="ModelFileException">A set is missing, or another one than was used.</exception>
    public static void Complete(IEnumerable<OutcomePrompt> prompts, string model, ITokenizer? tokenizer)
    {
        Dictionary<string, Dictionary<int, JsonValue>> sets = [];
        foreach (OutcomePrompt prompt in prompts)
        {
            if (prompt.Source is not var (file, id, tokens, contextTokens))
            {
                continue;
            }

            string path = Path.Combine(model, file);
            if (!sets.TryGetValue(file, out Dictionary<int, JsonValue>? set))
            {
                sets[file] = set = Lines(path);
            }

            if (tokenizer is null || !set.TryGetValue(id, out JsonValue line))
            {
                throw new ModelFileException($"{path}: there is no prompt {id}, or the model has no tokenizer; name the model that was recorded with --model.");
            }

            JsonValue source = line.Find("queries") is JsonValue queries ? queries.Items().FirstOrDefault() : line;
            string context = line.Require("context").String();
            string question = source.Require(line.Has("queries") ? "query" : "question").String();
            int[] whole = tokenizer.Encode(context + question);
            int[] before = tokenizer.Encode(context);
            if (whole.Length != tokens || before.Length != contextTokens || !whole.AsSpan().StartsWith(before))
            {
                throw line.Error($"{before.Length} tokens of context and {whole.Length} with the question, where {contextTokens} and {tokens} are recorded", "use the set and the tokenizer that were recorded");
            }

            (prompt.Context, prompt.Question) = (before, whole[before.Length..]);
            prompt.Answer = tokenizer.Encode(source.Require("answer").String(), addBos: false);
        }
    }

    private static OutcomePrompt Prompt(JsonValue p)
    {
        bool continues = p.Has("prefix_ids");
        int[] Ids(string name) => p.Find(name) is JsonValue list ? [.. list.Items().Take(MostIds).Select(id => id.Integer(0, int.MaxValue))] : [];
        bool named = !continues && !p.Has("context_ids");
        int number = p.Require("id").Integer(0, int.MaxValue);
        OutcomePrompt prompt = new()
        {
            Id = $"{number}",
            IsContinuation = continues,
            Context = Ids(continues ? "prefix_ids" : "context_ids"),
            Question = Ids("question_ids"),
            Answer = Ids(continues ? "cont_ids" : "answer_ids"),
            Full = continues ? [p.Require("full_nll").Number(0, 1e6)] : Figures(p.Require("full").Items().FirstOrDefault(), 2),
            Results = [.. p.Require("results").Members().Select(m => Outcome(m.Name, m.Value))],
            Source = named
                ? (p.Has("pairs") ? "recall.jsonl" : "needle.jsonl", number, p.Require("tokens").Integer(1, MostIds), p.Require("context_tokens").Integer(1, MostIds))
                : null,
        };
        bool complete = named || (prompt.Context.Length > 0 && prompt.Answer.Length > 0 && (continues || prompt.Question.Length > 0));
        return complete ? prompt : throw p.Error("a prompt without ids of context, question or answer", "get the folder again");
    }

    // "press.50"
    private static RecordedOutcome Outcome(string name, JsonValue value)
    {
        int dot = name.LastIndexOf('.');
        return dot > 0 && int.TryParse(name[(dot + 1)..], out int percent) && percent is >= 0 and <= 100
            ? new(name[..dot], percent / 100.0, Figures(value, 4))
            : throw value.Error("a result is named by a press, a point and the share removed in percent", "get the folder again");
    }

    private static double[] Figures(JsonValue list, int count)
    {
        double[] figures = [.. list.Items().Select(x => x.Number(-1e6, 1e6))];
        return figures.Length == count ? figures : throw list.Expected($"{count} numbers");
    }

    private static Dictionary<int, JsonValue> Lines(string path)
    {
        using MappedFile file = MappedFile.Open(path);
        if (file.Memory.LengthBytes > 1 << 28)
        {
            throw new ModelFileException($"{path}: expected a set of at most 256 MiB; name the model that was recorded with --model.");
        }

        Dictionary<int, JsonValue> lines = [];
        int number = 0;
        ReadOnlySpan<byte> text = file.Memory.AsSpan();
        foreach (Range range in text.Split((byte)'\n'))
        {
            number++;
            ReadOnlySpan<byte> json = text[range].Trim(" \t\r"u8);
            if (!json.IsEmpty)
            {
                JsonValue line = JsonValue.Parse(json, path, number);
                lines[line.Require("id").Integer(0, int.MaxValue)] = line;
            }
        }

        return lines;
    }
}
