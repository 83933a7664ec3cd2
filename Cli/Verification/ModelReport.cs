using KvIL.Conformance.Theory;

namespace KvIL.Cli.Verification;

/// <summary>Loss and bounds of real attention, layer by layer.</summary>
/// <param name="Model">What was opened.</param>
/// <param name="Device">Where it ran.</param>
/// <param name="Prompt">Where the prompt is from.</param>
/// <param name="Tokens">Its tokens.</param>
/// <param name="Budget">The budget as given.</param>
/// <param name="RowsPerHead">The same in rows.</param>
/// <param name="QueryHeads">h.</param>
/// <param name="KvHeads">kv.</param>
/// <param name="Settings">Scores, from the theorem's own to the usual ones.</param>
/// <param name="Violations">What does not hold; empty when all does.</param>
internal sealed record ModelReport(
    string Model, string Device, string Prompt, int Tokens, string Budget, int RowsPerHead, int QueryHeads, int KvHeads,
    IReadOnlyList<SettingReport> Settings, IReadOnlyList<string> Violations);

/// <summary>One way to score rows.</summary>
/// <param name="Window">Queries that score.</param>
/// <param name="Kernel">Width of the pooling; 1 is none.</param>
/// <param name="Promise">What theory promises of it.</param>
/// <param name="Layers">Every layer.</param>
internal sealed record SettingReport(int Window, int Kernel, string Promise, IReadOnlyList<LayerReport> Layers);

/// <summary>One layer.</summary>
/// <param name="Layer">Its number.</param>
/// <param name="C">Largest L1 norm of a row of V W^O, over all query heads and rows.</param>
/// <param name="Splits">Uniform, blend and Ada.</param>
internal sealed record LayerReport(int Layer, double C, IReadOnlyList<SplitReport> Splits);

/// <summary>One split of the budget over the heads of a layer.</summary>
/// <param name="Split">uniform, blend or ada.</param>
/// <param name="Policy">The policy.</param>
/// <param name="Exact">Loss and bounds in double, at the last query, of the rows that the device kept.</param>
/// <param name="Device">The same as the device computed them in float32.</param>
/// <param name="LargestError">Largest relative difference of the two.</param>
/// <param name="WindowEpsilon">ε̄, the bound on the mean loss over the window's queries.</param>
/// <param name="KeptOfHead">Rows that each KV head keeps.</param>
internal sealed record SplitReport(
    string Split, string Policy, LossChain Exact, LossChain Device, double LargestError, double WindowEpsilon, IReadOnlyList<int> KeptOfHead);
