using System.CommandLine;
using KvIL.Backends;
using KvIL.Cli.Measurement;
using KvIL.Conformance;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Eviction.Scores;
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
    private readonly Option<double?> _theta = CommonOptions.Number("--rope-theta", "Base of the layer's RoPE, for policies that look before it.");
    private readonly Option<bool> _json = CommonOptions.Json("Prints one JSON object in place of the tables.");

    private EvictCommand(CommandContext context) => _context = context;

    public static Command Create(CommandContext context)
    {
        EvictCommand evict = new(context);
        Command command = new("evict", "Shows what a policy keeps of your own queries, keys and values, and what that costs.")
        {
            evict._file, evict._evict, evict._budget, evict._input, evict._layer, evict._layers, evict._theta, evict._json,
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

        Place place = ReadPlace(parse, policy);
        LayerInput input = LayerFile.Read(path, parse.GetValue(_input));
        EvictReport report = _context.Terminal.Spin("evicting", () =>
        {
            using IBackend backend = Device.Cpu().CreateBackend();
            return Run(backend, policy, path, input, place);
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
    /// <exception cref="RequestException">The policy cannot keep what its budget says of such a prompt, or reads what the file does not have.</exception>
    internal static EvictReport Run(IBackend backend, EvictionPolicy policy, string path, LayerInput input, Place place)
    {
        int kvHeads = input.Layer?.KvHeads ?? input.Scores!.Length;
        if (policy.Table is HeadTable table && table.Heads != kvHeads)
        {
            throw new RequestException($"The head table has {table.Heads} heads in a layer, and the file has {kvHeads}; give a weight for each of these.");
        }

        using PlanRunner runner = new(backend);
        (EvictionDecision decision, int rows) = input.Scores is null
            ? Decide(runner, policy, input, place)
            : DecideByScores(runner, policy, input.Scores, place);
        LayerLoss? loss = input is { HasValues: true, Measured: double[] query } ? new(input.Layer!, query, input.Layer!.Tokens - 1) : null;
        int heads = decision.Counts.Length, tokens = decision.Divided[0].Length;
        bool compares = decision.Rule != HeadAllocation.Uniform && policy.Critical is null;
        return new(
            policy.ToString(), path, input.Name,
            new(tokens, heads, input.Layer?.QueryHeads, input.Layer?.HeadDim, input.HasValues ? input.Layer!.Width : null),
            new(policy.Budget.ToString(), rows, rows * heads, decision.Protected, decision.Total),
            NotFinite.In(decision), decision.AgreesWithTheDefinition, loss is null ? null : input.Decode is null ? "last" : "qd",
            Allotment.Of(decision, loss),
            compares ? Allotment.Of(decision.By(HeadAllocation.Uniform, default), loss) : null);
    }

    private Place ReadPlace(ParseResult parse, EvictionPolicy policy)
    {
        bool named = parse.GetResult(_layer) is not null && parse.GetResult(_layers) is not null;
        if ((policy.Layers != LayerAllocation.Uniform || policy.Table is { Layers: > 1 }) && !named)
        {
            throw new UsageException($"The policy {policy.Name}{(policy.Table is null ? "" : " with a head table")} gives each layer a budget of its own, and a file is one layer; say which with --layer N --layers N.");
        }

        (int layer, int layers) = named ? (parse.GetValue(_layer), parse.GetValue(_layers)) : (0, 1);
        if (policy.ComparesStores && layers > 1)
        {
            throw new UsageException($"The policy {policy.Name} divides rows by what all layers score, and a file is one layer; give --layer 0 --layers 1 to take it for all.");
        }

        if (policy.Table is HeadTable table && table.Layers != layers)
        {
            throw new UsageException($"The head table has {table.Layers} layers, and --layers says {layers}; give the table of the model that the file is from.");
        }

        double? theta = parse.GetValue(_theta);
        if (theta is <= 0 or double.NaN or double.PositiveInfinity)
        {
            throw new UsageException("--rope-theta must be above 0, such as 10000.");
        }

        return layer < layers ? new(layer, layers, theta) : throw new UsageException($"--layer {layer} is none of the {layers} layers from 0 to {layers - 1}.");
    }

    // The last queries, as many as score; a decode query alone stands for the last one.
    private static double[][] Queries(EvictionPolicy policy, LayerInput input)
    {
        int count = policy.Queries(input.Layer!.Tokens);
        if (count == 0) return [];
        if (input.Queries.Length > 0) return input.LastQueries(count);
        return count == 1 && input.Decode is not null ? [input.Decode] : throw new RequestException(
            $"The file has {(input.Decode is null ? "no q" : "the query qd alone")}, but {policy.Name} scores by {count} queries; give q{(input.Decode is null ? "" : ", or window=1")}.");
    }

    private static (EvictionDecision Decision, int Rows) Decide(PlanRunner runner, EvictionPolicy policy, LayerInput input, Place place)
    {
        AttentionLayer layer = input.Layer!;
        (int sinks, int window) = policy.Protected(layer.Tokens);
        if (window >= layer.Tokens)
        {
            throw new RequestException(
                $"The window of {window} rows that {policy.Name} keeps leaves none of the {layer.Tokens} tokens to choose from; give a window below {layer.Tokens}.");
        }

        int rows = StoreRows.Of(policy, layer.Tokens, place.Layers)[place.Layer];
        if (rows < Math.Min(sinks + window, layer.Tokens))
        {
            throw new RequestException(
                $"The budget of {policy.Budget} is {rows} of {layer.Tokens} rows a head, below the {sinks + window} that {policy.Name} always keeps "
                + $"(window {window}, sinks {sinks}); raise the budget or lower these.");
        }

        bool reads = (policy.Needs & (ScoreNeeds.Values | ScoreNeeds.OutputProjection)) != 0 || policy.Weights == HeadWeights.PerHead || policy.Critical is not null;
        if (reads && !input.HasValues)
        {
            throw new RequestException($"The policy {policy.Name} scores by what rows add to the output; give v and wo.");
        }

        bool turns = (policy.Needs & (ScoreNeeds.PreRopeKeys | ScoreNeeds.PreRopeQueries)) != 0;
        Rotary? rotary = !turns ? null : place.Rotary(layer.HeadDim) ?? throw new RequestException(
            $"The policy {policy.Name} looks before RoPE, of which the file says nothing; give its base, such as --rope-theta 10000.");
        return (EvictionDecision.Of(runner, policy, layer, Queries(policy, input), rows, rotary, place.Layer), rows);
    }

    // The scores are of rows that compete: a window is no part of the file, and the budget counts the file's rows.
    private static (EvictionDecision Decision, int Rows) DecideByScores(PlanRunner runner, EvictionPolicy policy, double[][] scores, Place place)
    {
        if (!policy.UsesScores || policy.Critical is not null)
        {
            throw new RequestException(policy.UsesScores
                ? $"The policy {policy.Name} scores by what rows add to the output; give q, k, v and wo."
                : $"The policy {policy.Name} ranks rows by position and reads no scores; name one that does, such as snapkv.");
        }

        int n = scores[0].Length;
        int[] budgets = new int[place.Layers];
        int average = Math.Min(n, Math.Max(1, policy.Budget.RowsFor(n)));
        if (policy.Layers == LayerAllocation.Pyramid) LayerBudgets.PyramidExact(average, n, policy.Beta, budgets);
        else if (policy.Table is HeadTable table) Tabled(table, policy.Sinks, average, n, budgets);
        else LayerBudgets.Uniform(average, n, budgets);
        int rows = budgets[place.Layer];
        return rows >= Math.Min(policy.Sinks, n)
            ? (EvictionDecision.OfScores(runner, policy, scores, rows, place.Layer), rows)
            : throw new RequestException(
                $"The budget of {policy.Budget} is {rows} of {n} rows a head, below the {policy.Sinks} sinks that are always kept; raise the budget or lower the sinks.");
    }

    // As StoreRows does, of rows without a window.
    private static void Tabled(HeadTable table, int sinks, int average, int n, int[] budgets)
    {
        int kept = Math.Min(sinks, average);
        table.SplitOverLayers(n - kept, average - kept, budgets);
        for (int layer = 0; layer < budgets.Length; layer++) budgets[layer] += kept;
    }

    /// <summary>What the file does not say of its layer.</summary>
    /// <param name="Layer">Its number.</param>
    /// <param name="Layers">Layers of the model.</param>
    /// <param name="Theta">Base of its RoPE; null where it was not given.</param>
    internal sealed record Place(int Layer, int Layers, double? Theta)
    {
        /// <summary>RoPE over all d channels in half-rotation layout: <c>ω_f = θ^(−2f/d)</c>.</summary>
        public Rotary? Rotary(int headDim) => Theta is not double theta ? null
            : new([.. Enumerable.Range(0, headDim / 2).Select(f => Math.Pow(theta, -2.0 * f / headDim))], 1);
    }
}
