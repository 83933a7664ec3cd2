using FsCheck;
using FsCheck.Fluent;
using Xunit;
using Xunit.Sdk;

namespace KvIL.Tests.Eviction;

/// <summary>Runs a law on generated cases; a failure prints the shrunk case.</summary>
internal static class Law
{
    // One fixed stream of cases: a run that passes passes again. FsCheck wants the second number odd.
    private const ulong Seed = 20240716;
    private const ulong Stream = 2407_11551;

    public static void ForAll<T>(Arbitrary<T> cases, Action<T> law, int maxTest = 200) => Check.One(
        Config.QuickThrowOnFailure.WithMaxTest(maxTest).WithReplay(Seed, Stream), Prop.ForAll(cases, law));

    /// <summary>
    /// Passes when an assertion of the law fails for some case; any other exception is a fault of the mutant
    /// itself.
    /// </summary>
    public static void Catches<T>(Arbitrary<T> cases, Action<T> lawOnMutant, int maxTest = 200)
    {
        bool caught = false;
        ForAll(
            cases,
            c =>
            {
                try
                {
                    if (!caught) lawOnMutant(c);
                }
                catch (XunitException)
                {
                    caught = true;
                }
            },
            maxTest);
        Assert.True(caught, "The mutant satisfies the law.");
    }
}
