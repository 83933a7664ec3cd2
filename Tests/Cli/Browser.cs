using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary>A test that needs a browser; skipped, with the reason, where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class BrowserFactAttribute : FactAttribute
{
    public BrowserFactAttribute()
    {
        if (Browser.Executable is null)
        {
            Skip = "needs a browser: none of chromium, chromium-browser, google-chrome is on the PATH, and KVIL_BROWSER names none";
        }
    }
}

/// <summary>A Chromium without a window, driven through its own DevTools protocol.</summary>
public sealed partial class Browser : IAsyncLifetime, IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly TemporaryDirectory _profile = new();
    private readonly ConcurrentDictionary<int, TaskCompletionSource<JsonElement>> _waiting = new();
    private readonly ClientWebSocket _socket = new();
    private Process? _process;
    private Task _reading = Task.CompletedTask;
    private string _session = "";
    private int _last;

    /// <summary>Where the browser is; null where there is none.</summary>
    public static string? Executable { get; } = Find();

    /// <summary>What the page asked for, but for the page itself.</summary>
    public ConcurrentQueue<string> Requests { get; } = [];

    /// <summary>What the page complained of.</summary>
    public ConcurrentQueue<string> Complaints { get; } = [];

    public async Task InitializeAsync()
    {
        if (Executable is null) return;

        ProcessStartInfo start = new(Executable) { RedirectStandardError = true, RedirectStandardOutput = true };
        foreach (string argument in (ReadOnlySpan<string>)
            ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-port=0", $"--user-data-dir={_profile.Path}", "about:blank"])
        {
            start.ArgumentList.Add(argument);
        }

        _process = Process.Start(start)!;
        using CancellationTokenSource limit = new(Patience);
        string address = "";
        while (address.Length == 0 && await _process.StandardError.ReadLineAsync(limit.Token) is string line)
        {
            address = Address().Match(line).Value;
        }

        _ = _process.StandardError.ReadToEndAsync();
        await _socket.ConnectAsync(new(address), limit.Token);
        _reading = Task.Run(ReadAsync);
        string target = (await SendAsync("Target.createTarget", new { url = "about:blank" })).GetProperty("targetId").GetString()!;
        _session = (await SendAsync("Target.attachToTarget", new { targetId = target, flatten = true })).GetProperty("sessionId").GetString()!;
        foreach (string domain in (string[])["Page", "Runtime", "Log", "Network"])
        {
            await SendAsync($"{domain}.enable", new { });
        }
    }

    /// <summary>Loads a file, without scripts where asked.</summary>
    public async Task OpenAsync(string path, bool scripts = true, int width = 1200, int height = 900)
    {
        await SendAsync("Emulation.setScriptExecutionDisabled", new { value = !scripts });
        await SendAsync("Emulation.setDeviceMetricsOverride", new { width, height, deviceScaleFactor = 1, mobile = false });
        Requests.Clear();
        Complaints.Clear();
        _loaded = new(TaskCreationOptions.RunContinuationsAsynchronously);
        await SendAsync("Page.navigate", new { url = new Uri(path).AbsoluteUri });
        await _loaded.Task.WaitAsync(Patience);
    }

    /// <summary>The value of an expression in the page.</summary>
    public async Task<JsonElement> EvaluateAsync(string expression)
    {
        JsonElement result = await SendAsync("Runtime.evaluate", new { expression, returnByValue = true, awaitPromise = true });
        Assert.False(result.TryGetProperty("exceptionDetails", out JsonElement details), details.ValueKind == JsonValueKind.Undefined ? "" : details.ToString());
        return result.GetProperty("result").TryGetProperty("value", out JsonElement value) ? value : default;
    }

    /// <summary>The text of an expression in the page.</summary>
    public async Task<string> TextAsync(string expression) => (await EvaluateAsync(expression)).GetString()!;

    public Task MoveAsync(double x, double y) => SendAsync("Input.dispatchMouseEvent", new { type = "mouseMoved", x, y });

    public async Task PressAsync(string key)
    {
        await SendAsync("Input.dispatchKeyEvent", new { type = "rawKeyDown", key, code = key });
        await SendAsync("Input.dispatchKeyEvent", new { type = "keyUp", key, code = key });
    }

    public async Task DisposeAsync()
    {
        if (_process is null) return;

        _ = SendAsync("Browser.close", new { });
        if (!_process.WaitForExit(TimeSpan.FromSeconds(5))) _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        await _reading;
    }

    public void Dispose()
    {
        _socket.Dispose();
        _process?.Dispose();
        try
        {
            _profile.Dispose();
        }
        catch (IOException)
        {
            // A helper of the browser still wrote there; it is a temporary folder.
        }
    }

    private TaskCompletionSource _loaded = new();

    private async Task<JsonElement> SendAsync(string method, object parameters)
    {
        int id = Interlocked.Increment(ref _last);
        TaskCompletionSource<JsonElement> answer = _waiting[id] = new(TaskCreationOptions.RunContinuationsAsynchronously);
        bool ofBrowser = method.StartsWith("Target.", StringComparison.Ordinal) || method.StartsWith("Browser.", StringComparison.Ordinal);
        byte[] message = ofBrowser
            ? JsonSerializer.SerializeToUtf8Bytes(new { id, method, @params = parameters })
            : JsonSerializer.SerializeToUtf8Bytes(new { id, method, @params = parameters, sessionId = _session });
        await _socket.SendAsync(message, WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
        return await answer.Task.WaitAsync(Patience);
    }

    private async Task ReadAsync()
    {
        byte[] block = new byte[1 << 16];
        using MemoryStream message = new();
        try
        {
            while (_socket.State == WebSocketState.Open)
            {
                WebSocketReceiveResult part = await _socket.ReceiveAsync(block, CancellationToken.None);
                message.Write(block, 0, part.Count);
                if (!part.EndOfMessage || part.MessageType == WebSocketMessageType.Close) continue;

                using JsonDocument json = JsonDocument.Parse(Encoding.UTF8.GetString(message.ToArray()));
                message.SetLength(0);
                Receive(json.RootElement.Clone());
            }
        }
        catch (WebSocketException)
        {
            // The browser has gone.
        }
    }

    private void Receive(JsonElement message)
    {
        if (message.TryGetProperty("id", out JsonElement id))
        {
            if (!_waiting.TryRemove(id.GetInt32(), out TaskCompletionSource<JsonElement>? answer)) return;
            if (message.TryGetProperty("result", out JsonElement result)) answer.SetResult(result);
            else answer.SetException(new InvalidOperationException(message.ToString()));
            return;
        }

        JsonElement parameters = message.GetProperty("params");
        switch (message.GetProperty("method").GetString())
        {
            case "Page.loadEventFired":
                _loaded.TrySetResult();
                break;
            case "Network.requestWillBeSent" when parameters.GetProperty("type").GetString() != "Document":
                Requests.Enqueue(parameters.GetProperty("request").GetProperty("url").GetString()!);
                break;
            case "Log.entryAdded" when parameters.GetProperty("entry").GetProperty("source").GetString() == "rendering":
                break; // advice on speed to whoever reads pixels, which is the test
            case "Runtime.exceptionThrown" or "Runtime.consoleAPICalled" or "Log.entryAdded":
                Complaints.Enqueue(parameters.ToString());
                break;
        }
    }

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable("KVIL_BROWSER") is { Length: > 0 } named) return File.Exists(named) ? named : null;
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        string[] names = ["chromium", "chromium-browser", "google-chrome"];
        return names.SelectMany(name => folders.Select(folder => Path.Combine(folder, name))).FirstOrDefault(File.Exists);
    }

    [GeneratedRegex(@"ws://\S+")]
    private static partial Regex Address();
}
