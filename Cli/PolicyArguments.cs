using System.Globalization;
using KvIL.Eviction;
using KvIL.Inference;
using KvIL.Inference.Files;

namespace KvIL.Cli;

/// <summary>What <c>--evict</c> and <c>--budget</c> say together.</summary>
internal static class PolicyArguments
{
    private const string TableFile = "heads=@";

    /// <summary>The policy; <c>full</c> where none is named.</summary>
    /// <exception cref="UsageException">The two contradict each other.</exception>
    /// <exception cref="PolicyFormatException">One of them means nothing.</exception>
    /// <exception cref="ModelFileException">A table of heads is no table.</exception>
    public static EvictionPolicy Read(string? evict, string? budget)
    {
        EvictionPolicy policy = evict is null ? EvictionPolicy.Full : EvictionPolicy.Parse(WithTable(evict));
        if (budget is null)
        {
            return policy;
        }

        if (evict is null)
        {
            throw new UsageException("--budget needs a policy to apply to; add one, such as --evict ada-snapkv.");
        }

        if (policy.KeepsEverything)
        {
            throw new UsageException("--evict full keeps everything and takes no --budget; leave one of them out.");
        }

        return policy.HasBudget
            ? throw new UsageException($"Both --budget {budget} and the policy '{evict}' name a budget; leave one of them out.")
            : policy.WithBudget(Budget.Parse(budget));
    }

    /// <summary>A policy's text with the weights of its table in place of <c>heads=@FILE</c>; a comma ends the file's name.</summary>
    /// <exception cref="ModelFileException">The file is no table.</exception>
    public static string WithTable(string policy)
    {
        int colon = policy.IndexOf(':', StringComparison.Ordinal);
        if (colon < 0 || !policy.Contains(TableFile, StringComparison.Ordinal)) return policy;
        return policy[..(colon + 1)] + string.Join(',', policy[(colon + 1)..].Split(',').Select(pair =>
            pair.StartsWith(TableFile, StringComparison.Ordinal) ? $"heads={HeadTableFile.Read(pair[TableFile.Length..])}" : pair));
    }

    /// <summary>A policy's text as tables show it: without the weights of a long table.</summary>
    public static string Shown(string policy) => string.Join(',', policy.Split(',').Select(pair =>
        pair.IndexOf("heads=", StringComparison.Ordinal) is >= 0 and int at && pair.Length > at + 30 ? pair[..(at + 6)] + "..." : pair));

    /// <summary>Refuses a count of rows that no prompt of the model could fill.</summary>
    /// <exception cref="RequestException">The budget is above the context.</exception>
    public static void CheckFits(Budget budget, int context)
    {
        if (budget.Rows > context)
        {
            throw new RequestException(
                $"The budget of {budget.Rows} rows is above the model's context of {context} tokens; give at most {context}, or a share such as 20%.");
        }
    }

    /// <summary>What <c>--protect</c> says: A..B, B not included.</summary>
    /// <exception cref="UsageException">It is no such range.</exception>
    public static Range ReadRange(string text)
    {
        string[] ends = text.Split("..");
        return ends.Length == 2 && Index(ends[0]) is int first && Index(ends[1]) is int end && first < end
            ? first..end
            : throw new UsageException($"--protect expects a range of token numbers such as 0..12, got '{text}'.");

        static int? Index(string s) => int.TryParse(s, NumberStyles.None, CultureInfo.InvariantCulture, out int i) ? i : null;
    }
}
