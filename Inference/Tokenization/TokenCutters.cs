using System.Buffers;
using System.Text;

namespace KvIL.Inference.Tokenization;

/// <summary>A token that is looked for in the text itself, before any merging.</summary>
/// <param name="Content">Its spelling; not empty.</param>
/// <param name="Id">Its id.</param>
/// <param name="Special">Whether it steers the model, and is no text.</param>
/// <param name="StripsLeft">Whether a match takes the white space before it too.</param>
/// <param name="StripsRight">Whether a match takes the white space after it too.</param>
internal sealed record CutToken(string Content, int Id, bool Special, bool StripsLeft, bool StripsRight)
{
    /// <summary>Where the text before a match ends.</summary>
    public int Start(ReadOnlySpan<char> before) => StripsLeft ? before.TrimEnd().Length : before.Length;

    /// <summary>Where the text after a match starts.</summary>
    public int End(ReadOnlySpan<char> after) => StripsRight ? after.Length - after.TrimStart().Length : 0;
}

/// <summary>Cuts at the leftmost token, and of those at one place the longest, as the <c>tokenizers</c> library does.</summary>
internal sealed class LeftmostCutter
{
    private readonly Lazy<Finder> _all;
    private readonly Lazy<Finder> _ordinary;

    public LeftmostCutter(IReadOnlyCollection<CutToken> tokens)
    {
        _all = new(() => new Finder(tokens));
        _ordinary = new(() => new Finder(tokens.Where(token => !token.Special)));
    }

    /// <summary>Appends the parts of a text; none is empty.</summary>
    public void Cut(string text, bool parseSpecial, List<TextPart> parts)
    {
        Finder finder = (parseSpecial ? _all : _ordinary).Value;
        int done = 0;
        while (finder.Find(text, done) is { } match)
        {
            (int at, CutToken token) = match;
            int start = done + token.Start(text.AsSpan(done, at - done));
            Add(text[done..start], null);
            int end = at + token.Content.Length;
            end += token.End(text.AsSpan(end));
            Add(text[start..end], token.Id);
            done = end;
        }

        Add(text[done..], null);

        void Add(string part, int? id)
        {
            if (part.Length > 0)
            {
                parts.Add(new TextPart(part, id));
            }
        }
    }

    private sealed class Finder
    {
        private readonly SearchValues<string> _any;
        private readonly Dictionary<char, CutToken[]> _byFirst;

        public Finder(IEnumerable<CutToken> tokens)
        {
            _byFirst = tokens.GroupBy(token => token.Content[0]).ToDictionary(
                group => group.Key, group => group.OrderByDescending(token => token.Content.Length).ToArray());
            _any = SearchValues.Create([.. _byFirst.Values.SelectMany(group => group).Select(token => token.Content)], StringComparison.Ordinal);
        }

        public (int At, CutToken Token)? Find(string text, int start)
        {
            int at = _byFirst.Count == 0 ? -1 : text.AsSpan(start).IndexOfAny(_any);
            return at < 0
                ? null
                : (start + at, _byFirst[text[start + at]].First(token => text.AsSpan(start + at).StartsWith(token.Content)));
        }
    }
}

/// <summary>Cuts at the longest token wherever it stands, then at the next in what is left, as llama.cpp does.</summary>
internal sealed class LongestFirstCutter : ITokenCutter
{
    private readonly CutToken[] _tokens;
    private readonly Lazy<SearchValues<string>> _all;
    private readonly Lazy<SearchValues<string>> _ordinary;

    public LongestFirstCutter(IEnumerable<CutToken> tokens)
    {
        _tokens = [.. tokens.OrderByDescending(token => Encoding.UTF8.GetByteCount(token.Content))];
        _all = new(() => Values(_tokens));
        _ordinary = new(() => Values(_tokens.Where(token => !token.Special)));
    }

    /// <inheritdoc/>
    public IReadOnlyList<TextPart> Cut(string text, bool parseSpecial)
    {
        List<TextPart> parts = text.Length == 0 ? [] : [new TextPart(text, null)];
        if (_tokens.Length == 0 || !text.AsSpan().ContainsAny((parseSpecial ? _all : _ordinary).Value))
        {
            return parts;
        }

        foreach (CutToken token in _tokens)
        {
            if ((parseSpecial || !token.Special) && text.Contains(token.Content, StringComparison.Ordinal))
            {
                parts = CutAt(token, parts);
            }
        }

        return parts;
    }

    private static SearchValues<string> Values(IEnumerable<CutToken> tokens) =>
        SearchValues.Create([.. tokens.Select(token => token.Content)], StringComparison.Ordinal);

    private static List<TextPart> CutAt(CutToken token, List<TextPart> parts)
    {
        var cut = new List<TextPart>();
        foreach (TextPart part in parts)
        {
            if (part.TokenId is not null)
            {
                cut.Add(part);
                continue;
            }

            int done = 0;
            for (int at; (at = part.Text.IndexOf(token.Content, done, StringComparison.Ordinal)) >= 0;)
            {
                Add(part.Text[done..at]);
                cut.Add(new TextPart(token.Content, token.Id));
                done = at + token.Content.Length;
                done += token.End(part.Text.AsSpan(done));
            }

            Add(part.Text[done..]);
        }

        return cut;

        void Add(string text)
        {
            if (text.Length > 0)
            {
                cut.Add(new TextPart(text, null));
            }
        }
    }
}
