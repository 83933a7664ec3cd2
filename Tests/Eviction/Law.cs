using FsCheck;
using FsCheck.Fluent;
using Xunit;
using Xunit.Sdk;

namespace KvIL.Tests.Eviction;

/// <summary>Runs a law on generated cases; a failure prints the shrunk case.</summary>
internal static class Law
{
    public static void ForAll<T>(Arbitrary<T> cases, Action<T> law, int maxTest = 200) =>
        Check.One(Properties.Config(maxTest), Prop.ForAll(cases, law));

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
