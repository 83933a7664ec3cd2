namespace KvIL.Gpu.Kernels;

/// <summary>What the kernels of EvictionLoss share.</summary>
/// <remarks>
/// For query head i with attention A over all rows, F its part on kept rows, u_j = v_j W_i:
/// <code>
/// change_j = [j dropped] A_j − [j kept] A_j (1 − F)/F
/// o_i = Σ_j change_j v_j      θ_i = Σ_j |change_j| ‖u_j‖₁      C_i = max_j ‖u_j‖₁
/// L = ‖Σ_i o_i W_i‖₁      θ = Σ θ_i      ε_head = 2 Σ C_i (1 − F_i)      ε = 2 max C_i · Σ (1 − F_i)
/// </code>
/// Rows of a head are divided into <see cref="Parts"/> parts, whose sums are joined in ascending part.
/// </remarks>
internal static class LossLayout
{
    /// <summary>Parts of a head's rows.</summary>
    public const int Parts = 16;

    /// <summary>Largest head dimension.</summary>
    public const int MaxHeadDim = 256;

    /// <summary>Doubles of a head's mass: largest logit, Σ exp, (1 − F)/F, 1 − F.</summary>
    public const int Mass = 4;

    /// <summary>Doubles before o in a part's or a head's sums: θ_i and C_i.</summary>
    public const int Figures = 2;
}
