using System.CommandLine;
using KvIL.Backends;
using KvIL.Cli.Layers;
using KvIL.Conformance;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Inference;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil evict</c>: what a policy keeps of a layer that the user brings, and what that costs.</summary>
internal sealed class EvictCommand
{
    private readonly CommandContext _context;
    private readonly Argument<string> _file = new("FILE") { Description = "A safetensors file with q, k, v and wo of one layer, or with scores." };
    private readonly Option<string> _evict = new("--evict") { HelpName = "POLICY", Required = true, Description = "What is kept. See below." };

    private readonly Option<string?> _budget = new("--budget")
    {
        HelpName = "B",
        Description = "How many rows the policy keeps, unless the policy says so itself: 20% of the tokens, or 128 rows.",
    };

    private readonly Option<string?> _input = new("--input") { HelpName = "NAME", Description = "The prefix of the tensors, where the file has several inputs: in03 for in03.q." };
    private readonly Option<int> _layer = CommonOptions.Integer("--layer", "The layer that the file is, from 0, for policies whose budget depends on it.", 0, 0, 65535, showDefault: false);
    private readonly Option<int> _layers = CommonOptions.Integer("--layers", "Layers of the model that it is from.", 1, 1, 65536, showDefault: false);
    private readonly Option<bool> _json = CommonOptions.Json("Prints one JSON object in place of the tables.");

    private EvictCommand(CommandContext context) => _context = context;

    public static Command Create(CommandContext context)
    {
        EvictCommand evict = new(context);
        Command command = new("evict", "Shows what a policy keeps of your own queries, keys and values, and what that costs.")
        {
            evict._file, evict._evict, evict._budget, evict._input, evict._layer, evict._layers, evict._json,
        };
        command.SetAction(evict.Execute);
        return command;
    }

    private int Execute(ParseResult parse)
    {
        string path = parse.GetValue(_file) is { Length: > 0 } named ? named : throw new UsageException("FILE is empty; name a safetensors file.");
        EvictionPolicy policy = PolicyArguments.Read(parse.GetValue(_evict), parse.GetValue(_budget));
        if (policy.KeepsEverything)
        {
            throw new UsageException("The policy full keeps everything; name one that evicts, such as ada-snapkv.");
        }

        (int layer, int layers) = ReadLayer(parse, policy);
        LayerInput input = LayerFile.Read(path, parse.GetValue(_input));
        EvictReport report = _context.Terminal.Spin("evicting", () =>
        {
            using IBackend backend = Device.Cpu().CreateBackend();
            return Run(backend, policy, path, input, layer, layers);
        });
        if (parse.GetValue(_json))
        {
            Json.Write(_context.Terminal, report);
        }
        else
        {
            EvictText.Write(_context.Terminal, report);
        }

        return report.Ok ? App.Success : App.Failure;
    }

    /// <summary>Decides on a backend and measures in double.</summary>
    /// <exception cref="RequestException">The policy cannot keep what its budget says of such a prompt.</exception>
    internal static EvictReport Run(IBackend backend, EvictionPolicy policy, string path, LayerInput input, int layer, int layers)
    {
        using PlanRunner runner = new(backend);
        (EvictionDecision decision, int rows) = input.Scores is null
            ? Decide(runner, policy, input.Layer!, Window(policy, input), layer, layers)
            : DecideByScores(runner, policy, input.Scores, layer, layers);
        LayerLoss? loss = !input.HasValues ? null : new(input.Layer!, input.Decode ?? input.LastQueries(1)[0], input.Layer!.Tokens - 1);
        int heads = decision.Counts.Length, tokens = decision.Scores[0].Length;
        return new(
            policy.ToString(), path, input.Name,
            new(tokens, heads, input.Layer?.QueryHeads, input.Layer?.HeadDim, input.HasValues ? input.Layer!.Width : null),
            new(policy.Budget.ToString(), rows, rows * heads, decision.Protected, decision.Total),
            NotFinite.In(decision), decision.AgreesWithTheDefinition, loss is null ? null : input.Decode is null ? "last" : "qd",
            Allotment.Of(decision, loss),
            decision.Rule == HeadAllocation.Uniform ? null : Allotment.Of(decision.By(HeadAllocation.Uniform, default), loss));
    }

    private (int Layer, int Layers) ReadLayer(ParseResult parse, EvictionPolicy policy)
    {
        bool named = parse.GetResult(_layer) is not null && parse.GetResult(_layers) is not null;
        if (policy.Layers != LayerAllocation.Uniform && !named)
        {
            throw new UsageException($"The policy {policy.Name} gives each layer a budget of its own, and a file is one layer; say which with --layer N --layers N.");
        }

        (int layer, int layers) = named ? (parse.GetValue(_layer), parse.GetValue(_layers)) : (0, 1);
        return layer < layers ? (layer, layers) : throw new UsageException($"--layer {layer} is none of the {layers} layers from 0 to {layers - 1}.");
    }

    // The last queries, as many as score; a decode query alone is the one of a window of 1.
    private static double[][] Window(EvictionPolicy policy, LayerInput input)
    {
        int tokens = input.Layer!.Tokens;
        if (!policy.UsesScores) return [];
        if (policy.Window >= tokens)
        {
            throw new RequestException(
                $"The window of {policy.Window} queries of {policy.Name} leaves none of the {tokens} tokens to choose from; give a window below {tokens}.");
        }

        if (input.Queries.Length > 0) return input.LastQueries(policy.Window);
        return policy.Window == 1
            ? [input.Decode!]
            : throw new RequestException($"The file has the query qd alone, but {policy.Name} scores by {policy.Window} queries; give q, or window=1.");
    }

    private static (EvictionDecision Decision, int Rows) Decide(
        PlanRunner runner, EvictionPolicy policy, AttentionLayer layer, double[][] window, int at, int layers)
    {
        int rows = StoreRows.Of(policy, layer.Tokens, layers)[at], always = policy.Window + policy.Sinks;
        if (rows < Math.Min(always, layer.Tokens))
        {
            throw new RequestException(
                $"The budget of {policy.Budget} is {rows} of {layer.Tokens} rows a head, below the {always} that {policy.Name} always keeps "
                + $"(window {policy.Window}, sinks {policy.Sinks}); raise the budget or lower these.");
        }

        return (EvictionDecision.Of(runner, policy, layer, window, rows), rows);
    }

    // The scores are of rows that compete: a window is no part of the file, and the budget counts the file's rows.
    private static (EvictionDecision Decision, int Rows) DecideByScores(
        PlanRunner runner, EvictionPolicy policy, double[][] scores, int layer, int layers)
    {
        if (!policy.UsesScores)
        {
            throw new RequestException($"The policy {policy.Name} ranks rows by position and reads no scores; name one that does, such as snapkv.");
        }

        int n = scores[0].Length;
        int[] budgets = new int[layers];
        int average = Math.Min(n, Math.Max(1, policy.Budget.RowsFor(n)));
        if (policy.Layers == LayerAllocation.Pyramid) LayerBudgets.PyramidExact(average, n, policy.Beta, budgets);
        else LayerBudgets.Uniform(average, n, budgets);
        int rows = budgets[layer];
        return rows >= Math.Min(policy.Sinks, n)
            ? (EvictionDecision.OfScores(runner, policy, scores, rows), rows)
            : throw new RequestException(
                $"The budget of {policy.Budget} is {rows} of {n} rows a head, below the {policy.Sinks} sinks that are always kept; raise the budget or lower the sinks.");
    }
}
