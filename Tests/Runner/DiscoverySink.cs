using System.Reflection;
using Xunit;
using Xunit.Abstractions;
using Xunit.Sdk;

namespace KvIL.Tests.Runner;

/// <summary>Collects the tests of an assembly.</summary>
internal sealed class DiscoverySink : LongLivedMarshalByRefObject, IMessageSink
{
    private readonly List<ITestCase> _found = [];
    private readonly TaskCompletionSource _complete = new();

    public static IReadOnlyList<ITestCase> Find(XunitTestFramework framework, Assembly assembly)
    {
        DiscoverySink sink = new();
        using ITestFrameworkDiscoverer discoverer = framework.GetDiscoverer(Reflector.Wrap(assembly));
        discoverer.Find(includeSourceInformation: false, sink, new FrameworkOptions());
        sink._complete.Task.Wait();
        return sink._found;
    }

    public bool OnMessage(IMessageSinkMessage message)
    {
        if (message is ITestCaseDiscoveryMessage discovered)
            _found.Add(discovered.TestCase);
        else if (message is IDiscoveryCompleteMessage)
            _complete.SetResult();
        return true;
    }
}
