using KvIL.Inference.Explanation;
using KvIL.Inference.Tokenization;

namespace KvIL.Cli.Explanation;

/// <summary>What <c>kvil explain</c> shows.</summary>
/// <param name="Model">The model, as it was named.</param>
/// <param name="Tokenizer">Spells the tokens.</param>
/// <param name="Eviction">What happened.</param>
/// <param name="Shown">The store that is shown head by head.</param>
/// <param name="LayerAsked">Whether the user chose it.</param>
internal sealed record Explained(string Model, ITokenizer Tokenizer, EvictionExplanation Eviction, StoreExplanation Shown, bool LayerAsked);
