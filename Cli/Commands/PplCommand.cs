using System.CommandLine;
using System.Globalization;
using KvIL.Inference;
using KvIL.Inference.Evaluation;
using KvIL.Inference.Models;
using KvIL.Inference.Tokenization;
using KvIL.Tensors;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil ppl</c>: how well a model predicts a text.</summary>
internal sealed class PplCommand
{
    private readonly CommandContext _context;
    private readonly Argument<string> _model = CommonOptions.Model();

    private readonly Option<string> _text = new("--text")
    {
        HelpName = "FILE",
        Required = true,
        Description = "The text, or - for the standard input; CR LF counts as LF.",
    };

    private readonly Option<int> _window = CommonOptions.Integer("--window", "Tokens of a window, BOS included.", 512, 2);
    private readonly Option<int> _limit = CommonOptions.Integer("--limit", "Only the first N tokens of the text.", int.MaxValue, 1, showDefault: false);
    private readonly Option<bool> _bos = new("--bos") { Description = "Starts each window with the model's BOS." };
    private readonly Option<int> _threads = CommonOptions.Threads();
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<long?> _memoryLimit = CommonOptions.MemoryLimit();
    private readonly Option<string?> _share = SharingArguments.Share();
    private readonly Option<DType> _rowType = CommonOptions.RowType(DType.F32);
    private readonly Option<bool> _json = CommonOptions.Json("Prints one JSON object in place of the lines.");

    private PplCommand(CommandContext context) => _context = context;

    public static Command Create(CommandContext context)
    {
        PplCommand ppl = new(context);
        Command command = new("ppl", "Measures how well a model predicts a text: mean negative log likelihood and perplexity.")
        {
            ppl._model, ppl._text, ppl._window, ppl._limit, ppl._bos, ppl._threads, ppl._device, ppl._memoryLimit, ppl._share, ppl._rowType, ppl._json,
        };
        command.SetAction(ppl.Execute);
        return command;
    }

    private int Execute(ParseResult parse)
    {
        Terminal terminal = _context.Terminal;
        string path = CommonOptions.ReadModel(parse, _model);
        Device device = CommonOptions.ReadDevice(parse, _threads, _device);
        long? memoryLimit = parse.GetValue(_memoryLimit);
        string file = parse.GetValue(_text) is { Length: > 0 } name ? name : throw new UsageException("--text is empty; name a text file.");
        string text = PromptSource.ReadText(file, terminal, "--text").Replace("\r\n", "\n", StringComparison.Ordinal);
        string? share = SharingArguments.Read(parse, _share);
        using LanguageModel model = terminal.Spin("loading", () => LanguageModel.Open(path, device, memoryLimit, share));
        SharingArguments.Warn(terminal, model.Model);
        PerplexityOptions options = new()
        {
            Window = parse.GetValue(_window),
            Bos = parse.GetValue(_bos) ? BosOf(model.Model) : null,
            RowType = parse.GetValue(_rowType),
            MemoryLimit = memoryLimit,
        };
        int[] ids = Encode(model.Model, text);
        int[] used = parse.GetResult(_limit) is null ? ids : ids[..Math.Min(ids.Length, parse.GetValue(_limit))];
        PerplexityResult result = terminal.Track("measuring", progress => Perplexity.Measure(model.Model, used, options, progress, _context.Cancelled));
        if (parse.GetValue(_json))
        {
            Json.Write(terminal, new
            {
                TextTokens = ids.Length, options.Window, result.Windows, result.Scored, result.MeanNll, result.StandardError, result.Perplexity, result.WindowMeanNll,
            });
        }
        else
        {
            Write(terminal, ids.Length, options, result);
        }

        return App.Success;
    }

    private static int[] Encode(Model model, string text)
    {
        ITokenizer tokenizer = model.Tokenizer ?? throw new RequestException("The model has no tokenizer, so the text cannot be read; add one beside its weights.");
        return tokenizer.Encode(text, addBos: false);
    }

    private static int BosOf(Model model) => model.Tokenizer?.BosId ?? model.Config.BosTokenId
        ?? throw new RequestException("The model names no BOS token; leave --bos out.");

    private static void Write(Terminal terminal, int textTokens, PerplexityOptions options, PerplexityResult result)
    {
        string bos = options.Bos is null ? "" : ", BOS first in each";
        terminal.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{textTokens} tokens in the text; {result.Scored} scored in {result.Windows} windows of {options.Window}{bos}"));
        terminal.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"mean negative log likelihood {result.MeanNll:0.000000} ± {result.StandardError:0.0000} nats a token, perplexity {result.Perplexity:0.0000}"));
    }
}
