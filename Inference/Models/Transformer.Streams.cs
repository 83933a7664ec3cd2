using KvIL.Inference.Files;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Inference.Models;

/// <summary>What goes from layer to layer where that is more than one residual stream: the streams of AltUp, and per-layer inputs.</summary>
/// <remarks>
/// One row holds, side by side, the streams x_0 ... x_{S−1} (S = 1 without AltUp) and the inputs p_0 ... p_{L−1} of all layers:
/// <code>
/// p = (norm(W_model x / √hidden) + √P · Table(t)) / √2                  in groups of P channels, one a layer
/// x = Embed(t)       x_j = V_j x, as large as x                         AltUp, for j above 0
/// a layer without AltUp:    x = block(block(x)) ;  x = x + norm(W (gelu(W' x) · p_l)) ;  x = s_l x
/// at the end                x = mean of x_0 and U_j x_j, as large as x_0
/// </code>
/// Gemma 3n and 4 as transformers computes them.
/// </remarks>
public sealed partial class Transformer
{
    private const float LeastMeanSquare = 1e-5f;
    private static readonly float s_half = (float)Math.Sqrt(0.5);

    /// <summary>Columns of what goes from layer to layer.</summary>
    public int StreamWidth => HiddenWidth + (Config.NumLayers * (Config.PerLayerInputs?.Width ?? 0));

    // Columns of all streams.
    private int HiddenWidth => (Config.AltUp?.Streams ?? 1) * Config.HiddenSize;

    // x = block(block(x)), + the per-layer input, times the layer's factor.
    private Slot OneStream(PlanBuilder b, int layer, Slot row, LayerState state)
    {
        (BlockNorms attention, BlockNorms mlp) = Names.Norms(Config.NormPlacement);
        Slot x = Part(b, row, 0, HiddenWidth);
        x = Block(b, layer, x, attention, h => Attention(b, layer, h, state));
        x = Block(b, layer, x, mlp, h => Mlp(b, layer, h));
        x = Config.PerLayerInputs is null ? x : b.Add(x, Gated(b, layer, x, row));
        x = Config.LayerScalar ? b.Gain(x, Weight(b, $"{Names.Layer(layer)}layer_scalar")) : x;
        return Joined(b, [x, .. Inputs(b, row)]);
    }

    // Predicts every stream, computes the active one, and corrects all by what that changed (Baykal et al. 2023, algorithm 1).
    private Slot AlternatingLayer(PlanBuilder b, int layer, Slot row, LayerState state, AltUp altUp)
    {
        (int hidden, int streams, string prefix) = (Config.HiddenSize, altUp.Streams, Names.Layer(layer));
        (BlockNorms attention, BlockNorms mlp) = Names.Norms(Config.NormPlacement);
        Slot x = Part(b, row, 0, HiddenWidth);
        Slot factors = Linear(b, Modalities(b, layer, b.Columns(x, altUp.Active * hidden, hidden)), layer, "altup.prediction_coefs");
        Slot predicted = b.Add(x, b.Mix(x, factors, streams));
        Slot active = b.Columns(predicted, altUp.Active * hidden, hidden);

        Slot h = Norm(b, active, $"{prefix}{attention.Before}.weight");
        Slot laurel = Linear(b, Linear(b, h, layer, "laurel.linear_left"), layer, "laurel.linear_right");
        laurel = b.Add(h, Norm(b, laurel, $"{prefix}laurel.post_laurel_norm.weight"));
        Slot attended = b.Add(active, Norm(b, Attention(b, layer, h, state), $"{prefix}{attention.After}.weight"));
        Slot computed = Block(b, layer, b.Scale(b.Add(attended, laurel), s_half), mlp, y => Mlp(b, layer, y));

        Slot change = b.Add(computed, b.Scale(active, -1));
        factors = Linear(b, Modalities(b, layer, computed), layer, "altup.correction_coefs");
        Slot corrected = b.Add(predicted, b.Mix(change, factors, streams: 1, offset: 1));

        // The per-layer input goes to all streams but the first.
        Slot gate = b.Columns(corrected, altUp.Active * hidden, hidden);
        gate = altUp.ScalesCorrected ? b.Gain(gate, Weight(b, $"{prefix}altup.correct_output_scale")) : gate;
        Slot input = Gated(b, layer, gate, row);
        Slot others = b.Add(b.Columns(corrected, hidden, HiddenWidth - hidden), Joined(b, [.. Enumerable.Repeat(input, streams - 1)]));
        return Joined(b, [b.Columns(corrected, 0, hidden), others, .. Inputs(b, row)]);
    }

    // tanh(W norm(x) / hidden)
    private Slot Modalities(PlanBuilder b, int layer, Slot x)
    {
        Slot h = b.Scale(Norm(b, x, $"{Names.Layer(layer)}altup.router_norm.weight"), 1f / Config.HiddenSize);
        return b.SoftCap(Linear(b, h, layer, "altup.modality_router"), cap: 1);
    }

    // norm(W (gelu(W' x) · p_l))
    private Slot Gated(PlanBuilder b, int layer, Slot x, Slot row)
    {
        int width = Config.PerLayerInputs!.Width;
        (Slot gate, Slot input) = (Linear(b, x, layer, "per_layer_input_gate"), b.Columns(row, HiddenWidth + (layer * width), width));
        Slot change = Linear(b, Config.Activation == Activation.Silu ? b.SwiGlu(gate, input) : b.GeGlu(gate, input), layer, "per_layer_projection");
        return Norm(b, change, $"{Names.Layer(layer)}post_per_layer_input_norm.weight");
    }

    // (norm(W x / √hidden) + √P · Table(t)) / √2
    private Slot EmbedPerLayer(PlanBuilder b, Slot x, Slot tokens, PerLayerInputs inputs)
    {
        Slot model = b.Scale(b.Linear(x, Weight(b, Names.PerLayerModel)), (float)(1 / Math.Sqrt(Config.HiddenSize)));
        Slot known = inputs.VocabSize < Config.VocabSize ? b.KnownTokens(tokens, inputs.VocabSize) : tokens;
        Slot table = b.Scale(b.Embed(Weight(b, Names.PerLayerEmbedding), known), (float)Math.Sqrt(inputs.Width));
        return b.Scale(b.Add(Norm(b, model, Names.PerLayerNorm), table), s_half);
    }

    // The streams at the start.
    private IEnumerable<Slot> Streams(PlanBuilder b, Slot x) => Enumerable.Range(0, Config.AltUp?.Streams ?? 1)
        .Select(j => j == 0 ? x : b.MatchRms(b.Linear(x, Weight(b, Names.AltUpProjection(j))), x, LeastMeanSquare));

    // What the streams come to at the end.
    private Slot Result(PlanBuilder b, Slot row)
    {
        Slot first = Part(b, row, 0, Config.HiddenSize);
        Slot sum = first;
        for (int j = 1; j < (Config.AltUp?.Streams ?? 1); j++)
        {
            Slot stream = b.Linear(b.Columns(row, j * Config.HiddenSize, Config.HiddenSize), Weight(b, Names.AltUpUnembedding(j)));
            sum = b.Add(sum, b.MatchRms(stream, first, LeastMeanSquare));
        }

        return Scaled(b, sum, 1.0 / (Config.AltUp?.Streams ?? 1));
    }

    // The inputs of all layers, which go on as they are.
    private IEnumerable<Slot> Inputs(PlanBuilder b, Slot row) =>
        Config.PerLayerInputs is null ? [] : [b.Columns(row, HiddenWidth, StreamWidth - HiddenWidth)];

    private Slot Part(PlanBuilder b, Slot row, int first, int width) => width == StreamWidth ? row : b.Columns(row, first, width);

    private static Slot Joined(PlanBuilder b, Slot[] parts) => parts is [Slot only] ? only : b.Concatenate(parts);

    /// <summary>The whole model as a plan of one token, with stores of no rows: to see which ops it needs.</summary>
    internal Plan Trial()
    {
        PlanBuilder b = new();
        Slot Integers(string name) => b.Input(name, new TensorSpec(DType.I32, 1));
        Slot positions = Integers("positions");
        Slot[] stores = [.. Enumerable.Range(0, Map.NumStores).Select(store => b.Input(
            $"store.{store}", new StoreSpec(1, Config.NumKvHeadsOf(Map.Owner(store)), Config.HeadDimOf(Map.Owner(store)), DType.F16, 0)))];
        LayerState state = new(positions, Integers("sequences"), Rotations(b, positions), stores, []);
        Slot x = Embed(b, Integers("tokens"));
        for (int layer = 0; layer < Config.NumLayers; layer++)
        {
            x = Layer(b, layer, x, state);
        }

        b.Output(Logits(b, x, Integers("rows")));
        return b.Build("trial");
    }
}
