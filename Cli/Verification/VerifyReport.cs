using KvIL.Conformance.Statements;
using KvIL.Conformance.Theory;

namespace KvIL.Cli.Verification;

/// <summary>What <c>kvil verify --json</c> prints.</summary>
/// <param name="Ok">Whether nothing is violated and every device opened.</param>
/// <param name="Seed">Seed of the first case of every statement.</param>
/// <param name="Cases">Cases of each law on each device.</param>
/// <param name="Laws">The laws, by device.</param>
/// <param name="LeftOut">Devices on which no law was run, and why.</param>
/// <param name="TheoremCases">Cases of each theorem.</param>
/// <param name="Theorems">The theorems in double.</param>
/// <param name="AdaAgainstUniform">What no theorem says.</param>
/// <param name="Model">Real attention.</param>
internal sealed record VerifyReport(
    bool Ok, int Seed, int Cases, IReadOnlyList<DeviceLaws> Laws, IReadOnlyList<string> LeftOut,
    int TheoremCases, IReadOnlyList<StatementResult> Theorems, AdaAgainstUniform AdaAgainstUniform, ModelReport Model);

/// <summary>The laws on one device.</summary>
/// <param name="Device">Its name.</param>
/// <param name="Problem">Why it did not run; null when it did.</param>
/// <param name="Results">One entry a law.</param>
internal sealed record DeviceLaws(string Device, string? Problem, IReadOnlyList<StatementResult> Results)
{
    /// <summary>Whether it ran and broke none.</summary>
    public bool Ok => Problem is null && Results.All(result => result.Violations == 0);
}
