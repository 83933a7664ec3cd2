using System.Text;
using KvIL.Conformance.Theorems;

namespace KvIL.Tests.Laws;

/// <summary><c>docs/laws.md</c>: every law with its source, its oracle and the mutants that it kills; and what covers the numbers that are no law.</summary>
internal static class LawsDocument
{
    private const int MostNamed = 4;

    /// <summary>Where it lies.</summary>
    public static string FilePath { get; } = Repo.PathOf("docs/laws.md");

    /// <summary>Numbers that other laws and tests cover, and those that do not apply.</summary>
    public static IReadOnlyList<(string Number, string What, string[] Tests, string Why)> Elsewhere { get; } =
    [
        ("P12", "the loss itself on an engine", ["LossTests.The_loss_is_below_its_bounds_and_the_engine_measures_both"], "P12 pins the counterexample; L_Ada ≤ L_uniform is promised nowhere"),
        ("P31", "online softmax on a backend", ["BackendLawTests.Law_holds"], "law WindowScores_agrees_with_the_oracle, on every backend"),
        ("P41", "mask equivalence on an engine", ["EvictedAttentionLaws.Attention_after_eviction_is_full_attention_with_masked_keys"], ""),
        ("R1", "identity on an engine", ["ScheduleLaws.Layer_by_layer_equals_whole_to_the_bit_at_equal_chunks", "KeptRowsLaws.Every_budget_of_every_method_is_met_exactly"], "a budget of the whole prompt is among the budgets"),
        ("R2", "mask equivalence", ["EvictedAttentionLaws.Attention_after_eviction_is_full_attention_with_masked_keys"], "P41 and S5 without an engine; law Attention_over_kept_rows_is_attention_with_dropped_keys_at_minus_infinity on every backend"),
        ("R3", "totals and bytes on an engine", ["KeptRowsLaws.Every_budget_of_every_method_is_met_exactly", "OperationLaws.Caches_stay_in_order_and_their_bytes_accounted"], ""),
        ("R4", "protection on an engine", ["KeptRowsLaws.Prompts_are_cut_exactly"], ""),
        ("R5", "order on an engine", ["OperationLaws.Caches_stay_in_order_and_their_bytes_accounted"], ""),
        ("R7", "mass under merging", [], "does not apply: nothing merges rows; that eviction only lowers mass is law R7 above"),
        ("R8", "linear codecs commute with merging", [], "does not apply: there are no codecs of cached rows beyond F16, and nothing merges"),
        ("R9", "streaming equals batch", ["ScheduleLaws.Any_schedule_of_calls_gives_the_definition", "ScheduleLaws.Layer_by_layer_equals_whole_to_the_bit_at_equal_chunks", "ChunkLaws.Pieces_do_not_matter_to_scores_of_single_rows"], "lives on engines"),
        ("R10", "CPU equals GPU", ["ThreadLaws.Threads_change_no_bit", "BackendLawTests.Law_holds"], "the backend laws run on the GPU backend in Tests.Gpu; threads: P27, P27b and this"),
        ("R11", "read safety", [], "does not apply: nothing retrieves; attention reads all rows that a cache holds"),
    ];

    /// <summary>The document.</summary>
    public static string Text()
    {
        StringBuilder text = new($"""
            # The laws of eviction

            Written by `dotnet run --project Tests -c Release -- --write-laws`; a test compares. {EvictionLaws.All.Count} laws, {EvictionMutants.All.Count} planted mutants;
            further mutants are drawn on every run of `./test` from numbered places of a textbook implementation, and the run prints how many were killed.

            P numbers are properties of the theory and of published code, R numbers the twelve laws of a cache pipeline, E of the loss and its bounds, A and S laws of an
            allocator and a scorer of one's own (`docs/add-a-policy.md`), X examples, counterexamples and further rules. Each law runs on `EvictionMath`
            (`Conformance/Theorems`): on the definitions in double, on the kernels of the CPU backend, and on whatever class derives it. A mutant stands beside the laws that
            kill it in two random cases, or with the first law and beside the first mutant of more; `+n` says that there are n more. `eviction.md` and `related.md` are
            the project's notes on the papers and their code; they are not part of the repository.

            | law | statement | source | oracle | kills |
            |---|---|---|---|---|

            """);
        foreach (EvictionLaw law in EvictionLaws.All)
        {
            string[] killed = [.. EvictionMutants.Killed.Where(k => k.Killers.Contains(law)).Select(k => k.Mutant.Name.Replace('_', ' '))];
            string more = killed.Length > MostNamed ? $"; +{killed.Length - MostNamed}" : "";
            text.Append($"| {law.Number} {Cell(law.Name.Replace('_', ' '))} | {Cell(law.Statement)} | {Cell(law.Source)} | {Cell(law.Oracle)} | {Cell(string.Join("; ", killed.Take(MostNamed)))}{more} |\n");
        }

        text.Append("\n## On engines and backends, and what does not apply\n\n| number | what | tests | |\n|---|---|---|---|\n");
        foreach ((string number, string what, string[] tests, string why) in Elsewhere)
        {
            text.Append($"| {number} | {Cell(what)} | {Cell(string.Join(", ", tests.Select(t => $"`{t}`")))} | {Cell(why)} |\n");
        }

        return text.Append(SharingLawsDocument.Text()).ToString();
    }

    /// <summary>Writes it.</summary>
    public static void Write() => File.WriteAllText(FilePath, Text());

    internal static string Cell(string text) => text.Replace("|", "\\|", StringComparison.Ordinal);
}
