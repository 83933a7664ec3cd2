using System.Text;
using KvIL.Conformance.Theorems.Sharing;
using KvIL.Tests.Sharing;

namespace KvIL.Tests.Laws;

/// <summary>The part of <c>docs/laws.md</c> about cross-layer sharing.</summary>
internal static class SharingLawsDocument
{
    private const int MostNamed = 4;

    /// <summary>Invariants that only an engine or a backend has.</summary>
    public static IReadOnlyList<(string Number, string What, string[] Tests)> Elsewhere { get; } =
    [
        ("C9", "the identity is a plain transformer, to the bit", ["EngineSharingTests.The_identity_is_a_plain_transformer_to_the_bit"]),
        ("C10 to C19, C21", "the laws above on the engine, in float32", ["EngineSharingTests.Law_holds_on_the_engine"]),
        ("C20", "fast prefill: the last logits and all stores are the same", ["EngineSharingTests.Fast_prefill_changes_neither_the_last_logits_nor_the_stores"]),
        ("C22, C23, C25", "bytes by the specs; a store for each owner and none for readers; one row a token, head and store", ["EngineSharingTests.Bytes_are_those_of_the_owners"]),
        ("C24", "forks", ["EngineSharingTests.A_fork_goes_on_as_its_origin_would"]),
        ("C26, C27", "files that are converted", ["SharingCommandTests.Share_without_sharing_changes_no_byte", "SharingCommandTests.Share_averages_over_readers_and_copies_the_rest"]),
        ("C10, C12, C16", "recorded numbers of the published code, by the definition and the engine", ["DefinitionGoldenTests.Definition_gives_every_recorded_tensor", "SharingCommandTests.Golden_checks_layer_condensed_models"]),
    ];

    public static string Text()
    {
        StringBuilder text = new($"""

            # The laws of cross-layer sharing

            {SharingLaws.All.Count} laws on `SharingMath` (`Conformance/Theorems/Sharing`), whose forward functions are a Llama by definition in double, or an engine;
            {SharingMutants.All.Count} planted mutants, the last of which is the decode of the published code. C numbers follow the 30 invariants of the project's notes on sharing.

            | law | statement | source | oracle | kills |
            |---|---|---|---|---|

            """);
        foreach (SharingLaw law in SharingLaws.All)
        {
            string[] killed = [.. SharingMutants.All.Where(mutant => SharingMutants.Killers(mutant).Contains(law)).Select(mutant => mutant.Name.Replace('_', ' '))];
            string more = killed.Length > MostNamed ? $"; +{killed.Length - MostNamed}" : "";
            string[] cells = [$"{law.Number} {law.Name.Replace('_', ' ')}", law.Statement, law.Source, law.Oracle, string.Join("; ", killed.Take(MostNamed)) + more];
            text.Append($"| {string.Join(" | ", cells.Select(LawsDocument.Cell))} |\n");
        }

        text.Append("\n| number | what an engine or a backend is tested for | tests |\n|---|---|---|\n");
        foreach ((string number, string what, string[] tests) in Elsewhere)
        {
            text.Append($"| {number} | {what} | {string.Join(", ", tests.Select(t => $"`{t}`"))} |\n");
        }

        return text.ToString();
    }
}
