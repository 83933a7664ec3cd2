using System.Text;
using System.Text.Unicode;
using KvIL.Eviction;
using KvIL.Inference.Explanation;
using KvIL.Inference.Runtime;
using KvIL.Inference.Tokenization;

namespace KvIL.Cli.Explanation;

/// <summary>An exact number: <c>114.6</c> or <c>341/3</c>, and the nearest double.</summary>
internal sealed record ExactNumber(string Exact, double Value)
{
    public static ExactNumber Of(Ratio ratio) => new(ratio.ToString(), ExplainWords.Value(ratio));
}

/// <summary>A token, and how many heads kept it.</summary>
internal sealed record TokenResult(int Position, int Id, string? Text, string Bytes, int KeptBy)
{
    public static TokenResult Of(ITokenizer tokenizer, int position, int id, int keptBy)
    {
        ReadOnlySpan<byte> bytes = tokenizer.BytesOf(id).Span;
        return new(position, id, Utf8.IsValid(bytes) ? Encoding.UTF8.GetString(bytes) : null, Convert.ToHexStringLower(bytes), keptBy);
    }
}

/// <summary>The rows of one head: four lists of one length. Scores and ranks are null where they do not matter.</summary>
internal sealed record HeadResult(
    int Head, ExactNumber Quota, long Adaptive, ExactNumber Uniform, long Guaranteed, int Rows, int Ranked, float? Cut,
    IReadOnlyList<int> Positions, IReadOnlyList<float?> Scores, IReadOnlyList<int?> Ranks, IReadOnlyList<RowReason> Reasons)
{
    public static HeadResult Of(HeadExplanation h) => new(
        h.Head, ExactNumber.Of(h.Quota.Quota), h.Quota.Adaptive, ExactNumber.Of(h.Quota.Uniform), h.Quota.Guaranteed, h.Rows, h.Ranked, h.Cut,
        h.Positions, [.. h.Ranks.Select((rank, row) => rank == 0 ? (float?)null : h.Scores[row])], [.. h.Ranks.Select(rank => rank == 0 ? (int?)null : rank)], h.Reasons);
}

/// <summary>One store. <c>quota</c> is rows a head, on average over the heads, before rounding; null where stores were compared.</summary>
internal sealed record StoreResult(
    int Store, IReadOnlyList<int> Layers, bool ByScore, HeadAllocation Split, ExactNumber? Quota, long Rows, long AllRows, int Sinks, int Window,
    double? ScoreShare, IReadOnlyList<EvictionCost> Costs, IReadOnlyList<HeadResult> Heads)
{
    public static StoreResult From(StoreExplanation s) => new(
        s.Store, s.Layers, s.ByScore, s.Rule, s.Quota is Ratio quota ? ExactNumber.Of(quota) : null, s.Rows, s.All, s.Sinks, s.Window, s.ScoreShare, s.Costs,
        [.. s.Heads.Select(HeadResult.Of)]);
}

/// <summary>The object of <c>kvil explain --json</c>.</summary>
internal sealed record ExplainResult(
    string Model, string Policy, string Budget, string Floor, int PromptTokens, int QuestionTokens, bool Evicted, long Rows, long AllRows,
    int ShownLayer, IReadOnlyList<TokenResult> Tokens, IReadOnlyList<TokenResult> Question, IReadOnlyList<StoreResult> Stores)
{
    public static ExplainResult From(Explained explained)
    {
        EvictionExplanation e = explained.Eviction;
        return new(
            explained.Model, e.Policy.ToString(), e.Policy.Budget.ToString(), e.Policy.Floor.ToString(), e.Prompt.Count, e.Question.Count, e.Evicted, e.Rows, e.All,
            explained.Shown.Layers[0],
            [.. e.Prompt.Select((id, position) => TokenResult.Of(explained.Tokenizer, position, id, e.KeptBy[position]))],
            [.. e.Question.Select((id, i) => TokenResult.Of(explained.Tokenizer, e.Prompt.Count + i, id, e.Heads))],
            [.. e.Stores.Select(StoreResult.From)]);
    }
}
