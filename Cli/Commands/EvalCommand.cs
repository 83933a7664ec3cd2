using System.CommandLine;
using KvIL.Eviction;
using KvIL.Inference.Evaluation;
using KvIL.Tensors;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil eval</c>: compares policies on prompts with known answers.</summary>
internal sealed class EvalCommand
{
    private readonly CommandContext _context;
    private readonly Argument<string> _model = CommonOptions.Model();

    private readonly Option<string> _set = new("--set")
    {
        HelpName = "FILE.jsonl",
        Required = true,
        Description = "The prompts and their answers.",
    };

    private readonly Option<string[]> _evict = new("--evict")
    {
        HelpName = "POLICY",
        Description = "A policy to compare, without a budget of its own; may be given many times.",
    };

    private readonly Option<string[]> _budget = new("--budget")
    {
        HelpName = "B,...",
        Description = $"Budgets, with commas between them; default {Budget.Default}.",
    };

    private readonly Option<int> _limit = CommonOptions.Integer(
        "--limit", "Only the first N prompts.", int.MaxValue, 1, showDefault: false);

    private readonly Option<int> _threads = CommonOptions.Threads();
    private readonly Option<int> _chunk = CommonOptions.Chunk();
    private readonly Option<string> _device = CommonOptions.Device();
    private readonly Option<long?> _memoryLimit = CommonOptions.MemoryLimit();
    private readonly Option<string?> _share = SharingArguments.Share();
    private readonly Option<DType> _rowType = CommonOptions.RowType(DType.F32);
    private readonly Option<bool> _json = CommonOptions.Json("Prints one JSON object in place of the tables.");

    private EvalCommand(CommandContext context) => _context = context;

    public static Command Create(CommandContext context)
    {
        EvalCommand eval = new(context);
        Command command = new("eval", "Compares policies on prompts with known answers.")
        {
            eval._model, eval._set, eval._evict, eval._budget, eval._limit,
            eval._threads, eval._chunk, eval._device, eval._memoryLimit, eval._share, eval._rowType, eval._json,
        };
        command.SetAction(eval.Execute);
        return command;
    }

    private int Execute(ParseResult parse)
    {
        Terminal terminal = _context.Terminal;
        string path = CommonOptions.ReadModel(parse, _model);
        string[] policies = [.. (parse.GetValue(_evict) ?? []).Select(PolicyArguments.WithTable).Distinct()];
        string[] budgets = ReadBudgets(parse.GetValue(_budget), policies);
        Device device = CommonOptions.ReadDevice(parse, _threads, _device);
        long? memoryLimit = parse.GetValue(_memoryLimit);
        string set = parse.GetValue(_set) is { Length: > 0 } file ? file : throw new UsageException("--set is empty; name a JSONL file.");

        int? limit = parse.GetResult(_limit) is null ? null : parse.GetValue(_limit);
        IReadOnlyList<EvaluationItem> items = EvaluationSet.Load(set, limit);
        string? share = SharingArguments.Read(parse, _share);
        using LanguageModel model = terminal.Spin("loading", () => LanguageModel.Open(path, device, memoryLimit, share));
        SharingArguments.Warn(terminal, model.Model);
        foreach (string budget in budgets)
        {
            PolicyArguments.CheckFits(Budget.Parse(budget), model.Model.Config.MaxPositions);
        }

        using Evaluator evaluator = new(
            model.Model, items, policies, budgets, parse.GetValue(_rowType), parse.GetValue(_chunk), memoryLimit);
        EvaluationReport report = terminal.Track("evaluating", progress => evaluator.Run(
            (done, _) => progress((double)done / items.Count), _context.Cancelled));
        if (parse.GetValue(_json))
        {
            Json.Write(terminal, report);
        }
        else
        {
            EvalTables.Write(terminal, report);
        }

        return App.Success;
    }

    // Everything that the command line alone decides is refused before a file is opened.
    private static string[] ReadBudgets(string[]? given, string[] policies)
    {
        EvictionPolicy[] parsed = [.. policies.Select(EvictionPolicy.Parse)];
        int named = Array.FindIndex(parsed, policy => policy.HasBudget);
        if (named >= 0)
        {
            throw new UsageException($"The policy '{policies[named]}' names a budget, which here is given by --budget; leave it out of the policy.");
        }

        bool evicts = parsed.Any(policy => !policy.KeepsEverything);
        if (given is { Length: > 0 } && !evicts)
        {
            throw new UsageException("--budget needs a policy to apply to; add one, such as --evict ada-snapkv.");
        }

        string[] budgets = given is { Length: > 0 }
            ? [.. given.SelectMany(list => list.Split(',', StringSplitOptions.TrimEntries)).Distinct()]
            : evicts ? [Budget.Default.ToString()] : [];
        foreach (string budget in budgets)
        {
            _ = Budget.Parse(budget);
        }

        return budgets;
    }
}
