using KvIL.Conformance.Generators;
using KvIL.Conformance.Theory.Sharing;
using KvIL.Sharing;

namespace KvIL.Conformance.Theorems.Sharing;

/// <summary>Laws of prompts that go through shared layers.</summary>
internal static class ForwardLaws
{
    private const string Paper = "Wu and Tu 2024 (arXiv:2405.10637), §3 and appendix A";

    public static IReadOnlyList<SharingLaw> All { get; } =
    [
        new SharingLaw<SharedRunCase>(
            "C10", "Acyclic_maps_are_exact_in_one_pass", "no kv(i) > i ⇒ any strategy = token by token", Paper, "the definition, token by token", (m, c) =>
            {
                if (c.Map.IsCyclic) return;
                double[][] exact = c.Model.Definition().Sequential(c.Text);
                foreach (PrefillStrategy strategy in Strategies(c)) Same(m, $"{strategy}", exact, m.Run(c.Model, c.Text, strategy, []));
            }),
        new SharingLaw<SharedRunCase>(
            "C11", "Sharing_is_copying_the_owners_rows", "kv(i) ≤ i: a model without sharing whose layer i holds copies of the rows of layer kv(i)", "Wu and Tu 2025 (arXiv:2410.14442), §2", "the copying model in double", (m, c) =>
            {
                if (c.Map.IsCyclic || !c.Map.IsIdempotent) return;
                SharedLlama copying = new(c.Model.Weights, SharingMap.Identity(c.Map.NumLayers)) { StrictlyPast = c.StrictlyPast, Windows = c.Model.Windows, Copies = c.Map };
                Same(m, "logits", copying.Sequential(c.Text), m.Run(c.Model, c.Text, PrefillStrategy.Default, []));
            }),
        new SharingLaw<SharedRunCase>(
            "C12", "Chunks_of_c_tokens_in_c_passes_are_exact", "chunked(c) = token by token for every c", Paper, "the definition, token by token", (m, c) =>
            {
                double[][] exact = c.Model.Definition().Sequential(c.Text);
                Same(m, $"chunks of {c.Chunk}", exact, m.Run(c.Model, c.Text, PrefillStrategy.Exact(c.Chunk), []));
            }),
        new SharingLaw<SharedRunCase>(
            "C12c", "The_first_n_tokens_are_exact_after_n_passes", "pass n, t < n: logits of token t = token by token", Paper, "the definition, token by token", (m, c) =>
            {
                double[][] exact = c.Model.Definition().Sequential(c.Text);
                double[][] rows = m.Run(c.Model, c.Text, PrefillStrategy.Iterative(c.Chunk), []);
                int n = c.Map.IsCyclic ? Math.Min(c.Chunk, c.Tokens) : c.Tokens;
                Same(m, $"after {c.Chunk} passes", exact[..n], rows[..n]);
            }),
        new SharingLaw<SharedRunCase>(
            "C13", "Where_nothing_changes_any_more_all_is_exact", "a fixed point of the passes = token by token", "Wu and Tu 2024, appendix A: induction over tokens", "the definition, token by token", (m, c) => Same(
                m, "until nothing changes", c.Model.Definition().Sequential(c.Text), m.Run(c.Model, c.Text, PrefillStrategy.UntilConverged(0), []))),
        new SharingLaw<SharedRunCase>(
            "C14", "A_later_token_changes_nothing_before_it", "token t changed, s < t: logits of s unchanged, after any number of passes", Paper, "the function at another token", (m, c) =>
            {
                int[] text = c.Text, other = [.. text];
                int t = c.Seed % text.Length;
                other[t] = (other[t] + 1) % SharedModel.Vocabulary;
                PrefillStrategy passes = PrefillStrategy.Iterative(c.Chunk);
                Same(m, $"before token {t}", m.Run(c.Model, text, passes, [])[..t], m.Run(c.Model, other, passes, [])[..t]);
            }),
        new SharingLaw<SharedRunCase>(
            "C15", "The_first_token_gets_nothing_from_layers_above", "t = 0, kv(i) > i: attention is 0 whatever W_o is", Paper + "; no key takes the mass of a missing one", "the definition with other W_o", (m, c) => Unmoved(
                m, c, c.Model, layer => c.Map.ReadsAbove(layer))),
        new SharingLaw<SharedRunCase>(
            "C17", "Strictly_past_models_give_the_first_token_no_attention", "force_nodiag, t = 0: attention is 0 in every layer", "LCKV dd21716, force_nodiag; released checkpoints", "the definition with other W_o", (m, c) => Unmoved(
                m, c, c.Model with { StrictlyPast = true }, _ => true)),
        new SharingLaw<SharedRunCase>(
            "C18", "A_window_of_W_keys_shows_W_keys", "t sees max(0, t − W + 1) … t, or … t − 1 where strictly past", "transformers, eager attention; flash attention sees W + 1 (LCKV README of the golden vectors)", "tokens changed one by one", Window),
        new SharingLaw<SharedRunCase>(
            "C19", "Weights_of_layers_that_own_no_store_are_dead", "W_k, W_v of non-owners NaN: logits unchanged", "checkpoints may ship them (Gemma 4 E2B, E4B)", "the model without them", (m, c) => Same(
                m, "with NaN", m.Run(c.Model, c.Text, PrefillStrategy.Default, []),
                m.Run(c.Model with { Weights = c.Model.Weights.WithDeadNaN(c.Map) }, c.Text, PrefillStrategy.Default, []))),
    ];

    /// <summary>Rows of logits that are the same but for the subject's rounding; NaN never is.</summary>
    internal static void Same(SharingMath m, string what, double[][] expected, double[][] actual)
    {
        Expect.True(expected.Length == actual.Length, $"{what}: {actual.Length} rows, expected {expected.Length}");
        for (int t = 0; t < expected.Length; t++)
        {
            double scale = Math.Max(1, expected[t].Max(Math.Abs));
            double off = expected[t].Zip(actual[t], (x, y) => Math.Abs(x - y)).Max(), worst = double.IsNaN(off) ? double.PositiveInfinity : off;
            Expect.True(worst <= m.Tolerance * scale, $"{what}, token {t}: off by {worst:E1}, allowed {m.Tolerance * scale:E1}");
        }
    }

    private static PrefillStrategy[] Strategies(SharedRunCase c) =>
        [PrefillStrategy.Sequential, PrefillStrategy.PublishedChunk, PrefillStrategy.Exact(c.Chunk), PrefillStrategy.Iterative(c.Chunk), PrefillStrategy.UntilConverged(0)];

    private static void Unmoved(SharingMath m, SharedRunCase c, SharedModel model, Func<int, bool> layers)
    {
        SharedLlamaWeights other = Enumerable.Range(0, c.Map.NumLayers).Where(layers)
            .Aggregate(model.Weights, (weights, layer) => weights.With($"model.layers.{layer}.self_attn.o_proj.weight", w => 3 - w));
        foreach (PrefillStrategy strategy in (PrefillStrategy[])[PrefillStrategy.PublishedChunk, PrefillStrategy.Iterative(c.Chunk)])
        {
            Same(m, $"{strategy}, the first token", model.Definition().Sequential(c.Text[..1]), m.Run(model with { Weights = other }, c.Text, strategy, [])[..1]);
        }
    }

    // One layer, so that only attention carries one token to another.
    private static void Window(SharingMath m, SharedRunCase c)
    {
        int window = Math.Max(1, c.Window);
        SharedModel model = new(SharedLlamaWeights.Random(1, SharedModel.Vocabulary, c.Seed), SharingMap.Identity(1)) { Windows = [window], StrictlyPast = c.StrictlyPast };
        double[][] rows = m.Run(model, c.Text, PrefillStrategy.Default, []);
        for (int s = 0; s < c.Tokens; s++)
        {
            int[] other = [.. c.Text];
            other[s] = (other[s] + 1) % SharedModel.Vocabulary;
            double[][] changed = m.Run(model, other, PrefillStrategy.Default, []);
            for (int t = 0; t < c.Tokens; t++)
            {
                bool sees = s == t || (s < t && s > t - window), moves = !rows[t].SequenceEqual(changed[t]);
                Expect.True(sees == moves, $"window {window}: token {t} {(moves ? "sees" : "does not see")} token {s}");
            }
        }
    }
}
