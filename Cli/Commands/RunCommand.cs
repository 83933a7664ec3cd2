using System.CommandLine;
using System.Text;
using KvIL.Eviction;
using KvIL.Inference;
using KvIL.Inference.Generation;
using KvIL.Inference.Runtime;
using KvIL.Inference.Templates;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil run</c>: continues a prompt.</summary>
internal sealed class RunCommand
{
    private const string SamplingHelp = "; default";

    private readonly CommandContext _context;
    private readonly Argument<string> _model = CommonOptions.Model();
    private readonly Option<string?> _prompt = new("--prompt", "-p") { HelpName = "TEXT", Description = "The prompt." };

    private readonly Option<string?> _file = new("--file", "-f")
    {
        HelpName = "FILE",
        Description = "Reads the prompt from a file, or from the standard input for -; with -p too, the file's text comes first, -p after it on a line of its own.",
    };

    private readonly Option<bool> _chat = new("--chat") { Description = "Takes the prompt as a user's message, in the model's own chat template." };
    private readonly Option<string?> _system = new("--system") { HelpName = "TEXT", Description = "With --chat: a system message before it." };
    private readonly Option<string?> _evict = new("--evict") { HelpName = "POLICY", Description = "What the cache keeps; default full. See below." };

    private readonly Option<string?> _budget = new("--budget")
    {
        HelpName = "B",
        Description = "How many rows the policy keeps, unless the policy says so itself: 20% of the prompt, or 128 rows.",
    };

    private readonly Option<string?> _question = new("--question")
    {
        HelpName = "TEXT",
        Description = "Follows the prompt, but eviction does not see it: the prompt is cut first, then the question is read and kept.",
    };

    private readonly Option<string[]> _protect = new("--protect")
    {
        HelpName = "A..B",
        Description = "Tokens A to B of the prompt, B not included, are kept whatever their scores; may be given several times.",
    };

    private readonly Option<int> _evictEvery = CommonOptions.Integer(
        "--evict-every", "Evicts after every N tokens of the prompt, so that the cache never holds more than the budget and N rows; 0 for once at its end.", 0, 0);

    private readonly Option<int> _maxTokens = CommonOptions.Integer("--max-tokens", "Most tokens to generate.", 256, 0);

    private readonly Option<double?> _temperature = CommonOptions.Number(
        "--temp", $"Temperature{SamplingHelp} 0, which takes the most likely token, or 1 where --top-k, --top-p or --min-p is given.");

    private readonly Option<int> _topK = CommonOptions.Integer("--top-k", "Draws from the N most likely tokens; 0 for all.", 0, 0);
    private readonly Option<double?> _topP = CommonOptions.Number("--top-p", $"Draws from the fewest tokens with this probability together{SamplingHelp} 1.");
    private readonly Option<double?> _minP = CommonOptions.Number("--min-p", $"Draws from tokens at least this share as likely as the most likely{SamplingHelp} 0.");
    private readonly Option<int> _seed = CommonOptions.Integer("--seed", "The same seed gives the same text.", 0, int.MinValue);
    private readonly Option<int> _threads = CommonOptions.Threads();
    private readonly Option<int> _chunk = CommonOptions.Chunk();
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<long?> _memoryLimit = CommonOptions.MemoryLimit();
    private readonly Option<string?> _share = SharingArguments.Share();
    private readonly Option<string?> _prefill = SharingArguments.Prefill();
    private readonly Option<string?> _plan = SharingArguments.Plan();
    private readonly Option<DType> _rowType = CommonOptions.RowType(DType.F16);
    private readonly Option<bool> _printPlan = new("--print-plan") { Description = "Prints the plans of a pass and of the eviction, and computes nothing." };
    private readonly Option<bool> _json = CommonOptions.Json("Prints one JSON object at the end in place of the text.");

    private RunCommand(CommandContext context) => _context = context;

    public static Command Create(CommandContext context)
    {
        RunCommand run = new(context);
        Command command = new("run", "Continues a prompt, with the cache held to a budget.")
        {
            run._model, run._prompt, run._file, run._chat, run._system, run._evict, run._budget, run._question, run._protect, run._evictEvery,
            run._maxTokens,
            run._temperature, run._topK, run._topP, run._minP, run._seed,
            run._threads, run._chunk, run._device, run._memoryLimit, run._share, run._prefill, run._plan, run._rowType, run._printPlan, run._json,
        };
        command.SetAction(run.Execute);
        return command;
    }

    private int Execute(ParseResult parse)
    {
        Terminal terminal = _context.Terminal;
        string? evict = parse.GetValue(_evict);
        string path = CommonOptions.ReadModel(parse, _model);
        CachePlan plan = SharingArguments.ReadPlan(parse, _plan, _share, _prefill, evict, parse.GetValue(_budget));
        EvictionPolicy policy = plan.Evict;
        GenerationOptions options = ReadOptions(parse, policy) with { Prefill = plan.Prefill };
        Device device = CommonOptions.ReadDevice(parse, _threads, _device);
        bool json = parse.GetValue(_json);
        bool printPlan = parse.GetValue(_printPlan);
        if (json && printPlan)
        {
            throw new UsageException("--print-plan prints text and --json an object; leave one of them out.");
        }

        ChatMessage[]? conversation = ReadSystem(parse);
        if (conversation is not null && options.Question is not null)
        {
            throw new UsageException("--question follows a plain prompt and --chat writes a message; leave one of them out.");
        }

        string prompt = printPlan ? "" : PromptSource.Read(parse.GetValue(_file), parse.GetValue(_prompt), terminal);
        using LanguageModel model = terminal.Spin("loading", () => LanguageModel.Open(path, device, options.MemoryLimit, plan.Share));
        SharingArguments.Warn(terminal, model.Model);
        PolicyArguments.CheckFits(policy.Budget, model.Model.Config.MaxPositions);
        if (printPlan)
        {
            PrintPlans(model, options);
            return App.Success;
        }

        (List<int> ids, string text, GenerationStatistics statistics) = Generate(
            options, json, o => conversation is null ? model.Generate(prompt, o) : model.Chat([.. conversation, new("user", prompt)], o));
        if (json)
        {
            Json.Write(terminal, RunResult.Of(text, ids, statistics, model.LoadTime, policy, evict));
        }

        terminal.EndLine();
        RunSummary.Write(terminal.Error, statistics, model.LoadTime, policy);
        return App.Success;
    }

    private (List<int> Ids, string Text, GenerationStatistics Statistics) Generate(
        GenerationOptions options, bool silent, Func<GenerationOptions, Generation> start)
    {
        Action<double> report = _ => { };
        Generation generation = start(options with
        {
            PrefillProgress = share =>
            {
                _context.Cancelled.ThrowIfCancellationRequested();
                report(share);
            },
        });
        using IEnumerator<TextPiece> pieces = generation.GetEnumerator();
        List<int> ids = [];
        StringBuilder text = new();
        bool more = _context.Terminal.Track("prefill", progress =>
        {
            report = progress;
            return pieces.MoveNext();
        });
        while (more)
        {
            _context.Cancelled.ThrowIfCancellationRequested();
            // The piece that completes the last character comes after the last token, under its id.
            if (ids.Count < generation.Statistics.GeneratedTokens)
            {
                ids.Add(pieces.Current.Id);
            }

            text.Append(pieces.Current.Text);
            if (!silent)
            {
                _context.Terminal.Emit(pieces.Current.Text);
            }

            more = pieces.MoveNext();
        }

        return (ids, text.ToString(), generation.Statistics);
    }

    // What comes before the user's message; null where the prompt is no message.
    private ChatMessage[]? ReadSystem(ParseResult parse)
    {
        string? system = parse.GetValue(_system);
        return parse.GetValue(_chat) ? (system is null ? [] : [new("system", system)])
            : system is null ? null
            : throw new UsageException("--system is a message of a chat; add --chat.");
    }

    private GenerationOptions ReadOptions(ParseResult parse, EvictionPolicy policy)
    {
        bool draws = parse.GetValue(_topK) > 0 || parse.GetValue(_topP) is not null || parse.GetValue(_minP) is not null;
        SamplingOptions sampling = new()
        {
            Temperature = parse.GetValue(_temperature) ?? (draws ? 1 : 0),
            TopK = parse.GetValue(_topK),
            TopP = parse.GetValue(_topP) ?? 1,
            MinP = parse.GetValue(_minP) ?? 0,
            Seed = parse.GetValue(_seed),
        };
        try
        {
            sampling.Validate();
        }
        catch (RequestException e)
        {
            throw new UsageException(e.Message);
        }

        return new()
        {
            Eviction = policy,
            Question = parse.GetValue(_question),
            Protect = [.. (parse.GetValue(_protect) ?? []).Select(PolicyArguments.ReadRange)],
            EvictEvery = parse.GetValue(_evictEvery),
            MaxTokens = parse.GetValue(_maxTokens),
            Sampling = sampling,
            RowType = parse.GetValue(_rowType),
            Chunk = parse.GetValue(_chunk),
            MemoryLimit = parse.GetValue(_memoryLimit),
        };
    }

    private void PrintPlans(LanguageModel model, GenerationOptions options)
    {
        bool allQueries = options.Eviction.NeedsAllQueries;
        using Engine engine = new(model.Model, new()
        {
            Chunk = options.Chunk, RowType = options.RowType, Window = allQueries ? 0 : options.Eviction.Queries(int.MaxValue), RemembersPrompt = allQueries,
        });
        _context.Terminal.Out.Write(engine.ForwardPlan);
        if (engine.EvictionPlan(options.Eviction) is { } eviction)
        {
            _context.Terminal.Out.Write($"\n{eviction}");
        }
    }
}
