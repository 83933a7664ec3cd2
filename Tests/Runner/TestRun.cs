using System.Reflection;
using System.Runtime.InteropServices;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace KvIL.Tests.Runner;

/// <summary>
/// Runs the xunit tests of an assembly in this process, then those of other assemblies in theirs. The last
/// line of the output is the count of all.
/// </summary>
public sealed class TestRun
{
    private const int Failed = 1;
    private const int BadArguments = 2;
    private const int Hung = 3;

    private readonly Arguments _arguments;
    private readonly List<ChildRun> _children;
    private readonly Report _report = new();
    private readonly XunitTestFramework _framework;

    private TestRun(Arguments arguments)
    {
        _arguments = arguments;
        _children = [.. arguments.Also.Select(path => new ChildRun(path))];
        _framework = new XunitTestFramework(_report);
    }

    /// <summary>
    /// Ends the process, lest a thread that a test left behind keeps it alive: with 0 when nothing failed, 1
    /// when something did, 2 for bad arguments, 3 for a hang, 128 + n for signal n.
    /// </summary>
    public static void RunAndExit(string[] args, Assembly assembly)
    {
        TestRun run;
        try
        {
            run = new TestRun(Arguments.Parse(args));
        }
        catch (ArgumentException e)
        {
            Console.Error.WriteLine($"{e.Message}\n{Arguments.Usage}");
            Environment.Exit(BadArguments);
            return;
        }
        using (PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => run.Stop("interrupted", 128 + 2)))
        using (PosixSignalRegistration.Create(PosixSignal.SIGTERM, _ => run.Stop("terminated", 128 + 15)))
        {
            Environment.Exit(run.Run(assembly));
        }
    }

    private int Run(Assembly assembly)
    {
        IReadOnlyList<ITestCase> tests = Select(DiscoverySink.Find(_framework, assembly));
        Counts own = _arguments.List ? List(tests) : Execute(assembly, tests);
        Counts all = _children.Aggregate(own, (sum, child) => sum + child.Run(_arguments));
        // A filter may leave this assembly no test, but not all of them together.
        int found = _arguments.Filter is null ? own.Total : all.Total;
        if (found == 0 && !_arguments.AllowNone)
        {
            Console.WriteLine("failed: there is no test to run");
            all += new Counts(0, 1, 0);
        }
        Console.WriteLine(all);
        return all.Failed == 0 ? 0 : Failed;
    }

    private List<ITestCase> Select(IReadOnlyList<ITestCase> found)
    {
        string filter = _arguments.Filter ?? "";
        ITestCase[] named =
            [.. found.Where(test => test.DisplayName.Contains(filter, StringComparison.OrdinalIgnoreCase))];
        List<ITestCase> selected = [.. named.Where(test => _arguments.All || !IsLong(test))];
        int left = named.Length - selected.Count;
        if (left > 0)
            Console.WriteLine($"long tests left out: {left} (--all runs them)");
        return selected;
    }

    private static bool IsLong(ITestCase test) =>
        test.Traits.TryGetValue("Length", out List<string>? values) && values.Contains("Long");

    private static Counts List(IReadOnlyList<ITestCase> tests)
    {
        foreach (string name in tests.Select(test => test.DisplayName).Order(StringComparer.Ordinal))
            Console.WriteLine(name);
        return new Counts(0, 0, tests.Count);
    }

    private Counts Execute(Assembly assembly, IReadOnlyList<ITestCase> tests)
    {
        if (tests.Count == 0)
            return default;
        TimeSpan limit = Watchdog.Limit;
        string hang = $"no test has finished for {limit.TotalSeconds} seconds";
        using Watchdog watchdog = new(limit, () => Stop(hang, Hung));
        _report.OnTestFinished = watchdog.Restart;
        using ITestFrameworkExecutor executor = _framework.GetExecutor(assembly.GetName());
        executor.RunTests(tests, _report, new FrameworkOptions());
        _report.Complete.Wait();
        _report.PrintSlowest(10);
        return _report.Counts;
    }

    private void Stop(string why, int exitCode)
    {
        IEnumerable<string> running =
            [.. _report.Running, .. _children.Where(child => child.IsRunning).Select(child => child.Name)];
        Console.Error.WriteLine($"{why}; running: {string.Join(", ", running)}");
        foreach (ChildRun child in _children)
            child.Kill();
        Environment.Exit(exitCode);
    }
}
