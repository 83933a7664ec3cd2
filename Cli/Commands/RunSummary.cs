using System.Globalization;
using KvIL.Eviction;
using KvIL.Inference.Generation;

namespace KvIL.Cli.Commands;

/// <summary>The few lines that end <c>kvil run</c>.</summary>
internal static class RunSummary
{
    public static void Write(TextWriter writer, GenerationStatistics s, TimeSpan load, EvictionPolicy policy)
    {
        string kept = policy.KeepsEverything ? "full cache" : $"{policy.Name} at {policy.Budget}";
        string share = s.KvFullBytes == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $" ({(double)s.KvHeldBytes / s.KvFullBytes:P0})");
        writer.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"load {load.TotalSeconds:0.00} s, weights {ByteSize.Show(s.WeightBytes)} | stopped: {Reason(s.StopReason)}"));
        writer.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"prefill {Count(s.PromptTokens)} in {s.PrefillTime.TotalSeconds:0.00} s, {s.PrefillRate:0} tokens/s"
            + $" | decode {Count(s.GeneratedTokens)} in {s.DecodeTime.TotalSeconds:0.00} s, {s.DecodeRate:0} tokens/s"));
        writer.WriteLine(
            $"{kept}: KV peak {ByteSize.Show(s.KvPeakBytes)}, held {ByteSize.Show(s.KvHeldBytes)} of {ByteSize.Show(s.KvFullBytes)}{share}");
    }

    /// <summary>The policy's budget as text; <c>100%</c> for the full cache.</summary>
    public static string BudgetOf(EvictionPolicy policy) => policy.KeepsEverything ? "100%" : policy.Budget.ToString();

    private static string Count(int tokens) => tokens == 1 ? "1 token" : $"{tokens} tokens";

    private static string Reason(StopReason reason) => reason switch
    {
        StopReason.EndOfText => "end of text",
        StopReason.MaxTokens => "--max-tokens",
        StopReason.Context => "context full",
        _ => "unfinished",
    };
}
