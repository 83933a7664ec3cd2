using System.CommandLine;
using KvIL.Eviction;
using KvIL.Inference.Evaluation;
using KvIL.Inference.Generation;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil demo</c>: the main job on the model that comes with the tool.</summary>
internal sealed class DemoCommand
{
    private const int Prompts = 32;
    private const int MaxTokens = 24;

    private static readonly string[] Policies = ["sliding", "snapkv:window=16", "ada-snapkv:window=16"];
    private static readonly string[] Budgets = ["40%", "20%", "10%", "5%"];

    private readonly CommandContext _context;
    private readonly Option<int> _threads = CommonOptions.Threads();

    private DemoCommand(CommandContext context) => _context = context;

    public static Command Create(CommandContext context)
    {
        DemoCommand demo = new(context);
        Command command = new("demo", "Shows what eviction does to a small model's answers, in under a minute.") { demo._threads };
        command.SetAction(demo.Execute);
        return command;
    }

    private int Execute(ParseResult parse)
    {
        Terminal terminal = _context.Terminal;
        string folder = DemoModel.Find();
        IReadOnlyList<EvaluationItem> items = EvaluationSet.Load(DemoModel.Prompts(folder), Prompts);
        using LanguageModel model = terminal.Spin("loading", () => LanguageModel.Open(folder, CommonOptions.ReadDevice(parse, _threads)));

        (int index, DemoAnswer full) = terminal.Spin("looking for a prompt", () => FirstRight(model, items));
        DemoReport.WriteQuestion(terminal, items[index], full, index);
        DemoAnswer[] answers = terminal.Track("one prompt, 12 policies and budgets", progress => Answers(model, items[index], full, progress));
        DemoReport.WriteAnswers(terminal, answers);

        using Evaluator evaluator = new(model.Model, items, Policies, Budgets);
        EvaluationReport report = terminal.Track($"{items.Count} prompts, 12 policies and budgets", progress => evaluator.Run(
            (done, _) => progress((double)done / items.Count), _context.Cancelled));
        DemoReport.WriteMatrix(terminal, report);
        return App.Success;
    }

    // The first prompt that the full cache answers; the very first one where it answers none.
    private (int Index, DemoAnswer Answer) FirstRight(LanguageModel model, IReadOnlyList<EvaluationItem> items)
    {
        for (int i = 0; i < items.Count; i++)
        {
            if (Answer(model, items[i], EvictionPolicy.Full) is { IsRight: true } answer)
            {
                return (i, answer);
            }
        }

        return (0, Answer(model, items[0], EvictionPolicy.Full));
    }

    private DemoAnswer[] Answers(LanguageModel model, EvaluationItem item, DemoAnswer full, Action<double> progress)
    {
        List<DemoAnswer> answers = [full];
        foreach (string policy in Policies)
        {
            foreach (string budget in Budgets)
            {
                answers.Add(Answer(model, item, EvictionPolicy.Parse(policy).WithBudget(Budget.Parse(budget))));
                progress((answers.Count - 1.0) / (Policies.Length * Budgets.Length));
            }
        }

        return [.. answers];
    }

    private DemoAnswer Answer(LanguageModel model, EvaluationItem item, EvictionPolicy policy)
    {
        Generation generation = model.Generate(item.Prompt, new()
        {
            Eviction = policy,
            MaxTokens = MaxTokens,
            MeasureLoss = true,
            PrefillProgress = _ => _context.Cancelled.ThrowIfCancellationRequested(),
        });
        string text = "";
        foreach (TextPiece piece in generation)
        {
            text += piece.Text;
            if (text.AsSpan().ContainsAny('.', '\n'))
            {
                break;
            }
        }

        return new(policy, text.TrimEnd(), text.TrimEnd() == item.Answer, generation.Statistics);
    }
}
