using KvIL.Conformance;
using KvIL.Inference.Files;
using KvIL.Sharing;
using KvIL.Tensors;

namespace KvIL.Tests.Engines;

/// <summary>Whether a query of <paramref name="query"/> sees the key of <paramref name="key"/> in a store and KV head.</summary>
internal delegate bool Visible(int store, int head, int query, int key);

/// <summary>What the model gives for one sequence.</summary>
/// <param name="Logits"><c>[tokens, vocabulary]</c>.</param>
/// <param name="Keys">By store, <c>[tokens, kv_heads · head_dim]</c>.</param>
/// <param name="Values">By store.</param>
internal sealed record Definition(Approximation Logits, Approximation[] Keys, Approximation[] Values);

/// <summary>Llama by definition, in double, a whole sequence at once, with any mask: shares no code and no plan with the engine.</summary>
internal sealed class DoubleModel
{
    private readonly Dictionary<string, double[]> _weights;
    private readonly ModelConfig _config;
    private readonly SharingMap _map;
    private readonly DType _rowType;

    public DoubleModel(string directory, SharingMap? map = null, DType rowType = DType.F32)
    {
        using Checkpoint checkpoint = Checkpoint.Open(directory);
        (_config, _rowType) = (checkpoint.Config, rowType);
        _map = map ?? SharingMap.Identity(_config.NumLayers);
        _weights = checkpoint.Tensors.ToDictionary(t => t.Key, t => Decode(t.Value));
    }

    public static Visible Causal => (_, _, query, key) => key <= query;

    public Definition Run(int[] ids, Visible visible)
    {
        Approximation x = new(ids.Length, _config.HiddenSize);
        double[] table = _weights["model.embed_tokens.weight"];
        for (int i = 0; i < ids.Length; i++)
        {
            for (int k = 0; k < x.Width; k++) x.Set(i, k, table[(ids[i] * x.Width) + k], 0);
        }

        Approximation[] keys = new Approximation[_map.NumStores], values = new Approximation[_map.NumStores];
        for (int layer = 0; layer < _config.NumLayers; layer++)
        {
            string prefix = $"model.layers.{layer}.";
            int store = _map.Stores[layer];
            Approximation h = x.RmsNorm(_weights[prefix + "input_layernorm.weight"], _config.RmsNormEps);
            Approximation q = Linear(h, prefix + "self_attn.q_proj").Rope(_config.HeadDim, _config.Layers[layer].Rope!.Theta);
            if (_map.IsOwner(layer))
            {
                keys[store] = Stored(Linear(h, prefix + "self_attn.k_proj").Rope(_config.HeadDim, _config.Layers[layer].Rope!.Theta));
                values[store] = Stored(Linear(h, prefix + "self_attn.v_proj"));
            }

            Approximation a = Attend(q, keys[store], values[store], (head, query, key) => visible(store, head, query, key));
            x = x.Add(Linear(a, prefix + "self_attn.o_proj"));
            h = x.RmsNorm(_weights[prefix + "post_attention_layernorm.weight"], _config.RmsNormEps);
            x = x.Add(Linear(Linear(h, prefix + "mlp.gate_proj").SwiGlu(Linear(h, prefix + "mlp.up_proj")), prefix + "mlp.down_proj"));
        }

        string head = _config.TieWordEmbeddings ? "model.embed_tokens" : "lm_head";
        return new(Linear(x.RmsNorm(_weights["model.norm.weight"], _config.RmsNormEps), head), keys, values);
    }

    private static double[] Decode(FileTensor tensor)
    {
        int size = tensor.Type!.Value.BlockBytes();
        double[] values = new double[tensor.ElementCount];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = Numbers.Decode(tensor.Data.Slice((long)i * size, size).AsSpan(), tensor.Type.Value);
        }

        return values;
    }

    private Approximation Stored(Approximation x) => _rowType == DType.F16 ? x.RoundedToHalf() : x;

    private Approximation Linear(Approximation x, string name) => x.Linear(_weights[name + ".weight"], _weights.GetValueOrDefault(name + ".bias"));

    private Approximation Attend(Approximation q, Approximation keys, Approximation values, Func<int, int, int, bool> visible)
    {
        int d = _config.HeadDim, group = _config.NumQueryHeads / _config.NumKvHeads;
        Approximation y = new(q.Rows, q.Width);
        for (int i = 0; i < q.Rows; i++)
        {
            for (int head = 0; head < _config.NumQueryHeads; head++)
            {
                int kv = head / group;
                int[] seen = [.. Enumerable.Range(0, q.Rows).Where(j => visible(kv, i, j))];
                AttendOne(q, keys, values, y, (i, head * d, kv * d), seen);
            }
        }

        return y;
    }

    // One query and head: logits within δ move every weight by at most a factor exp(±2δ).
    private void AttendOne(
        Approximation q, Approximation keys, Approximation values, Approximation y, (int Row, int Channel, int KvChannel) at, int[] seen)
    {
        (int i, int qc, int kc) = at;
        int d = _config.HeadDim;
        double scale = 1 / Math.Sqrt(d), change = 0, magnitude = 0, largest = 0;
        double[] logits = new double[seen.Length];
        for (int n = 0; n < seen.Length; n++)
        {
            double moved = 0, terms = 0;
            for (int c = 0; c < d; c++)
            {
                (double a, double ea) = (q[i, qc + c], q.Error(i, qc + c));
                (double b, double eb) = (keys[seen[n], kc + c], keys.Error(seen[n], kc + c));
                logits[n] += a * b * scale;
                moved += ((Math.Abs(a) * eb) + (Math.Abs(b) * ea) + (ea * eb)) * scale;
                terms += (Math.Abs(a) + ea) * (Math.Abs(b) + eb) * scale;
                largest = Math.Max(largest, Math.Abs(values[seen[n], kc + c]) + values.Error(seen[n], kc + c));
            }

            (change, magnitude) = (Math.Max(change, moved), Math.Max(magnitude, terms));
        }

        double[] weights = Conformance.Theory.WindowScores.Softmax(logits);
        double factor = Math.Exp(2 * change), spread = Tolerance.AttentionSpread(seen.Length, d, magnitude);
        for (int c = 0; c < d; c++)
        {
            double sum = 0, absolute = 0, error = 0;
            for (int n = 0; n < seen.Length; n++)
            {
                double v = values[seen[n], kc + c];
                sum += weights[n] * v;
                absolute += weights[n] * Math.Abs(v);
                error += weights[n] * values.Error(seen[n], kc + c);
            }

            double passed = ((factor - 1) * absolute) + (factor * error);
            y.Set(i, qc + c, sum, passed + Tolerance.Attend(spread, factor * (absolute + error), seen.Length, largest));
        }
    }
}
