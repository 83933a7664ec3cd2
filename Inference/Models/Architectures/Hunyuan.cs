using KvIL.Inference.Files;
using KvIL.Sharing;

namespace KvIL.Inference.Models.Architectures;

/// <summary>Hunyuan dense, version 1: a Llama that normalises each head of queries and keys after RoPE, with cross-layer attention (CLA) or without.</summary>
/// <remarks>
/// Tencent 2024 (arXiv:2411.02265), §2.1, after Brandon et al. 2024 (arXiv:2405.12981). With <c>use_cla</c>, layer i reads keys and values of
/// layer i − i mod <c>cla_share_factor</c>, keys before their norm: each layer has a <c>key_layernorm</c> of its own. Without <c>use_cla</c> the
/// factor, which published files name all the same, means nothing.
/// </remarks>
internal sealed class Hunyuan : Architecture
{
    public override string Class => "HunYuanDenseV1ForCausalLM";

    public override string ModelType => "hunyuan_v1_dense";

    internal override ConfigDefaults Defaults => new(Eps: 1e-5, AlphaScaling: true);

    public override ModelConfig Describe(ModelConfig llama) => llama with { QueryKeyNorm = QueryKeyNorm.PerHead, NormAfterRope = true };

    internal override ModelConfig Read(JsonValue root, ModelConfig config)
    {
        bool bias = root.Find("attention_bias")?.Boolean() ?? false;
        bool normalises = root.Find("use_qk_norm")?.Boolean() ?? true;
        return config with
        {
            QkvBias = bias,
            OutputBias = bias,
            MlpBias = root.Find("mlp_bias")?.Boolean() ?? false,
            QueryKeyNorm = normalises ? QueryKeyNorm.PerHead : QueryKeyNorm.None,
            Sharing = root.Find("use_cla")?.Boolean() ?? false ? SharingMap.FromGroupsOf(config.NumLayers, root.Find("cla_share_factor")?.Integer(1, int.MaxValue) ?? 2) : null,
        };
    }
}
