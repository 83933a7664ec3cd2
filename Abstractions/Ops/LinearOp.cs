using KvIL.Plans;

namespace KvIL.Ops;

/// <summary><c>y[i, o] = Σ_k x[i, k] · weight[o, k] (+ bias[o])</c>: exactly dequantised weight times float32.</summary>
/// <param name="X">F32 <c>[n, in]</c>.</param>
/// <param name="Weight">Weight <c>[out, in]</c> in its stored type.</param>
/// <param name="Bias">Weight <c>[out]</c>, or null.</param>
/// <param name="Y">F32 <c>[n, out]</c>.</param>
public sealed record LinearOp(Slot X, Slot Weight, Slot? Bias, Slot Y)
    : Op(Y, Bias is null ? [X, Weight] : [X, Weight, Bias]);
