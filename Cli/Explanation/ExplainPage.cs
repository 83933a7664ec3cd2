using System.Globalization;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using KvIL.Inference.Explanation;
using KvIL.Inference.Files;
using static KvIL.Cli.Explanation.PageText;

namespace KvIL.Cli.Explanation;

/// <summary>An explanation as one page that needs nothing else: style, script and data are inside, and a content policy lets nothing in or out.</summary>
/// <remarks>Without scripts the tables and the shaded prompt are all there; the map is drawn by the script, which the policy knows by its hash.</remarks>
internal static class ExplainPage
{
    /// <summary>Writes the page whole, or not at all.</summary>
    /// <exception cref="ModelFileException">The file system refuses.</exception>
    public static void Write(string path, Explained explained)
    {
        byte[] page = new UTF8Encoding(false).GetBytes(Html(explained));
        AtomicFile.Write(path, stream => stream.Write(page));
    }

    /// <summary>The page.</summary>
    public static string Html(Explained explained)
    {
        EvictionExplanation e = explained.Eviction;
        string script = Resource("page.js");
        string hash = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(script)));
        return $"""
            <!doctype html>
            <html lang="en">
            <head>
            <meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{hash}'">
            <title>{Encode($"{e.Policy.Name}: which tokens stayed")}</title>
            <style>
            {Resource("page.css")}</style>
            </head>
            <body>
            <header>
            <h1>Which tokens stayed in the cache, and why</h1>
            {string.Concat(ExplainWords.Outline(e).Select(sentence => $"<p>{Encode(sentence)}</p>\n"))}<p class="muted">Model <code>{Encode(explained.Model)}</code>, policy <code>{Encode(e.Policy.ToString())}</code></p>
            </header>
            <main>
            {(e.Evicted ? PageTables.Stores(e) : "")}{Map(explained)}{Prompt(explained)}{(e.Evicted ? PageTables.Lists(explained) : "")}</main>
            <script type="application/json" id="data">{PageData.Json(explained)}</script>
            <script>{script}</script>
            </body>
            </html>

            """.ReplaceLineEndings("\n");
    }

    private static string Map(Explained explained)
    {
        string layers = string.Concat(explained.Eviction.Stores.Select(ExplainWords.Layers).Select(layer => $"<option value=\"{layer}\">layer {layer}</option>"));
        return $"""
            <section aria-labelledby="map-title">
            <h2 id="map-title">Tokens by heads</h2>
            <noscript><p>The map of tokens by heads needs JavaScript; the tables and the shaded prompt do not.</p></noscript>
            <div class="interactive" hidden>
            <p id="map-help">A row is a token of the prompt, in reading order; a column is a KV head. Point at a cell, tap it, or focus the map and use the arrow keys, Page Up and Down, Home and End.</p>
            <div class="controls">
            <label>Heads of <select id="layer"><option value="">all layers</option>{layers}</select></label>
            <label>Rows <select id="zoom"><option value="18">with tokens</option><option value="6">compact</option><option value="whole">whole prompt</option></select></label>
            </div>
            {Legend(explained.Eviction)}
            <div class="frame">
            <div class="map" id="map" tabindex="0" role="application" aria-label="Map of tokens by heads" aria-describedby="map-help"><div id="area"><canvas id="canvas"></canvas></div></div>
            <canvas id="overview" role="img" aria-label="How many heads kept each token, over the whole prompt"></canvas>
            </div>
            <div id="tip" hidden></div>
            <p id="said" class="unseen" aria-live="polite"></p>
            </div>
            </section>

            """;
    }

    // Only what the map shows.
    private static string Legend(EvictionExplanation e)
    {
        HashSet<RowReason> reasons = [.. e.Stores.SelectMany(store => store.Heads).SelectMany(head => head.Reasons)];
        StringBuilder items = new();
        void Item(bool shown, string swatch, string text) => items.Append(shown ? $"<li><span class=\"swatch {swatch}\"></span>{text}</li>\n" : "");

        bool recent = reasons.Contains(RowReason.Recent);
        Item(recent || reasons.Contains(RowReason.Score), "scale kept", recent ? "kept, from the newest to the cut" : "kept, from the best score to the cut");
        Item(reasons.Contains(RowReason.Dropped), "scale dropped", recent ? "dropped, from the cut to the oldest" : "dropped, from the cut to the lowest score");
        Item(reasons.Contains(RowReason.Sink), "sink", "sink, always kept");
        Item(reasons.Contains(RowReason.Window), "window", "window, always kept");
        Item(reasons.Contains(RowReason.Protected), "protected", "protected by the user");
        Item(reasons.Contains(RowReason.Whole), "whole", "kept: the layer keeps every row");
        return $"<ul class=\"legend\">\n{items}</ul>";
    }

    private static string Prompt(Explained explained)
    {
        EvictionExplanation e = explained.Eviction;
        IReadOnlyList<RowReason> always = e.Stores.MinBy(store => store.Rows)!.Heads[0].Reasons;
        StringBuilder tokens = new();
        for (int position = 0; position < e.Prompt.Count; position++)
        {
            int level = ((8 * e.KeptBy[position]) + e.Heads - 1) / e.Heads;
            string how = always[position] switch
            {
                RowReason.Sink => " sink",
                RowReason.Window => " window",
                RowReason.Protected => " protected",
                _ => "",
            };
            string text = TokenText.Readable(TokenText.Plain(explained.Tokenizer, e.Prompt[position]));
            tokens.Append(CultureInfo.InvariantCulture, $"<span data-p=\"{position}\" class=\"k{level}{how}\" title=\"position {position}: kept by {e.KeptBy[position]} of {e.Heads} heads\">{Encode(text)}</span>");
        }

        return $"""
            <section aria-labelledby="prompt-title">
            <h2 id="prompt-title">The prompt, shaded by how many heads kept each token</h2>
            <ul class="legend"><li>no head<span class="swatch prompt"></span>every head</li>{(Any(RowReason.Sink) ? "<li><span class=\"swatch sink\"></span>underlined: sink</li>" : "")}{(Any(RowReason.Window) ? "<li><span class=\"swatch window\"></span>underlined: window</li>" : "")}{(Any(RowReason.Protected) ? "<li><span class=\"swatch protected\"></span>underlined: protected</li>" : "")}</ul>
            <div class="prompt" id="prompt">{tokens}</div>
            </section>

            """;

        bool Any(RowReason reason) => always.Contains(reason);
    }

    private static string Resource(string name)
    {
        using Stream stream = Assembly.GetExecutingAssembly().GetManifestResourceStream($"explanation/{name}")
            ?? throw new InvalidOperationException($"{name} is not in the tool.");
        using StreamReader reader = new(stream, Encoding.UTF8);
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
