using System.CommandLine;
using KvIL.Inference.Models;
using KvIL.Sharing;

namespace KvIL.Cli;

/// <summary>The options <c>--share</c>, a sharing map in place of the checkpoint's own, and <c>--prefill</c>.</summary>
internal static class SharingArguments
{
    public static Option<string?> Share() => new("--share")
    {
        HelpName = "MAP",
        Description = "Runs the model with another sharing map than its own: sandwich-middle:11, or the layer that each layer reads, 0_10x20_21.",
    };

    public static Option<string?> Prefill() => new("--prefill")
    {
        HelpName = "HOW",
        Description = "How a prompt goes through layers that read above: sequential (token by token, the default), exact:9 (chunks of 9 tokens), iterative:7+2 as trained, converged:1e-6.",
    };

    /// <summary>The strategy that the option names.</summary>
    /// <exception cref="UsageException">It names none.</exception>
    public static PrefillStrategy ReadPrefill(ParseResult parse, Option<string?> option)
    {
        try
        {
            return parse.GetValue(option) is string text ? PrefillStrategy.Parse(text) : PrefillStrategy.Default;
        }
        catch (FormatException e)
        {
            throw new UsageException(e.Message);
        }
    }

    public static Option<string?> Plan() => new("--plan")
    {
        HelpName = "TEXT",
        Description = "The three in one text: \"share=MAP prefill=HOW evict=POLICY\", in place of the options of these names.",
    };

    /// <summary>The plan that <c>--plan</c> gives, or that the options apart make.</summary>
    /// <exception cref="UsageException">Both are given, or one of them means nothing.</exception>
    public static CachePlan ReadPlan(ParseResult parse, Option<string?> plan, Option<string?> share, Option<string?> prefill, string? evict, string? budget)
    {
        if (parse.GetValue(plan) is not string text)
        {
            return new(Read(parse, share), ReadPrefill(parse, prefill), PolicyArguments.Read(evict, budget));
        }

        if ((parse.GetValue(share) ?? parse.GetValue(prefill) ?? evict ?? budget) is not null)
        {
            throw new UsageException("--plan says all that --share, --prefill, --evict and --budget say; leave either it or them out.");
        }

        try
        {
            return CachePlan.Parse(PolicyArguments.WithTable(text));
        }
        catch (FormatException e) when (e is not Eviction.PolicyFormatException)
        {
            throw new UsageException(e.Message);
        }
    }

    /// <summary>The text of the option; null where it was not given.</summary>
    /// <exception cref="UsageException">It is empty.</exception>
    public static string? Read(ParseResult parse, Option<string?> option) => parse.GetValue(option) is { Length: 0 }
        ? throw new UsageException("--share is empty; name a configuration such as sandwich-middle:11, or the layer that each layer reads.")
        : parse.GetValue(option);

    /// <summary>Says on the error stream that a map was forced on a model that was trained with another.</summary>
    public static void Warn(Terminal terminal, Model model)
    {
        SharingMap map = model.Transformer.Map;
        if (map.Equals(model.OwnMap)) return;
        terminal.EndLine();
        terminal.Error.WriteLine(
            $"WARNING: this model was trained {Text(model.OwnMap)} and runs {Text(map)}; what it says is likely to be worthless unless it is trained further.");
    }

    private static string Text(SharingMap map) => map.Equals(SharingMap.Identity(map.NumLayers))
        ? "without sharing"
        : $"with the sharing map {LayerTypes.Of(map).ToShortString()}";
}
