using KvIL.Conformance.Theory;
using KvIL.Inference.Files;

namespace KvIL.Cli.Measurement;

/// <summary>What a file says of one layer: its queries, keys and values, or scores alone.</summary>
/// <param name="Name">The prefix of its tensors; empty for none.</param>
/// <param name="Layer">Keys, and values with W^O where the file has both; null for scores alone.</param>
/// <param name="Queries">Queries of the prompt <c>[h, T, d]</c>; empty where the file has none.</param>
/// <param name="Decode">A query after the prompt that sees all of it, <c>[h·d]</c>; null for none.</param>
/// <param name="Scores">Scores <c>[heads][n]</c> of the rows that compete; null for a layer.</param>
internal sealed record LayerInput(string Name, AttentionLayer? Layer, double[] Queries, double[]? Decode, double[][]? Scores)
{
    /// <summary>Whether the file has v and wo.</summary>
    public bool HasValues => Layer is { OutputProjection.Length: > 0 };

    /// <summary>The query at which the loss is measured: qd, else the last of the prompt; null where there is neither.</summary>
    public double[]? Measured => Decode ?? (Queries.Length > 0 ? LastQueries(1)[0] : null);

    /// <summary>The last queries of the prompt, <c>[count][h·d]</c>, the newest last.</summary>
    public double[][] LastQueries(int count)
    {
        (int heads, int tokens, int d) = (Layer!.QueryHeads, Layer.Tokens, Layer.HeadDim);
        return [.. Enumerable.Range(tokens - count, count).Select(t => Enumerable.Range(0, heads)
            .SelectMany(i => Queries.AsSpan(((i * tokens) + t) * d, d).ToArray()).ToArray())];
    }
}

/// <summary>A safetensors file of the user's own with tensors by the names of the golden vectors.</summary>
/// <remarks>
/// <code>
/// q [h, T, d], k [kv, T, d] after RoPE, v [kv, T, d], wo [D, h·d], qd [h, d]        or        scores [heads, n]
/// </code>
/// v and wo are for the loss, qd is a decode query that sees all T keys; without q it stands for the last one. A prefix such as <c>in03.</c> keeps several inputs apart. Logits are scaled by 1/√d.
/// </remarks>
internal sealed class LayerFile
{
    private const int MostNamed = 12;
    private static readonly string[] Parts = ["q", "k", "v", "wo", "qd", "scores"];

    private readonly string _path;
    private readonly string _prefix;
    private readonly IReadOnlyDictionary<string, FileTensor> _tensors;

    private LayerFile(string path, string prefix, IReadOnlyDictionary<string, FileTensor> tensors) =>
        (_path, _prefix, _tensors) = (path, prefix, tensors);

    /// <summary>Reads the input called <paramref name="name"/>, or the only one.</summary>
    /// <exception cref="ModelFileException">The file is damaged, has no such input, or its tensors do not fit each other.</exception>
    public static LayerInput Read(string path, string? name)
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        string[] inputs = [.. file.Tensors.Keys.Select(Split).Where(n => Parts.Contains(n.Part)).GroupBy(n => n.Prefix)
            .Where(group => group.Any(n => n.Part is "k" or "scores")).Select(group => group.Key).Order(StringComparer.Ordinal)];
        return new LayerFile(path, Choose(path, name, inputs), file.Tensors).Read();
    }

    private static string Choose(string path, string? name, string[] inputs)
    {
        if (inputs.Length == 0)
        {
            throw new ModelFileException($"{path}: no tensor is called k or scores; give q and k, with v and wo for the loss, or scores.");
        }

        string known = string.Join(", ", inputs.Take(MostNamed).Select(Show)) + (inputs.Length > MostNamed ? $" and {inputs.Length - MostNamed} more" : "");
        if (name is not null)
        {
            return inputs.Contains(name) ? name : throw new ModelFileException($"{path}: there is no input '{Terminal.Visible(name)}'; there are {known}.");
        }

        return inputs.Length == 1 ? inputs[0] : throw new ModelFileException($"{path}: has {inputs.Length} inputs ({known}); choose one with --input NAME.");
    }

    private static string Show(string prefix) => prefix.Length == 0 ? "one without a prefix" : Terminal.Visible(prefix);

    private static (string Prefix, string Part) Split(string name)
    {
        int dot = name.LastIndexOf('.');
        return dot < 0 ? ("", name) : (name[..dot], name[(dot + 1)..]);
    }

    private LayerInput Read()
    {
        if (!Has("k"))
        {
            (int[] shape, double[] values) = Tensor("scores", "heads", "n");
            return new(_prefix, null, [], null, [.. values.Chunk(shape[1])]);
        }

        (int[] keys, double[] k) = Tensor("k", "kv", "T", "d");
        (int kv, int tokens, int d) = (keys[0], keys[1], keys[2]);
        (int heads, double[] queries) = Queries(kv, tokens, d);
        if (heads % kv != 0)
        {
            throw Fault($"{heads} query heads are no multiple of {kv} KV heads; give queries for every KV head");
        }

        double[]? decode = Has("qd") ? Tensor("qd", [heads, d]) : null;
        if (Has("v") != Has("wo"))
        {
            throw Fault($"has {(Has("v") ? "v but no wo" : "wo but no v")}; the loss needs both, so add the other or leave both out");
        }

        double[] v = Has("v") ? Tensor("v", keys) : [];
        double[] wo = Has("wo") ? Projection(heads * d) : [];
        double scale = 1 / Math.Sqrt(d);
        AttentionLayer layer = new(heads, kv, tokens, d, (float)scale, Finite("k", k), Finite("v", v), Finite("wo", wo)) { Scale = scale };
        return new(_prefix, layer, queries, decode is null ? null : Finite("qd", decode), null);
    }

    // Without q, qd says how many heads there are; without both there are as many as KV heads.
    private (int Heads, double[] Queries) Queries(int kv, int tokens, int d)
    {
        if (!Has("q"))
        {
            return (Has("qd") ? Tensor("qd", "h", "d").Shape[0] : kv, []);
        }

        (int[] shape, double[] q) = Tensor("q", "h", "T", "d");
        if (shape[1] != tokens || shape[2] != d)
        {
            throw Fault($"q has shape [{string.Join(", ", shape)}], but with k of {tokens} tokens and {d} channels it must be [h, {tokens}, {d}]");
        }

        return (shape[0], Finite("q", q));
    }

    private double[] Projection(int channels)
    {
        (int[] shape, double[] wo) = Tensor("wo", "D", "h*d");
        return shape[1] == channels ? wo : throw Fault($"wo has shape [{shape[0]}, {shape[1]}], but h*d is {channels}; give o_proj.weight as [D, h*d]");
    }

    private bool Has(string part) => _tensors.ContainsKey(Name(part));

    private string Name(string part) => _prefix.Length == 0 ? part : $"{_prefix}.{part}";

    private double[] Tensor(string part, int[] shape)
    {
        (int[] found, double[] values) = Tensor(part, [.. shape.Select(n => n.ToString(System.Globalization.CultureInfo.InvariantCulture))]);
        return found.SequenceEqual(shape)
            ? values
            : throw Fault($"{part} has shape [{string.Join(", ", found)}] where [{string.Join(", ", shape)}] fits the other tensors");
    }

    private (int[] Shape, double[] Values) Tensor(string part, params string[] axes)
    {
        FileTensor tensor = _tensors[Name(part)];
        string shape = $"[{string.Join(", ", tensor.Shape)}]";
        if (tensor.Shape.Count != axes.Length)
        {
            throw Fault($"{part} has shape {shape} where [{string.Join(", ", axes)}] is expected");
        }

        int empty = tensor.Shape.ToList().IndexOf(0);
        if (empty >= 0)
        {
            throw Fault($"{part} has shape {shape}, and so no {axes[empty]} at all; every extent must be at least 1");
        }

        if (!TensorValues.Floats.Contains(tensor.StoredType))
        {
            throw Fault($"{part} has elements of type {tensor.StoredType}; convert it to {string.Join(", ", TensorValues.Floats)}");
        }

        double[] values = TensorValues.Read(tensor); // refuses what one array cannot hold
        return ([.. tensor.Shape.Select(n => (int)n)], values);
    }

    // Scores may be anything and are ordered; nothing can be computed from such queries, keys and values.
    private double[] Finite(string part, double[] values)
    {
        int bad = Array.FindIndex(values, x => !float.IsFinite((float)x));
        return bad < 0 ? values : throw Fault(
            $"{part} has {values.Count(x => !float.IsFinite((float)x))} elements that are NaN, infinite or beyond float32, the first at index {bad}; replace them");
    }

    private ModelFileException Fault(string what) =>
        new($"{_path}: {(_prefix.Length == 0 ? "" : $"input {Terminal.Visible(_prefix)}: ")}{what}.");
}
