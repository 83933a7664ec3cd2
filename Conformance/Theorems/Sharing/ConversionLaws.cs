using KvIL.Conformance.Generators;
using KvIL.Sharing;

namespace KvIL.Conformance.Theorems.Sharing;

/// <summary>Laws of models that are made to share, and of norms that readers have of their own.</summary>
internal static class ConversionLaws
{
    private const int Elements = 6;
    private const string Converter = "LCKV dd21716, convert_pretrained.py; MLKV (arXiv:2406.09297)";

    public static IReadOnlyList<SharingLaw> All { get; } =
    [
        new SharingLaw<MapCase>("C26", "Averaging_without_sharing_changes_nothing", "kv(i) = i ⇒ W'_i = W_i, to the bit", Converter, "the weights", (m, c) =>
        {
            double[][] weights = Projections(c);
            double[][] averaged = m.Averaged(SharingMap.Identity(c.Sources.Length), weights);
            for (int layer = 0; layer < weights.Length; layer++) Expect.Exact(weights[layer], averaged[layer]);
        }),
        new SharingLaw<MapCase>("C27", "An_owner_gets_the_mean_of_its_readers", "W'_o = mean { W_i : kv(i) = o }", Converter, "the mean", (m, c) =>
        {
            double[][] weights = Projections(c), averaged = m.Averaged(c.Map, weights);
            int[] owners = [.. c.Sources.Distinct().Order()];
            Expect.True(averaged.Length == owners.Length, $"{averaged.Length} projections for {owners.Length} owners");
            for (int store = 0; store < owners.Length; store++)
            {
                int[] readers = [.. Enumerable.Range(0, c.Sources.Length).Where(layer => c.Sources[layer] == owners[store])];
                Expect.Within(
                    [.. Enumerable.Range(0, Elements).Select(e => readers.Sum(layer => weights[layer][e]) / readers.Length)], averaged[store], e => 1e-12 * readers.Sum(layer => Math.Abs(weights[layer][e])));
            }
        }),
        new SharingLaw<MapCase>("C28", "Sharing_saves_two_projections_a_layer", "parameters = unshared − (L − l) · 2 d_model n_kv d", Converter, "the count", (m, c) =>
        {
            int kept = m.Averaged(c.Map, Projections(c)).Sum(projection => projection.Length), layers = c.Sources.Length;
            Expect.True(2 * kept == (2 * layers * Elements) - ((layers - c.Sources.Distinct().Count()) * 2 * Elements), $"{kept} elements of each kind are kept");
        }),
        new SharingLaw<MapCase>(
            "C30", "A_readers_gain_on_keys_can_be_folded_into_its_query", "(g ⊙ q) · k̂ = q · (g ⊙ k̂)", "Hunyuan-Large (arXiv:2411.02265): keys are shared after RoPE and before each reader's norm", "the logits with the gain on the keys", (m, c) =>
            {
                double[][] rows = Projections(c);
                (double[] q, double[] g) = (rows[0], Draw.Values(c.Seed, 1, Elements, ValueKind.Normal));
                double[] expected = [.. rows.Select(key => key.Select((k, e) => q[e] * (g[e] * k)).Sum())];
                Expect.Within(expected, m.FoldedLogits(q, g, rows), i => 1e-13 * (1 + rows[i].Select((k, e) => Math.Abs(q[e] * g[e] * k)).Sum()));
            }),
    ];

    private static double[][] Projections(MapCase c) => [.. c.Sources.Select((_, layer) => Draw.Values(c.Seed, 10 + layer, Elements, ValueKind.Normal))];
}
