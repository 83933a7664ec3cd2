using System.Collections.Concurrent;
using Xunit;
using Xunit.Abstractions;

namespace KvIL.Tests.Runner;

/// <summary>Counts and prints what xunit reports while it runs the tests.</summary>
internal sealed class Report : LongLivedMarshalByRefObject, IMessageSink
{
    private readonly Lock _lock = new();
    private readonly TaskCompletionSource _complete = new();
    private readonly ConcurrentDictionary<ITest, byte> _running = [];
    private readonly List<(string Name, decimal Seconds)> _times = [];

    public Counts Counts { get; private set; }

    public Task Complete => _complete.Task;

    /// <summary>Called at the end of each test.</summary>
    public Action OnTestFinished { get; set; } = () => { };

    public IEnumerable<string> Running => _running.Keys.Select(test => test.DisplayName).Order();

    public bool OnMessage(IMessageSinkMessage message)
    {
        lock (_lock)
        {
            Handle(message);
        }
        return true;
    }

    public void PrintSlowest(int count)
    {
        Console.WriteLine("slowest tests:");
        foreach ((string name, decimal seconds) in _times.OrderByDescending(time => time.Seconds).Take(count))
            Console.WriteLine($"  {seconds,8:0.00} s  {name}");
    }

    private void Handle(IMessageSinkMessage message)
    {
        switch (message)
        {
            case ITestStarting starting:
                _running.TryAdd(starting.Test, 0);
                break;
            case ITestPassed:
                Counts += new Counts(1, 0, 0);
                break;
            case ITestSkipped skipped:
                Counts += new Counts(0, 0, 1);
                string reason = skipped.Reason.ReplaceLineEndings(" ");
                Console.WriteLine($"skipped: {skipped.Test.DisplayName}: {reason}");
                break;
            case ITestFailed failed:
                Fail(failed.Test.DisplayName, failed, failed.Output);
                break;
            case IFailureInformation failure:
                Fail(Owner(message), failure, "");
                break;
            case ITestFinished finished:
                _running.TryRemove(finished.Test, out _);
                _times.Add((finished.Test.DisplayName, finished.ExecutionTime));
                OnTestFinished();
                break;
            case ITestClassFinished finished:
                string name = finished.TestClass.Class.Name;
                Console.WriteLine($"{name}: {finished.TestsRun} in {finished.ExecutionTime:0.0} s");
                break;
            case IDiagnosticMessage diagnostic: // a test left out for its duplicate name, say
                Console.WriteLine($"note: {diagnostic.Message}");
                break;
            case ITestAssemblyFinished:
                _complete.SetResult();
                break;
        }
    }

    private void Fail(string name, IFailureInformation failure, string output)
    {
        Counts += new Counts(0, 1, 0);
        Console.WriteLine($"failed: {name}");
        for (int i = 0; i < failure.Messages.Length; i++)
        {
            Indented($"{failure.ExceptionTypes[i]}: {failure.Messages[i]}");
            Indented(failure.StackTraces[i]);
        }
        if (output.Length > 0)
            Indented($"output:\n{output}");
    }

    private static string Owner(IMessageSinkMessage message) => message switch
    {
        ITestMessage test => $"{test.Test.DisplayName} (cleanup)",
        ITestCaseMessage test => $"{test.TestCase.DisplayName} (cleanup)",
        ITestClassMessage type => $"{type.TestClass.Class.Name} (cleanup)",
        ITestCollectionMessage collection => $"{collection.TestCollection.DisplayName} (cleanup)",
        _ => "outside of a test",
    };

    private static void Indented(string? text)
    {
        foreach (string line in (text ?? "").TrimEnd().ReplaceLineEndings("\n").Split('\n'))
            Console.WriteLine($"    {line}");
    }
}
