using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Json.Serialization;
using KvIL.Inference.Explanation;

namespace KvIL.Cli.Explanation;

/// <summary>A column of the map.</summary>
internal sealed record PageHead(string Layer, int Head, int Rows, string Quota, int Ranked, int Kept, float? Cut);

/// <summary>What the page's script reads: lists of cells are base64 of little-endian numbers, <c>[heads, tokens]</c>.</summary>
/// <remarks>Its encoder leaves no character that HTML could take for its own: a token that spells the end of a script is text.</remarks>
internal sealed record PageData(
    IReadOnlyList<string> Tokens, IReadOnlyList<PageHead> Heads, IReadOnlyList<bool> ByScore, string Layer,
    IReadOnlyList<string> ReasonNames, IReadOnlyList<string> ReasonsInWords, string Scores, string Ranks, string Reasons)
{
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals,
    };

    public static string Json(Explained explained)
    {
        EvictionExplanation e = explained.Eviction;
        RowReason[] reasons = Enum.GetValues<RowReason>();
        HeadExplanation[] heads = [.. e.Stores.SelectMany(store => store.Heads)];
        return JsonSerializer.Serialize(
            new PageData(
                [.. e.Prompt.Select(id => Label(TokenText.Escape(TokenText.Plain(explained.Tokenizer, id))))],
                [.. e.Stores.SelectMany(store => store.Heads.Select(head => Column(store, head)))],
                [.. e.Stores.SelectMany(store => store.Heads.Select(_ => store.ByScore))],
                explained.LayerAsked ? ExplainWords.Layers(explained.Shown) : "",
                [.. reasons.Select(reason => JsonNamingPolicy.SnakeCaseLower.ConvertName(reason.ToString()))],
                [.. reasons.Select(ExplainWords.Because)],
                Cells(heads, e.Prompt.Count, sizeof(float), (head, row, cell) => BinaryPrimitives.WriteSingleLittleEndian(cell, head.Scores[row])),
                Cells(heads, e.Prompt.Count, sizeof(int), (head, row, cell) => BinaryPrimitives.WriteInt32LittleEndian(cell, head.Ranks[row])),
                Cells(heads, e.Prompt.Count, 1, (head, row, cell) => cell[0] = (byte)head.Reasons[row])),
            Options);
    }

    // A blank is seen as a dot.
    private static string Label(string text) => text.Replace(' ', '·');

    private static PageHead Column(StoreExplanation store, HeadExplanation head) => new(
        ExplainWords.Layers(store), head.Head, head.Rows, ExplainWords.Exactly(head.Quota.Quota), head.Ranked, head.KeptByRank, head.Cut);

    private static string Cells(HeadExplanation[] heads, int tokens, int size, Writer write)
    {
        byte[] bytes = new byte[(long)heads.Length * tokens * size];
        for (int h = 0; h < heads.Length; h++)
        {
            for (int row = 0; row < heads[h].Positions.Count; row++)
            {
                write(heads[h], row, bytes.AsSpan(((h * tokens) + heads[h].Positions[row]) * size, size));
            }
        }

        return Convert.ToBase64String(bytes);
    }

    private delegate void Writer(HeadExplanation head, int row, Span<byte> cell);
}
