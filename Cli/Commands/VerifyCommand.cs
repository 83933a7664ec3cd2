using System.CommandLine;
using KvIL.Backends;
using KvIL.Cli.Verification;
using KvIL.Conformance.Statements;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Inference;
using KvIL.Inference.Evaluation;
using KvIL.Inference.Models;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil verify</c>: the laws and the theorems on this machine, on random cases and on the attention of a model.</summary>
internal sealed class VerifyCommand
{
    // A theorem's case takes about as much less time than a law's.
    private const int TheoremCasesPerLawCase = 50;
    private const int DefaultPromptTokens = 1024;
    private const int RandomPromptTokens = 256;
    private const string Emulation = "ilgpu-cpu";

    private readonly CommandContext _context;

    private readonly Argument<string?> _model = new("MODEL")
    {
        Description = "The model whose attention is looked at; the small one that comes with the tool unless named.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<int> _cases = CommonOptions.Integer("--cases", $"Random cases of each law on each device; theorems get {TheoremCasesPerLawCase} times as many.", 20, 1, 1_000_000);
    private readonly Option<int> _seed = CommonOptions.Integer("--seed", "Seed of the first case; the next cases have the next seeds.", 1, int.MinValue);
    private readonly Option<string?> _prompt = new("--prompt", "-p") { HelpName = "TEXT", Description = "The prompt; a long one with a fact hidden in it unless given." };
    private readonly Option<string?> _file = new("--file", "-f") { HelpName = "FILE", Description = "Reads the prompt from a file, or from the standard input for -." };

    private readonly Option<string> _budget = new("--budget")
    {
        HelpName = "B",
        Description = "Rows that each KV head of the model keeps on average: 20% of the prompt, or 128 rows.",
        DefaultValueFactory = _ => Budget.Default.ToString(),
    };

    private readonly Option<string?> _device = new("--device")
    {
        HelpName = "NAME",
        Description = "The one device to look at; unless said the laws run on all of this machine but the emulation of a GPU, the model on the CPU.",
    };

    private readonly Option<int> _threads = CommonOptions.Threads();
    private readonly Option<bool> _json = CommonOptions.Json("Prints one JSON object in place of the tables.");

    private VerifyCommand(CommandContext context) => _context = context;

    public static Command Create(CommandContext context)
    {
        VerifyCommand verify = new(context);
        Command command = new("verify", "Checks the laws and the theorems on this machine, and on a model's attention.")
        {
            verify._model, verify._cases, verify._seed, verify._prompt, verify._file, verify._budget, verify._device, verify._threads, verify._json,
        };
        command.SetAction(verify.Execute);
        return command;
    }

    private int Execute(ParseResult parse)
    {
        int threads = parse.GetValue(_threads);
        string? only = parse.GetValue(_device);
        if (only is not null) _ = CommonOptions.ReadDevice(only, threads);
        Budget budget = Budget.Parse(parse.GetValue(_budget)!);
        string? file = parse.GetValue(_file), text = parse.GetValue(_prompt);
        string? prompt = file is null && text is null ? null : PromptSource.Read(file, text, _context.Terminal);
        string path = parse.GetValue(_model) switch
        {
            null => DemoModel.Find(),
            { Length: 0 } => throw new UsageException("MODEL is empty; name a model's file or directory, or leave it out."),
            string named => named,
        };
        string name = parse.GetValue(_model) ?? Path.GetFileName(path);
        Request request = new(path, name, prompt, budget, only, parse.GetValue(_cases), parse.GetValue(_seed), parse.GetValue(_json));
        return Run(_context, request, new(Open, request.Seed, _context.Cancelled), Open);

        IBackend Open(string device) => CommonOptions.ReadDevice(device, threads).CreateBackend();
    }

    /// <summary>Checks everything and prints it.</summary>
    /// <param name="context">Where to print.</param>
    /// <param name="request">What to check.</param>
    /// <param name="verifier">Runs laws and theorems.</param>
    /// <param name="open">Makes the backend that the model runs on.</param>
    /// <returns>The exit code.</returns>
    internal static int Run(CommandContext context, Request request, Verifier verifier, Func<string, IBackend> open)
    {
        Terminal terminal = context.Terminal;
        using IBackend backend = open(request.Device ?? "cpu");
        using Model model = terminal.Spin("loading", () => Model.Open(request.Path, backend));
        (int[] ids, string source) = Prompt(model, request);
        using ModelVerification real = new(model, ids, request.Budget); // refuses before the long part

        (string[] devices, string[] leftOut) = Devices(request.Device);
        List<DeviceLaws> laws = [];
        foreach (string device in devices)
        {
            laws.Add(terminal.Track($"laws on {device}", progress => verifier.RunLaws(device, request.Cases, progress)));
        }

        if (!request.Json) VerifyText.WriteLaws(terminal, laws, leftOut, request.Cases);
        int theoremCases = (int)Math.Min(int.MaxValue, (long)TheoremCasesPerLawCase * request.Cases);
        IReadOnlyList<StatementResult> theorems = terminal.Track("theorems", progress => verifier.RunTheorems(theoremCases, progress));
        AdaAgainstUniform ada = terminal.Spin("Ada and uniform", () => verifier.Compare(theoremCases));
        if (!request.Json) VerifyText.WriteTheorems(terminal, theorems, ada, theoremCases);
        ModelReport attention = terminal.Track("the model's attention", progress => real.Run(request.Name, source, progress, context.Cancelled));
        bool ok = laws.TrueForAll(device => device.Ok) && theorems.All(theorem => theorem.Violations == 0) && attention.Violations.Count == 0;
        VerifyReport report = new(ok, request.Seed, request.Cases, laws, leftOut, theoremCases, theorems, ada, attention);
        if (request.Json)
        {
            Json.Write(terminal, report);
        }
        else
        {
            VerifyText.WriteModel(terminal, attention);
            VerifyText.WriteVerdict(terminal, report);
        }

        return ok ? App.Success : App.Failure;
    }

    private static (string[] Devices, string[] LeftOut) Devices(string? named)
    {
        if (named is not null) return ([named], []);
        Machine machine = Machine.Examine();
        string[] devices = [.. machine.Devices.Select(device => device.Name).Where(name => name != Emulation)];
        string[] emulation = machine.Devices.Count > devices.Length ? [$"{Emulation}: left out, an emulation and very slow; --device {Emulation} runs it."] : [];
        return (devices, [.. emulation, .. machine.Absent, .. machine.Broken]);
    }

    // A text that was given is taken whole; the tool's own is cut to what the model takes.
    private static (int[] Ids, string Source) Prompt(Model model, Request request)
    {
        int most = Math.Min(model.Config.MaxPositions, DefaultPromptTokens);
        if (model.Tokenizer is { } tokenizer)
        {
            return request.Prompt is string prompt
                ? ([.. tokenizer.Encode(prompt)], "the prompt given")
                : ([.. tokenizer.Encode(EvaluationSet.Load(DemoModel.Prompts(DemoModel.Find()), 1)[0].Prompt).Take(most)], "prompt 1 of needle-grimm.jsonl");
        }

        if (request.Prompt is not null)
        {
            throw new RequestException("The model has no tokenizer, so the prompt cannot be read; leave it out, and random tokens are taken.");
        }

        Random random = new(request.Seed);
        int tokens = Math.Min(most, RandomPromptTokens);
        return ([.. Enumerable.Range(0, tokens).Select(_ => random.Next(model.Config.VocabSize))], $"random tokens of seed {request.Seed}");
    }

    /// <summary>What a command line asks for.</summary>
    /// <param name="Path">The model.</param>
    /// <param name="Name">What the report calls it.</param>
    /// <param name="Prompt">Its prompt; null for the tool's own.</param>
    /// <param name="Budget">Rows that it keeps.</param>
    /// <param name="Device">The one device; null for all.</param>
    /// <param name="Cases">Cases of each law.</param>
    /// <param name="Seed">Seed of the first case.</param>
    /// <param name="Json">Whether to print an object.</param>
    internal sealed record Request(string Path, string Name, string? Prompt, Budget Budget, string? Device, int Cases, int Seed, bool Json);
}
