using KvIL.Inference.Files;
using KvIL.Sharing;
using Xunit;

namespace KvIL.Tests.Architectures;

/// <summary>The recordings tell right from wrong: one thing read wrongly, and the check fails.</summary>
public sealed class SensitivityTests
{
    private static readonly (string Folder, string Mistake, Func<ModelConfig, ModelConfig> Make)[] s_mistakes =
    [
        ("llama-untied", "theta times 10", c => Ropes(c, rope => rope with { Theta = 10 * rope.Theta })),
        ("llama-untied", "eps 1e-5", c => c with { RmsNormEps = 1e-5 }),
        ("llama-untied", "GELU", c => c with { Activation = Activation.GeluTanh }),
        ("llama-untied", "interleaved pairs", c => c with { RopePairing = RopePairing.Interleaved }),
        ("llama-untied", "output head = embedding", c => c with { TieWordEmbeddings = true }),
        ("llama-untied", "half of each head rotated", c => Ropes(c, rope => rope with { RotaryDim = rope.RotaryDim / 2 })),
        ("llama-bias", "no bias of q, k, v", c => c with { QkvBias = false }),
        ("llama-bias", "no bias of o", c => c with { OutputBias = false }),
        ("llama-bias", "no bias of the MLP", c => c with { MlpBias = false }),
        ("llama-rope-linear", "no scaling", c => Scalings(c, _ => null)),
        ("llama-rope-llama3", "no scaling", c => Scalings(c, _ => null)),
        ("llama-rope-llama3", "low_freq_factor 2", c => Scalings(c, s => (Llama3Scaling)s! with { LowFrequencyFactor = 2 })),
        ("llama-rope-llama3", "original positions 128", c => Scalings(c, s => (Llama3Scaling)s! with { OriginalPositions = 128 })),
        ("llama-rope-yarn", "attention factor 1", c => Scalings(c, s => (YarnScaling)s! with { Attention = 1 })),
        ("llama-rope-yarn", "beta_fast 4", c => Scalings(c, s => (YarnScaling)s! with { BetaFast = 4 })),
        ("llama-rope-yarn", "truncate false", c => Scalings(c, s => (YarnScaling)s! with { Truncate = false })),
        ("llama-rope-dynamic", "no scaling", c => Scalings(c, _ => null)),
        ("mistral-sliding", "no window", c => Windows(c, (_, _) => null)),
        ("mistral-sliding", "window 17", c => Windows(c, (w, _) => w + 1)),
        ("mistral-sliding", "window 15", c => Windows(c, (w, _) => w - 1)),
        ("qwen2", "window although use_sliding_window is false", c => Windows(c, (_, layer) => layer < 2 ? null : 16)),
        ("qwen2-sliding", "window below max_window_layers instead", c => Windows(c, (w, _) => w is null ? 16 : null)),
        ("qwen3", "no norm of queries and keys", c => c with { QueryKeyNorm = QueryKeyNorm.None }),
        ("gemma2", "no soft cap of attention", c => c with { AttentionSoftCap = null }),
        ("gemma2", "no soft cap of the logits", c => c with { LogitsSoftCap = null }),
        ("gemma2", "scale head_dim^-1/2", c => c with { AttentionScale = 0.25 }),
        ("gemma2", "norm weight w", c => c with { NormWeightOffset = 0 }),
        ("gemma2", "no embedding scale", c => c with { EmbeddingScale = 1 }),
        ("gemma2", "windows in odd layers", c => Windows(c, (w, _) => w is null ? 16 : null)),
        ("gemma2", "SiLU", c => c with { Activation = Activation.Silu }),
        ("gemma2", "norms only before", c => c with { NormPlacement = NormPlacement.Before }),
        ("gemma3", "one base for all layers", c => c with { Layers = [.. c.Layers.Select(layer => layer with { Rope = c.Layers[5].Rope })] }),
        ("gemma3", "window 9", c => Windows(c, (w, _) => w + 1)),
        ("gemma3-new", "no scaling of the global layers", c => Scalings(c, _ => null)),
        ("phi3", "window 41", c => Windows(c, (w, _) => w + 1)),
        ("phi3-longrope", "attention factor 1", c => Scalings(c, s => (LongRopeScaling)s! with { Attention = 1 })),
        ("phi3-longrope", "short divisors for all", c => Scalings(c, s => (LongRopeScaling)s! with { OriginalPositions = 1000 })),
        ("smollm3", "RoPE in every layer", c => c with { Layers = [.. c.Layers.Select(_ => c.Layers[0])] }),
        ("granite", "embedding multiplier 1", c => c with { EmbeddingScale = 1 }),
        ("granite", "residual multiplier 1", c => c with { ResidualMultiplier = 1 }),
        ("granite", "logits not divided", c => c with { LogitsDivisor = 1 }),
        ("granite", "scale head_dim^-1/2", c => c with { AttentionScale = 0.25 }),
        ("hunyuan-dense", "no norm of queries and keys", c => c with { QueryKeyNorm = QueryKeyNorm.None }),
        ("hunyuan-dense", "no alpha", c => Scalings(c, _ => null)),
        ("hunyuan-cla", "layer 0's keys for all", c => c with { Sharing = SharingMap.FromSources(0, 0, 0, 0, 0, 0) }),
        ("gemma3n", "all channels of the gate", c => Layers(c, layer => layer with { Sparsity = 0 })),
        ("gemma3n", "another active stream", c => c with { AltUp = c.AltUp! with { Active = 1 } }),
        ("gemma3n", "corrected stream not scaled", c => c with { AltUp = c.AltUp! with { ScalesCorrected = false } }),
        ("gemma3n", "no norm of values", c => c with { ValueNorm = false }),
        ("gemma3n", "scale head_dim^-1/2", c => c with { AttentionScale = 0.25 }),
        ("gemma3n", "window 9", c => Windows(c, (w, _) => w + 1)),
        ("gemma3n", "no soft cap of the logits", c => c with { LogitsSoftCap = null }),
        ("gemma3n", "norm weight 1 + w", c => c with { NormWeightOffset = 1 }),
        ("gemma3n", "each layer its own keys", c => c with { Sharing = null }),
        ("gemma3n", "layers that share read layer 0", c => c with { Sharing = SharingMap.FromSources(0, 1, 2, 3, 2, 0, 0) }),
        ("gemma4", "no norm of values", c => c with { ValueNorm = false }),
        ("gemma4", "layers not scaled", c => c with { LayerScalar = false }),
        ("gemma4", "whole heads rotated", c => Scalings(c, _ => null)),
        ("gemma4", "exponents of the rotated part alone", c => Ropes(c, rope => rope.Scaling is null ? rope : new(rope.Theta, rope.RotaryDim / 4))),
        ("gemma4", "scale head_dim^-1/2", c => c with { AttentionScale = 0.25 }),
        ("gemma4", "window 9", c => Windows(c, (w, _) => w + 1)),
        ("gemma4", "norm weight 1 + w", c => c with { NormWeightOffset = 1 }),
        ("gemma4", "layers that share read layer 0", c => c with { Sharing = SharingMap.FromSources(0, 1, 2, 3, 0, 2) }),
        ("gemma4-keqv", "no norm of values", c => c with { ValueNorm = false }),
        ("gemma4-keqv", "layers not scaled", c => c with { LayerScalar = false }),
        ("gemma4-keqv", "whole heads rotated", c => Scalings(c, _ => null)),
        ("olmo2", "no norm of queries and keys", c => c with { QueryKeyNorm = QueryKeyNorm.None }),
    ];

    public static TheoryData<string> Names => [.. s_mistakes.Select(mistake => $"{mistake.Folder}: {mistake.Mistake}")];

    [Theory]
    [MemberData(nameof(Names))]
    public void Is_noticed(string name)
    {
        (string folder, _, Func<ModelConfig, ModelConfig> mistake) = s_mistakes.Single(m => $"{m.Folder}: {m.Mistake}" == name);
        Assert.False(TinyRandom.Check(TinyRandom.PathOf(folder), mistake).Passed);
    }

    private static ModelConfig Layers(ModelConfig c, Func<LayerConfig, LayerConfig> change) => c with { Layers = [.. c.Layers.Select(change)] };

    private static ModelConfig Ropes(ModelConfig c, Func<RopeConfig, RopeConfig> change) =>
        c with { Layers = [.. c.Layers.Select(layer => layer with { Rope = layer.Rope is null ? null : change(layer.Rope) })] };

    private static ModelConfig Scalings(ModelConfig c, Func<RopeScaling?, RopeScaling?> change) =>
        Ropes(c, rope => rope with { Scaling = change(rope.Scaling) });

    private static ModelConfig Windows(ModelConfig c, Func<int?, int, int?> change) =>
        c with { Layers = [.. c.Layers.Select((layer, i) => layer with { Window = change(layer.Window, i) })] };
}
