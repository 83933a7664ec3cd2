using System.Text;
using KvIL.Cli.Explanation;
using KvIL.Eviction;
using KvIL.Inference.Explanation;
using KvIL.Inference.Runtime;
using KvIL.Inference.Tokenization;

namespace KvIL.Tests.Cli;

/// <summary>A vocabulary that would like to be markup, and made-up evictions of its texts.</summary>
internal sealed class HostileTokens : ITokenizer
{
    public static readonly string[] Texts =
    [
        "</script><script>window.broken=1</script>", "<!--<script>", "\"><img src=http://127.0.0.1:9/x onerror=window.broken=1>", "'><b onmouseover=window.broken=1>b</b>",
        "</span></div></main><style>*{display:none}</style>", "]]>&lt;&amp;&#60;", "${window.broken=1}", "\u202eevil\u2066", "\u0000\u001b[2J", "\\u003cscript>", "\n</title>", "word",
    ];

    public string Kind => "hostile";

    public int VocabSize => Texts.Length + 1;

    public int? BosId => null;

    public IReadOnlyList<int> EosIds => [];

    public IReadOnlyList<int> EndOfTurnIds => [];

    public bool AddsBos => false;

    /// <summary>An eviction of a prompt that goes through the vocabulary, of any size.</summary>
    public static Explained Explained(int tokens, int layers, int heads)
    {
        var random = new Random(7);
        EvictionPolicy policy = EvictionPolicy.Parse("ada-snapkv:window=4,sinks=2,budget=20%");
        EvictionExplanation eviction = new(policy, [.. Enumerable.Range(0, tokens).Select(i => i % (Texts.Length + 1))], [], [.. Enumerable.Range(0, layers).Select(layer =>
        {
            float[][] scores = [.. Enumerable.Range(0, heads).Select(_ => Enumerable.Range(0, tokens).Select(_ => random.NextSingle()).ToArray())];
            int kept = tokens / 5;
            int[][] rows = [.. scores.Select(s => Enumerable.Range(0, tokens)
                .OrderByDescending(j => j < 2 || j >= tokens - 4 ? 2 : s[j]).Take(kept).Order().ToArray())];
            int[][] positions = [.. scores.Select(_ => Enumerable.Range(0, tokens).ToArray())];
            return Explainer.Explain(new EvictionTrace(layer, [layer], 2, 4, true, scores, positions, rows), policy, []);
        })]);
        return new("</script><script>window.broken=1</script>", new HostileTokens(), eviction, eviction.MostUneven, false);
    }

    public int[] Encode(string text, bool addBos = true, bool parseSpecial = false) => throw new NotSupportedException();

    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = true)
    {
        StringBuilder text = new();
        foreach (int id in ids) text.Append(Encoding.UTF8.GetString(BytesOf(id).Span));
        return text.ToString();
    }

    public TokenStream CreateStream(bool continues = false) => throw new NotSupportedException();

    public int? IdOf(string token) => null;

    public string? TokenOf(int id) => id < Texts.Length ? Texts[id] : null;

    public bool IsSpecial(int id) => id == 0;

    // The last is a part of a character.
    public ReadOnlyMemory<byte> BytesOf(int id) => id < Texts.Length ? Encoding.UTF8.GetBytes(Texts[id]) : new byte[] { 0xE2, 0x96 };
}
