namespace KvIL.Inference.Files;

/// <summary>Per-layer inputs: for each token and layer a vector from a table of its own and from the token's embedding.</summary>
/// <remarks>Gemma 3n and 4. They go from layer to layer beside the residual stream; each layer takes its own.</remarks>
/// <param name="Width">Channels of one layer's vector.</param>
/// <param name="VocabSize">Rows of the table; tokens beyond them have row 0.</param>
public sealed record PerLayerInputs(int Width, int VocabSize);

/// <summary>Alternating updates: several streams, of which a layer computes one and predicts and corrects the others.</summary>
/// <remarks>Baykal et al. 2023 (arXiv:2301.13310), as Gemma 3n has it, together with Laurel (Menghani et al. 2024, arXiv:2411.07501).</remarks>
/// <param name="Streams">How many; at least 2.</param>
/// <param name="Active">The one that layers compute.</param>
/// <param name="CoefficientLimit">Largest magnitude of a correction coefficient; null for none.</param>
/// <param name="ScalesCorrected">Whether the corrected stream is multiplied by <c>correct_output_scale</c> before the per-layer input gates it.</param>
/// <param name="LaurelRank">Rank of the learned residual beside attention.</param>
public sealed record AltUp(int Streams, int Active, double? CoefficientLimit, bool ScalesCorrected, int LaurelRank);
