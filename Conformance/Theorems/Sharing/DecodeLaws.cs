using KvIL.Conformance.Generators;
using KvIL.Conformance.Theory.Sharing;
using KvIL.Sharing;

namespace KvIL.Conformance.Theorems.Sharing;

/// <summary>Laws of tokens that follow a prompt.</summary>
internal static class DecodeLaws
{
    public static IReadOnlyList<SharingLaw> All { get; } =
    [
        new SharingLaw<SharedRunCase>(
            "C16", "Decoding_after_an_exact_prompt_is_the_definition", "prompt in chunks, then token by token = token by token from the start", "Wu and Tu 2024 (arXiv:2405.10637), §3.1", "the definition, token by token", (m, c) =>
            {
                int prompt = c.Seed % (c.Tokens + 1);
                double[][] rows = m.Run(c.Model, c.Text[..prompt], PrefillStrategy.Exact(c.Chunk), c.Text[prompt..]);
                ForwardLaws.Same(m, $"{prompt} tokens of prompt", c.Model.Definition().Sequential(c.Text), rows);
            }),
        new SharingLaw<SharedRunCase>(
            "C16b", "Decoding_after_an_iterated_prompt_goes_on_from_its_rows", "passes leave keys and values of the last pass; then token by token", "LCKV dd21716 iterates prompts; its decode is wrong (C16)", "the definition", (m, c) =>
            {
                int prompt = 1 + (c.Seed % c.Tokens);
                SharedLlama definition = c.Model.Definition();
                SharedCache cache = new(c.Map);
                double[][] expected = [.. definition.Iterate(cache, c.Text[..prompt], c.Chunk), .. c.Text[prompt..].Select(token => definition.Step(cache, token))];
                ForwardLaws.Same(m, $"{prompt} tokens in {c.Chunk} passes", expected, m.Run(c.Model, c.Text[..prompt], PrefillStrategy.Iterative(c.Chunk), c.Text[prompt..]));
            }),
        new SharingLaw<SharedRunCase>(
            "C21", "A_token_sees_the_rows_that_are_there_when_its_layer_runs", "token by token: no mask but the length of the cache, for any map", "Wu and Tu 2025 (arXiv:2410.14442), §2; maps that are not idempotent run too", "a model without a mask", (m, c) =>
            {
                if (c.StrictlyPast) return;
                SharedLlama unmasked = new(c.Model.Weights, c.Map) { Windows = c.Model.Windows, SeesWhatIsCached = true };
                ForwardLaws.Same(m, "logits", unmasked.Sequential(c.Text), m.Run(c.Model, c.Text, PrefillStrategy.Sequential, []));
            }),
    ];
}
