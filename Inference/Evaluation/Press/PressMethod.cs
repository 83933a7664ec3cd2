using System.Globalization;
using KvIL.Eviction;
using KvIL.Inference.Files;

namespace KvIL.Inference.Evaluation.Press;

/// <summary>A press of kvpress with its numbers, as a policy: <c>[critical_][ada_]BASE[_wWINDOW][_bBETA][_epsEPSILON]</c>.</summary>
/// <remarks>What neither the name nor the parameters say is kvpress 0.5.5's default.</remarks>
internal sealed class PressMethod
{
    private const int KvPressWindow = 64;

    private static readonly string[] Bases =
        ["snapkv", "pyramidkv", "knorm", "expected_attention", "tova", "streaming_llm", "keydiff", "lagkv"];

    // Parameters of which KvIL has one value alone.
    private static readonly (string Name, string Only)[] Fixed =
        [("cross_scoring", "false"), ("use_covariance", "true"), ("use_vnorm", "true"), ("first_stage_ratio", "0.5")];

    private readonly string _text;
    private readonly int _window;
    private readonly int? _beta;

    private PressMethod(string name, string @base, bool critical, bool ada, Dictionary<string, string> numbers)
    {
        (Name, IsCritical, IsAdaptive) = (name, critical, ada);
        string N(string key, string otherwise) => numbers.GetValueOrDefault(key, otherwise);
        bool attention = @base is "snapkv" or "pyramidkv";
        _window = attention ? int.Parse(N("window_size", $"{KvPressWindow}"), CultureInfo.InvariantCulture) : 0;
        // AdaKV around PyramidKV ignores the budgets of layers.
        _beta = @base == "pyramidkv" && !ada ? int.Parse(N("beta", "20"), CultureInfo.InvariantCulture) : null;
        string alone = attention ? (critical ? "criticalkv" : _beta is null ? "snapkv" : "pyramidkv")
            : @base switch { "expected_attention" => "expected", "streaming_llm" => "sliding", _ => @base };
        List<string> keys = [];
        if (attention)
        {
            keys.Add($"window={_window},kernel={N("kernel_size", "5")},pool=avg,order=pool-group");
        }

        string epsilon = Epsilon = N("epsilon", critical ? "0.0001" : @base == "expected_attention" && ada ? "0.02" : "0");
        keys.AddRange((string[])(@base switch
        {
            "expected_attention" => [$"future={N("n_future_positions", "512")},epsilon={epsilon},sinks={N("n_sink", "4")}"],
            "streaming_llm" => [$"sinks={N("n_sink", "4")}"],
            "lagkv" => [$"lag={N("lag_size", "128")},sinks={N("n_sink", "4")}"],
            _ => [],
        }));
        if (critical)
        {
            keys.Add($"epsilon={epsilon}");
        }

        if (ada)
        {
            keys.Add($"alloc=mask,floor={N("alpha_safeguard", "0.2")}");
        }

        Lag = @base == "lagkv" ? int.Parse(N("lag_size", "128"), CultureInfo.InvariantCulture) : null;
        IsKnorm = @base == "knorm";
        ScoreKey = @base switch
        {
            "streaming_llm" => null,
            "snapkv" or "pyramidkv" => $"snapkv_w{_window}",
            "expected_attention" => $"expected_attention_eps{epsilon}",
            _ => @base,
        };
        _text = $"{(ada ? "ada-" : "")}{alone}:{string.Join(',', keys.Append("slack=4096"))}";
        Policy = EvictionPolicy.Parse(_text);
    }

    /// <summary>Its name in the recording.</summary>
    public string Name { get; }

    /// <summary>The policy, without a budget.</summary>
    public EvictionPolicy Policy { get; }

    /// <summary>Whether CriticalKV's second stage follows.</summary>
    public bool IsCritical { get; }

    /// <summary>CriticalKV's ε, or expected attention's; 0 elsewhere.</summary>
    public string Epsilon { get; }

    /// <summary>Whether heads compete for the rows of a layer.</summary>
    public bool IsAdaptive { get; }

    /// <summary>Whether keys are ranked by their norm: those of layer 0 depend on the token alone, so that equal tokens tie.</summary>
    public bool IsKnorm { get; }

    /// <summary>LagKV's block, of which its scores are ranks; null for other scores.</summary>
    public int? Lag { get; }

    /// <summary>The recorded scores by which it ranks; null for recency.</summary>
    public string? ScoreKey { get; }

    /// <summary>Reads a press.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="parameters">Its recorded parameters; null where only the name is recorded.</param>
    /// <param name="method">The press.</param>
    /// <returns>Why KvIL does not have it; null where it has.</returns>
    public static string? Read(string name, JsonValue? parameters, out PressMethod? method)
    {
        method = null;
        string rest = name;
        bool critical = Strip(ref rest, "critical_");
        bool ada = Strip(ref rest, "ada_");
        if (name == "random")
        {
            return "its generator was not seeded";
        }

        string? @base = Bases.FirstOrDefault(b => rest == b || rest.StartsWith(b + "_", StringComparison.Ordinal));
        Dictionary<string, string> numbers = [];
        if (@base is null || (rest.Length > @base.Length && !ReadSuffixes(rest[(@base.Length + 1)..], numbers)) || (critical && @base != "snapkv"))
        {
            return "KvIL has no such method";
        }

        if (parameters is JsonValue given && ReadParameters(given, numbers) is string reason)
        {
            return reason;
        }

        try
        {
            method = new(name, @base, critical, ada, numbers);
            return null;
        }
        catch (Exception e) when (e is PolicyFormatException or FormatException or OverflowException)
        {
            return "KvIL has no such method, or not with these numbers";
        }
    }

    /// <summary>Rows per KV head of each layer that kvpress keeps on average over the heads.</summary>
    public int[] Rows(int tokens, double ratio, int layers)
    {
        int uniform = Math.Max(1, LayerBudgets.KeepCountCompat(tokens, ratio));
        return [.. Enumerable.Range(0, layers).Select(layer => _beta is not int beta ? uniform
            : Math.Max(1, LayerBudgets.PyramidKvPressCompat(tokens, ratio, _window, beta, layer, layers)))];
    }

    /// <summary>Whether all rows that the method always keeps fit the budget; else kvpress's order of ties decides, which nobody defines.</summary>
    public bool IsDetermined(int tokens, double ratio, int layers)
    {
        (int sinks, int window) = Policy.Protected(tokens);
        return Rows(tokens, ratio, layers).Min() >= sinks + window;
    }

    private static bool Strip(ref string text, string prefix)
    {
        bool has = text.StartsWith(prefix, StringComparison.Ordinal);
        text = has ? text[prefix.Length..] : text;
        return has;
    }

    private static bool ReadSuffixes(string suffixes, Dictionary<string, string> numbers)
    {
        foreach (string suffix in suffixes.Split('_'))
        {
            string letters = new([.. suffix.TakeWhile(char.IsAsciiLetterLower)]);
            string? key = letters switch { "w" => "window_size", "b" => "beta", "eps" => "epsilon", _ => null };
            if (key is null || !IsNumber(suffix[letters.Length..]) || !numbers.TryAdd(key, suffix[letters.Length..]))
            {
                return false;
            }
        }

        return true;
    }

    private static bool IsNumber(string text) => decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out _);

    private static string? ReadParameters(JsonValue parameters, Dictionary<string, string> numbers)
    {
        foreach ((string key, JsonValue value) in parameters.Members())
        {
            (string Name, string Only) @fixed = Array.Find(Fixed, f => f.Name == key);
            if (key == "press")
            {
                continue;
            }

            string text = value.IsBoolean ? (value.Boolean() ? "true" : "false")
                : ((decimal)value.Number(0, EvictionPolicy.MaxNumber)).ToString("0.############", CultureInfo.InvariantCulture);
            if (@fixed.Name is not null && text == @fixed.Only)
            {
                continue;
            }

            if (@fixed.Name is not null || key is not ("window_size" or "kernel_size" or "alpha_safeguard" or "beta" or "n_future_positions" or "n_sink" or "epsilon" or "lag_size"))
            {
                return $"KvIL has no {ModelFileException.Quote(key)} of {text}";
            }

            numbers[key] = text;
        }

        return null;
    }
}
