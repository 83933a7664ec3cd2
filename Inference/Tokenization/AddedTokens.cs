using System.Buffers;
using System.Text;
using KvIL.Inference.Files;

namespace KvIL.Inference.Tokenization;

/// <summary>A token that is looked for in the text itself, before any merging.</summary>
/// <param name="Content">Its spelling.</param>
/// <param name="Utf8">Its spelling in UTF-8.</param>
/// <param name="Id">Its id.</param>
/// <param name="Special">Whether it steers the model, and is no text.</param>
/// <param name="StripsLeft">Whether a match takes the white space before it too.</param>
/// <param name="StripsRight">Whether a match takes the white space after it too.</param>
/// <param name="Normalized">Whether it is looked for only after those that are not.</param>
internal sealed record AddedToken(
    string Content, byte[] Utf8, int Id, bool Special, bool StripsLeft, bool StripsRight, bool Normalized);

/// <summary>A run of text, as bytes of the whole, or an added token in it.</summary>
internal readonly record struct Segment(int Start, int Length, int? TokenId);

/// <summary>The added tokens of a tokenizer.json.</summary>
internal sealed class AddedTokens
{
    private readonly Pass[] _passes;
    private readonly Pass[] _ordinaryPasses;

    private AddedTokens(List<AddedToken> all)
    {
        All = all;
        _passes = MakePasses(all);
        _ordinaryPasses = MakePasses(all.Where(token => !token.Special));
    }

    /// <summary>All of them in file order.</summary>
    public IReadOnlyList<AddedToken> All { get; }

    /// <summary>Reads the list and gives every token that the vocabulary lacks its own id there.</summary>
    public static AddedTokens Read(JsonValue? list, Dictionary<string, int> ids)
    {
        var tokens = new List<AddedToken>();
        var contents = new HashSet<string>();
        HashSet<int> taken = [.. ids.Values];
        foreach (JsonValue item in list?.Items() ?? [])
        {
            string content = item.Require("content").String();
            int id = item.Require("id").Integer(0, BpeModel.MaxId);
            bool known = ids.TryGetValue(content, out int vocabularyId);
            if (content.Length == 0 || !contents.Add(content) || (known ? vocabularyId != id : !taken.Add(id)))
            {
                throw item.Error(
                    $"the added token {ModelFileException.Quote(content)} is empty, repeated, or its id {id} is not its own");
            }

            if (Flag(item, "single_word"))
            {
                throw item.Error("an added token that matches whole words only is not supported", "choose another checkpoint");
            }

            ids[content] = id;
            tokens.Add(new AddedToken(
                content, Encoding.UTF8.GetBytes(content), id, Flag(item, "special"),
                Flag(item, "lstrip"), Flag(item, "rstrip"), Flag(item, "normalized")));
        }

        return new AddedTokens(tokens);
    }

    /// <summary>Takes the added tokens out of a vocabulary.</summary>
    public void RemoveFrom(Dictionary<string, int> ids)
    {
        foreach (AddedToken token in All)
        {
            ids.Remove(token.Content);
        }
    }

    /// <summary>Cuts the text at its added tokens; no segment is empty.</summary>
    public List<Segment> Split(ReadOnlySpan<byte> utf8, bool parseSpecial)
    {
        List<Segment> segments = utf8.IsEmpty ? [] : [new Segment(0, utf8.Length, null)];
        foreach (Pass pass in parseSpecial ? _passes : _ordinaryPasses)
        {
            var cut = new List<Segment>();
            foreach (Segment segment in segments)
            {
                if (segment.TokenId is null)
                {
                    Cut(utf8, segment, pass, cut);
                }
                else
                {
                    cut.Add(segment);
                }
            }

            segments = cut;
        }

        return segments;
    }

    private static bool Flag(JsonValue item, string name) => item.Find(name)?.Boolean() ?? false;

    private static Pass[] MakePasses(IEnumerable<AddedToken> tokens) =>
    [
        .. tokens.GroupBy(token => token.Normalized).OrderBy(pass => pass.Key).Select(pass => new Pass(
            [.. pass.OrderByDescending(token => token.Utf8.Length)],
            SearchValues.Create([.. pass.Select(token => token.Utf8[0])]))),
    ];

    private static void Cut(ReadOnlySpan<byte> utf8, Segment segment, Pass pass, List<Segment> output)
    {
        int textStart = segment.Start;
        int end = segment.Start + segment.Length;
        for (int i = textStart; i < end; i++)
        {
            int skipped = utf8[i..end].IndexOfAny(pass.FirstBytes);
            if (skipped < 0)
            {
                break;
            }

            i += skipped;
            if (Longest(pass.Tokens, utf8[i..end]) is not { } token)
            {
                continue;
            }

            int start = token.StripsLeft ? textStart + TrimmedEnd(utf8[textStart..i]) : i;
            int next = i + token.Utf8.Length;
            next += token.StripsRight ? LeadingSpace(utf8[next..end]) : 0;
            AddText(textStart, start, output);
            output.Add(new Segment(start, next - start, token.Id));
            textStart = next;
            i = next - 1;
        }

        AddText(textStart, end, output);
    }

    private static void AddText(int start, int end, List<Segment> output)
    {
        if (end > start)
        {
            output.Add(new Segment(start, end - start, null));
        }
    }

    private static AddedToken? Longest(AddedToken[] tokens, ReadOnlySpan<byte> text)
    {
        foreach (AddedToken token in tokens)
        {
            if (text.StartsWith(token.Utf8))
            {
                return token;
            }
        }

        return null;
    }

    private static int TrimmedEnd(ReadOnlySpan<byte> text)
    {
        while (Rune.DecodeLastFromUtf8(text, out Rune rune, out int length) == OperationStatus.Done
            && Rune.IsWhiteSpace(rune))
        {
            text = text[..^length];
        }

        return text.Length;
    }

    private static int LeadingSpace(ReadOnlySpan<byte> text)
    {
        int start = 0;
        while (Rune.DecodeFromUtf8(text[start..], out Rune rune, out int length) == OperationStatus.Done
            && Rune.IsWhiteSpace(rune))
        {
            start += length;
        }

        return start;
    }

    /// <summary>Tokens that are looked for together; the longest first, since the longest match at a place counts.</summary>
    private sealed record Pass(AddedToken[] Tokens, SearchValues<byte> FirstBytes);
}
