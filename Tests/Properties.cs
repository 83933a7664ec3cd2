using System.Globalization;
using FsCheck;

namespace KvIL.Tests;

/// <summary>How every property test runs: on one fixed stream of cases, so that a run that passes passes again.</summary>
/// <remarks><c>KVIL_SEED</c>, a number, chooses another stream: for looking further than one run does.</remarks>
internal static class Properties
{
    private const ulong Stream = 2407_11551; // FsCheck wants the second number odd

    private static readonly ulong s_seed =
        ulong.TryParse(Environment.GetEnvironmentVariable("KVIL_SEED"), NumberStyles.None, CultureInfo.InvariantCulture, out ulong seed)
            ? seed
            : 20240716;

    /// <summary>Throws at the first failure, with the shrunk case and the seed; says nothing on success.</summary>
    public static Config Config(int maxTest) =>
        FsCheck.Config.QuickThrowOnFailure.WithMaxTest(maxTest).WithReplay(s_seed, Stream).WithQuietOnSuccess(true);
}
