using System.CommandLine;
using KvIL.Cli.Explanation;
using KvIL.Eviction;
using KvIL.Inference;
using KvIL.Inference.Explanation;
using KvIL.Inference.Files;
using KvIL.Inference.Generation;
using KvIL.Inference.Tokenization;
using KvIL.Tensors;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil explain</c>: why each token of a prompt stayed in the cache or went.</summary>
internal sealed class ExplainCommand
{
    private readonly CommandContext _context;
    private readonly Argument<string> _model = CommonOptions.Model();
    private readonly Option<string?> _prompt = new("--prompt", "-p") { HelpName = "TEXT", Description = "The prompt." };

    private readonly Option<string?> _file = new("--file", "-f")
    {
        HelpName = "FILE",
        Description = "Reads the prompt from a file, or from the standard input for -; with -p too, the file's text comes first, -p after it on a line of its own.",
    };

    private readonly Option<string?> _evict = new("--evict") { HelpName = "POLICY", Description = "The policy to explain. See below." };

    private readonly Option<string?> _budget = new("--budget")
    {
        HelpName = "B",
        Description = "How many rows the policy keeps, unless the policy says so itself: 20% of the prompt, or 128 rows.",
    };

    private readonly Option<string?> _question = new("--question")
    {
        HelpName = "TEXT",
        Description = "Follows the prompt, but eviction does not see it: its tokens are all kept.",
    };

    private readonly Option<string[]> _protect = new("--protect")
    {
        HelpName = "A..B",
        Description = "Tokens A to B of the prompt, B not included, are kept whatever their scores; may be given several times.",
    };

    private readonly Option<int> _layer = CommonOptions.Integer(
        "--layer", "The layer that is shown head by head; the one whose heads' budgets differ most unless said.", -1, 0, showDefault: false);

    private readonly Option<string?> _html = new("--html") { HelpName = "FILE", Description = "Also writes one page with a map of tokens by heads, which needs no network." };
    private readonly Option<int> _threads = CommonOptions.Threads();
    private readonly Option<int> _chunk = CommonOptions.Chunk();
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<long?> _memoryLimit = CommonOptions.MemoryLimit();
    private readonly Option<string?> _share = SharingArguments.Share();
    private readonly Option<DType> _rowType = CommonOptions.RowType(DType.F16);
    private readonly Option<bool> _json = CommonOptions.Json("Prints one JSON object, with every row of every head, in place of the text.");

    private ExplainCommand(CommandContext context) => _context = context;

    public static Command Create(CommandContext context)
    {
        ExplainCommand explain = new(context);
        Command command = new("explain", "Shows why each token of a prompt stayed in the cache or went.")
        {
            explain._model, explain._prompt, explain._file, explain._evict, explain._budget, explain._question, explain._protect,
            explain._layer, explain._html, explain._threads, explain._chunk, explain._device, explain._memoryLimit, explain._share, explain._rowType, explain._json,
        };
        command.SetAction(explain.Execute);
        return command;
    }

    private int Execute(ParseResult parse)
    {
        Terminal terminal = _context.Terminal;
        string path = CommonOptions.ReadModel(parse, _model);
        EvictionPolicy policy = ReadPolicy(parse);
        GenerationOptions options = new()
        {
            Eviction = policy,
            Protect = [.. (parse.GetValue(_protect) ?? []).Select(PolicyArguments.ReadRange)],
            RowType = parse.GetValue(_rowType),
            Chunk = parse.GetValue(_chunk),
            MemoryLimit = parse.GetValue(_memoryLimit),
        };
        Device device = CommonOptions.ReadDevice(parse, _threads, _device);
        string? page = parse.GetValue(_html);
        if (page is not null)
        {
            AtomicFile.Check(page.Length > 0 ? page : throw new UsageException("--html is empty; name a file to write."));
        }

        string prompt = PromptSource.Read(parse.GetValue(_file), parse.GetValue(_prompt), terminal);
        string? share = SharingArguments.Read(parse, _share);
        using LanguageModel model = terminal.Spin("loading", () => LanguageModel.Open(path, device, options.MemoryLimit, share));
        SharingArguments.Warn(terminal, model.Model);
        PolicyArguments.CheckFits(policy.Budget, model.Model.Config.MaxPositions);
        int layer = parse.GetValue(_layer);
        if (layer >= model.Model.Config.NumLayers)
        {
            throw new RequestException($"There is no layer {layer}; the model has the layers 0 to {model.Model.Config.NumLayers - 1}.");
        }

        Explained explained = Explain(model, path, prompt, parse.GetValue(_question), options, parse.GetResult(_layer) is null ? null : layer);
        if (page is not null)
        {
            ExplainPage.Write(page, explained);
        }

        if (parse.GetValue(_json))
        {
            Json.Write(terminal, ExplainResult.From(explained));
        }
        else
        {
            ExplainText.Write(terminal, explained);
        }

        if (page is not null)
        {
            terminal.Error.WriteLine($"{page} has the map of tokens by heads; open it in a browser.");
        }

        return App.Success;
    }

    private EvictionPolicy ReadPolicy(ParseResult parse)
    {
        string evict = parse.GetValue(_evict)
            ?? throw new UsageException("There is no policy to explain; name one, such as --evict ada-snapkv.");
        EvictionPolicy policy = PolicyArguments.Read(evict, parse.GetValue(_budget));
        return policy.KeepsEverything
            ? throw new UsageException("--evict full keeps everything, so there is nothing to explain; name another policy, such as ada-snapkv.")
            : policy;
    }

    private Explained Explain(LanguageModel model, string path, string prompt, string? question, GenerationOptions options, int? layer)
    {
        ITokenizer tokenizer = model.Model.Tokenizer
            ?? throw new RequestException("The model has no tokenizer, so text cannot be read; add one beside its weights.");
        int[] ids = tokenizer.Encode(prompt);
        int[] after = question is null ? [] : tokenizer.Encode(question, addBos: false);
        EvictionExplanation explanation = _context.Terminal.Track("prefill", report => Explainer.Explain(model.Model, ids, after, options with
        {
            PrefillProgress = share =>
            {
                _context.Cancelled.ThrowIfCancellationRequested();
                report(share);
            },
        }));
        StoreExplanation shown = layer is int wanted ? explanation.Stores.First(store => store.Layers.Contains(wanted)) : explanation.MostUneven;
        return new(path, tokenizer, explanation, shown, layer is not null);
    }
}
