using System.Globalization;
using System.Text.Json;
using KvIL.Cli.Explanation;
using KvIL.Inference.Evaluation;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary>The page of <c>kvil explain --html</c> in a browser.</summary>
public sealed class ExplainBrowserTests(Browser browser) : IClassFixture<Browser>, IDisposable
{
    // What the tip says at points of a grid over the map: [x, y, text].
    private const string Sweep = """
        (() => {
          const map = document.getElementById("map"), tip = document.getElementById("tip"), box = map.getBoundingClientRect(), found = [];
          for (let y = box.top + 42; y < box.bottom - 4; y += 9) {
            for (let x = box.left + 100; x < box.right - 20; x += 7) {
              map.dispatchEvent(new PointerEvent("pointermove", { clientX: x, clientY: y, pointerType: "mouse", bubbles: true }));
              if (!tip.hidden) found.push([x, y, tip.innerText]);
            }
          }
          return found;
        })()
        """;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [BrowserFact]
    [Trait("Length", "Long")]
    public async Task The_map_shows_what_the_object_says()
    {
        (string page, JsonElement json) = Explain("ada-snapkv:window=16,sinks=4");
        await browser.OpenAsync(page);
        await browser.EvaluateAsync("""document.getElementById("map").scrollIntoView(); document.querySelector('[data-p="60"]').click(); 1""");
        List<(double X, double Y, string Text)> cells =
            [.. (await browser.EvaluateAsync(Sweep)).EnumerateArray().Select(cell => (cell[0].GetDouble(), cell[1].GetDouble(), cell[2].GetString()!))];
        Assert.True(cells.Select(cell => cell.Text).Distinct().Count() > 200, $"{cells.Count} points of the map say something.");
        Assert.All(cells, cell => Assert.Equal(Expected(json, cell.Text), cell.Text));
        Dictionary<string, int> agreed = [];
        foreach ((double x, double y, string text) in cells.DistinctBy(cell => cell.Text))
        {
            string kind = text.Contains("dropped", StringComparison.Ordinal) ? "dropped" : text.Contains("for its score", StringComparison.Ordinal) ? "score" : "always";
            if (agreed.GetValueOrDefault(kind) == 4) continue;
            await browser.MoveAsync(x, y);
            Assert.Equal(text, await browser.TextAsync("document.getElementById('tip').innerText"));
            string pixel = await KindOfPixel(x, y);
            if (pixel == "line") continue;
            Assert.Equal((text, kind), (text, pixel));
            agreed[kind] = agreed.GetValueOrDefault(kind) + 1;
        }

        Assert.Equal((4, 4), (agreed["dropped"], agreed["score"]));
        Assert.Empty(browser.Complaints);
        Assert.Empty(browser.Requests);
    }

    [BrowserFact]
    public async Task The_keyboard_reaches_every_cell_and_says_its_reason()
    {
        (string page, JsonElement json) = Explain("ada-snapkv:window=16,sinks=4");
        await browser.OpenAsync(page);
        await browser.EvaluateAsync("""document.getElementById("map").focus({ focusVisible: true })""");
        foreach (string key in (string[])["Home", "ArrowDown", "ArrowDown", "PageDown", "ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft", "ArrowDown"])
        {
            await browser.PressAsync(key);
            string tip = await browser.TextAsync("document.getElementById('tip').innerText");
            Assert.Equal(Expected(json, tip), tip);
        }

        string here = await browser.TextAsync("document.getElementById('said').textContent");
        Assert.Contains("layer 0, head 1", here, StringComparison.Ordinal);
        await browser.PressAsync("End");
        Assert.Contains("kept: window", await browser.TextAsync("document.getElementById('said').textContent"), StringComparison.Ordinal);
        await browser.PressAsync("Escape");
        Assert.True((await browser.EvaluateAsync("document.getElementById('tip').hidden")).GetBoolean());
        Assert.Empty(browser.Complaints);
    }

    [BrowserFact]
    public async Task A_layer_alone_shades_the_prompt_by_its_heads()
    {
        (string page, JsonElement json) = Explain("ada-snapkv:window=16", "--layer", "2");
        await browser.OpenAsync(page);
        Assert.Equal("2", await browser.TextAsync("document.getElementById('layer').value"));
        string[] titles = [.. (await browser.EvaluateAsync("[...document.querySelectorAll('[data-p]')].map(span => span.title)")).EnumerateArray().Select(t => t.GetString()!)];
        JsonElement[] heads = [.. json.GetProperty("stores")[2].GetProperty("heads").EnumerateArray()];
        for (int p = 0; p < titles.Length; p++)
        {
            int kept = heads.Count(head => head.GetProperty("reasons")[p].GetString() != "dropped");
            Assert.Equal($"position {p}: kept by {kept} of 4 heads", titles[p]);
        }

        await browser.EvaluateAsync("for (const id of ['layer', 'zoom']) { const choice = document.getElementById(id); choice.selectedIndex = 2; choice.dispatchEvent(new Event('change')); }");
        await browser.OpenAsync(page, width: 360);
        Assert.True((await browser.EvaluateAsync("document.documentElement.scrollWidth <= innerWidth")).GetBoolean(), "A narrow screen must not scroll sideways.");
        Assert.Empty(browser.Complaints);
    }

    [BrowserFact]
    public async Task Without_scripts_the_tables_and_the_prompt_are_there()
    {
        (string page, _) = Explain("snapkv:window=16");
        await browser.OpenAsync(page, scripts: false);
        JsonElement seen = await browser.EvaluateAsync(
            "[document.querySelectorAll('table').length, document.querySelector('.interactive').offsetHeight, document.getElementById('prompt').innerText.length]");
        Assert.Equal(3, seen[0].GetInt32());
        Assert.Equal(0, seen[1].GetInt32());
        Assert.True(seen[2].GetInt32() > 400);
        Assert.Empty(browser.Requests);
    }

    [BrowserFact]
    public async Task A_hostile_token_is_text()
    {
        string page = _directory.Write("hostile.html", ExplainPage.Html(HostileTokens.Explained(40, 2, 2)));
        await browser.OpenAsync(page);
        await browser.EvaluateAsync("""document.getElementById("map").focus({ focusVisible: true })""");
        for (int i = 0; i < HostileTokens.Texts.Length; i++)
        {
            await browser.PressAsync("ArrowDown");
        }

        JsonElement seen = await browser.EvaluateAsync("[typeof window.broken, document.scripts.length, document.images.length, document.querySelectorAll('b').length, document.title]");
        Assert.Equal("undefined", seen[0].GetString());
        Assert.Equal((2, 0, 1), (seen[1].GetInt32(), seen[2].GetInt32(), seen[3].GetInt32()));
        string prompt = await browser.TextAsync("document.getElementById('prompt').textContent");
        Assert.Contains("</script><script>window.broken=1</script>", prompt, StringComparison.Ordinal);
        Assert.Empty(browser.Complaints);
        Assert.Empty(browser.Requests);
    }

    [BrowserFact]
    public async Task Two_thousand_tokens_by_ninety_heads_are_drawn_at_once()
    {
        string page = _directory.Write("large.html", ExplainPage.Html(HostileTokens.Explained(2000, 30, 3)));
        await browser.OpenAsync(page);
        JsonElement seconds = await browser.EvaluateAsync("""
            (() => {
              const map = document.getElementById("map"), zoom = document.getElementById("zoom"), times = [];
              for (const level of [0, 1, 2, 0]) {
                const from = performance.now();
                zoom.selectedIndex = level;
                zoom.dispatchEvent(new Event("change"));
                times.push(performance.now() - from);
              }
              times.push(performance.getEntriesByType("navigation")[0].loadEventEnd);
              return times.map(ms => ms / 1000);
            })()
            """);
        // A tenth of this where nothing else runs.
        Assert.All(seconds.EnumerateArray(), time => Assert.InRange(time.GetDouble(), 0, 10));
        Assert.Empty(browser.Complaints);
    }

    private async Task<string> KindOfPixel(double x, double y)
    {
        JsonElement pixel = await browser.EvaluateAsync(string.Create(CultureInfo.InvariantCulture, $$"""
            (() => {
              document.getElementById("map").dispatchEvent(new PointerEvent("pointermove", { clientX: 1, clientY: 1, pointerType: "mouse" }));
              const canvas = document.getElementById("canvas"), box = canvas.getBoundingClientRect();
              return [...canvas.getContext("2d").getImageData({{x}} - box.left, {{y}} - box.top, 1, 1).data];
            })()
            """));
        int[] c = [.. pixel.EnumerateArray().Select(part => part.GetInt32())];
        bool isFrame = c[0] == c[1] && c[1] == c[2] && c[0] is 0 or 255; // of the chosen cell, or a line between cells
        return isFrame ? "line" : c[2] - c[0] > 40 && c[2] > c[1] ? "score" : Math.Abs(c[2] - c[0]) < 16 ? "dropped" : "always";
    }

    // The tip of the cell that a tip names, made from the object.
    private static string Expected(JsonElement json, string tip)
    {
        string[] where = tip.Split('\n')[1].Split(["position ", ", layer ", ", head "], StringSplitOptions.RemoveEmptyEntries);
        (int t, int layer, int h) = (Number(where[0]), Number(where[1]), Number(where[2]));
        JsonElement head = json.GetProperty("stores")[layer].GetProperty("heads")[h];
        JsonElement rank = head.GetProperty("ranks")[t];
        string[] reasons = [.. head.GetProperty("reasons").EnumerateArray().Select(reason => reason.GetString()!)];
        string because = reasons[t] switch
        {
            "window" => "kept: window, the last rows", "sink" => "kept: sink, the first rows", "score" => "kept for its score", _ => "dropped",
        };
        string ranked = rank.ValueKind == JsonValueKind.Null ? "" : string.Create(
            CultureInfo.InvariantCulture,
            $"score {Digits(head.GetProperty("scores")[t])}, rank {rank} of {head.GetProperty("ranked")}\ncut at rank {reasons.Count(r => r == "score")}, score {Digits(head.GetProperty("cut"))}\n");
        string text = json.GetProperty("tokens")[t].GetProperty("text").GetString()!.Replace("\n", "\\n", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal);
        return $"{text.Replace(' ', '·')}\nposition {t}, layer {layer}, head {h}\n{because}\n{ranked}the head keeps {head.GetProperty("rows")} rows, quota {head.GetProperty("quota").GetProperty("exact").GetString()}";

        static int Number(string digits) => int.Parse(digits, CultureInfo.InvariantCulture);
    }

    // Four digits, as JavaScript writes them.
    private static string Digits(JsonElement number)
    {
        double value = double.Parse(((double)number.GetSingle()).ToString("E3", CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
        return value is >= 1e-6 or 0 ? ((decimal)value).ToString("0.############", CultureInfo.InvariantCulture)
            : value.ToString("0.###E-0", CultureInfo.InvariantCulture).Replace("E", "e", StringComparison.Ordinal);
    }

    private (string Page, JsonElement Json) Explain(string policy, params string[] more)
    {
        string text = EvaluationSet.Load(Repo.PathOf(Tool.Set), 1)[0].Prompt;
        string page = _directory.PathOf("page.html");
        string prompt = _directory.Write("prompt.txt", string.Join(' ', text.Split(' ').Take(140)));
        using JsonDocument json = JsonDocument.Parse(Tool.Output(["explain", Tool.Model, "-f", prompt, "--evict", policy, "--html", page, "--json", .. more]));
        return (page, json.RootElement.Clone());
    }
}
