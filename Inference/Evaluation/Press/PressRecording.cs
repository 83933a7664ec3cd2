using System.Globalization;
using System.Runtime.InteropServices;
using KvIL.Inference.Files;

namespace KvIL.Inference.Evaluation.Press;

/// <summary>One press at one ratio in a recording.</summary>
/// <param name="Press">The press's name.</param>
/// <param name="Ratio">Share of the rows that it removes.</param>
/// <param name="Parameters">Its parameters.</param>
/// <param name="LogitTolerance">How far logits may be from those recorded, given the same rows.</param>
/// <param name="Failed">Whether the press itself failed, so that nothing is recorded.</param>
internal sealed record RecordedCase(string Press, double Ratio, JsonValue? Parameters, double LogitTolerance, bool Failed)
{
    /// <summary>How its tensors begin.</summary>
    public string Prefix { get; } = string.Create(CultureInfo.InvariantCulture, $"{Press}.{(int)(Ratio * 100)}.");
}

/// <summary>Keep sets, scores and logits of one prompt under many presses: <c>NAME.json</c> with <c>cases</c>, and its tensors.</summary>
/// <remarks>Every shape follows from tokens, layers and heads, and each tensor is checked against it before it is read.</remarks>
internal sealed class PressRecording : IDisposable
{
    // What two evaluations in float32 may differ by.
    private const double LogitTolerance = 5e-4;

    private readonly string _path;
    private readonly SafeTensorsFile _file;

    /// <summary>Reads a recording.</summary>
    /// <param name="path">The JSON file.</param>
    /// <param name="root">Its content.</param>
    /// <exception cref="ModelFileException">A file is missing or damaged.</exception>
    public PressRecording(string path, JsonValue root)
    {
        Tokens = root.Require("tokens").Integer(1, 1 << 24);
        Layers = root.Require("layers").Integer(1, 1 << 12);
        KvHeads = root.Require("kv_heads").Integer(1, 1 << 12);
        ScoreLayers = [.. root.Require("score_layers").Items().Select(layer => layer.Integer(0, Layers - 1))];
        FullTolerance = Tolerance(root.Find("maxdiff_f64_full"), null);
        Cases = [.. root.Require("cases").Items().Select(Case)];
        JsonValue file = root.Require("file");
        string name = file.String();
        if (name.Length == 0 || name != Path.GetFileName(name))
        {
            throw file.Expected("the name of a file in the same folder");
        }

        _path = Path.Combine(Path.GetDirectoryName(path)!, name);
        _file = SafeTensorsFile.Open(_path);
        InputIds = Integers("input_ids", Tokens);
        int count = _file.Tensors.TryGetValue("teacher_ids", out FileTensor? teacher) && teacher.Shape.Count == 1 ? (int)Math.Min(teacher.Shape[0], 1 << 12) : 0;
        TeacherIds = Integers("teacher_ids", count);
    }

    public int Tokens { get; }

    public int Layers { get; }

    public int KvHeads { get; }

    /// <summary>Layers of which scores are recorded.</summary>
    public int[] ScoreLayers { get; }

    /// <summary>The prompt.</summary>
    public int[] InputIds { get; }

    /// <summary>Tokens fed after it.</summary>
    public int[] TeacherIds { get; }

    /// <summary>How far logits of the full cache may be from those recorded.</summary>
    public double FullTolerance { get; }

    public IReadOnlyList<RecordedCase> Cases { get; }

    /// <summary>Largest logits and normalisers; <paramref name="rows"/> of them.</summary>
    public RecordedLogits Logits(string prefix, int rows)
    {
        FileTensor ids = Tensor(prefix + "top_ids");
        int top = ids.Shape.Count == 2 && ids.Shape[1] is > 0 and <= 1 << 10 ? (int)ids.Shape[1] : throw Fault(prefix + "top_ids", "has another shape than [rows, top]");
        return new(top, Integers(prefix + "top_ids", rows, top), Floats(prefix + "top_logits", rows, top), Floats(prefix + "lse", rows));
    }

    public float[] Floats(string name, params int[] shape) => Read<float>(name, "F32", shape);

    public int[] Integers(string name, params int[] shape) => Read<int>(name, "I32", shape);

    public bool Has(string name) => _file.Tensors.ContainsKey(name);

    /// <summary>The kept positions of each layer and head, ascending.</summary>
    public int[][][] Kept(RecordedCase c)
    {
        string name = c.Prefix + "kept";
        int[][] sets = Sets(name, Bits(name, Layers, KvHeads, (Tokens + 7) / 8));
        int[] lengths = Integers(c.Prefix + "len", Layers, KvHeads);
        int wrong = -1;
        for (int i = 0; i < sets.Length; i++)
        {
            wrong = wrong < 0 && sets[i].Length != lengths[i] ? i : wrong;
        }

        return wrong < 0 ? [.. sets.Chunk(KvHeads)]
            : throw Fault(name, $"keeps {sets[wrong].Length} positions in layer {wrong / KvHeads}, head {wrong % KvHeads}, where '{c.Prefix}len' says {lengths[wrong]}");
    }

    /// <summary>The heads whose rows the scores leave open: those that must be kept, and those among which the rest is chosen.</summary>
    public Dictionary<(int Layer, int Head), TiedHead> Ties(RecordedCase c)
    {
        string name = c.Prefix + "tie_head";
        if (!Has(name))
        {
            return [];
        }

        FileTensor tensor = Tensor(name);
        int count = tensor.Shape.Count == 2 ? (int)Math.Min(tensor.Shape[0], int.MaxValue) : -1;
        int[] heads = Integers(name, count, 2);
        int bytes = (Tokens + 7) / 8;
        int[][] forced = Sets(c.Prefix + "tie_forced", Bits(c.Prefix + "tie_forced", count, bytes));
        int[][] candidates = Sets(c.Prefix + "tie_cand", Bits(c.Prefix + "tie_cand", count, bytes));
        Dictionary<(int, int), TiedHead> ties = [];
        for (int i = 0; i < count; i++)
        {
            (int layer, int head) = (heads[2 * i], heads[(2 * i) + 1]);
            if (layer < 0 || layer >= Layers || head < 0 || head >= KvHeads || !ties.TryAdd((layer, head), new([.. forced[i]], [.. candidates[i]])))
            {
                throw Fault(name, $"names layer {layer}, head {head}, which is not there or named twice");
            }
        }

        return ties;
    }

    public void Dispose() => _file.Dispose();

    private static RecordedCase Case(JsonValue c)
    {
        double ratio = c.Require("ratio").Number(0, 1);
        return new(c.Require("press").String(), ratio, c.Find("params"), Tolerance(c.Find("maxdiff_f64"), c.Find("maxdiff_exact_mask")), c.Find("error") is not null);
    }

    private static double Tolerance(JsonValue? first, JsonValue? second) =>
        Math.Max(LogitTolerance, 4 * Math.Max(first?.Number(0, 1e6) ?? 0, second?.Number(0, 1e6) ?? 0));

    private int[][] Sets(string name, byte[] bits)
    {
        int bytes = (Tokens + 7) / 8;
        int[][] sets = new int[bits.Length / bytes][];
        for (int i = 0; i < sets.Length; i++)
        {
            ReadOnlySpan<byte> row = bits.AsSpan(i * bytes, bytes);
            List<int> set = [];
            for (int t = 0; t < 8 * bytes; t++)
            {
                if ((row[t / 8] >> (t % 8) & 1) != 0)
                {
                    set.Add(t);
                }
            }

            sets[i] = set.Count == 0 || set[^1] < Tokens ? [.. set] : throw Fault(name, $"has position {set[^1]}, where the prompt has {Tokens} tokens");
        }

        return sets;
    }

    private byte[] Bits(string name, params int[] shape) => Read<byte>(name, "U8", shape);

    private T[] Read<T>(string name, string type, int[] shape)
        where T : unmanaged
    {
        FileTensor tensor = Tensor(name);
        if (tensor.StoredType != type || !tensor.Shape.SequenceEqual(shape.Select(n => (long)n)))
        {
            throw Fault(name, $"is {tensor.StoredType} [{string.Join(", ", tensor.Shape)}], expected {type} [{string.Join(", ", shape)}]");
        }

        return MemoryMarshal.Cast<byte, T>(tensor.Data.AsSpan()).ToArray();
    }

    private FileTensor Tensor(string name) => _file.Tensors.TryGetValue(name, out FileTensor? tensor) ? tensor : throw Fault(name, "is missing");

    private ModelFileException Fault(string name, string problem) =>
        new($"{_path}: the tensor {ModelFileException.Quote(name)} {problem}; get the folder again.");
}

/// <summary>Rows of a head that exact ties leave open.</summary>
/// <param name="Forced">Positions that every choice keeps.</param>
/// <param name="Candidates">Tied positions, of which some are kept.</param>
internal sealed record TiedHead(HashSet<int> Forced, HashSet<int> Candidates);

/// <summary>Logits of some tokens, by row.</summary>
/// <param name="Top">Tokens of a row.</param>
/// <param name="Ids">The tokens with the largest logits, <c>[rows, top]</c>.</param>
/// <param name="Values">Their logits, falling.</param>
/// <param name="Lse">Log of the sum of the exponentials of all logits, <c>[rows]</c>.</param>
internal sealed record RecordedLogits(int Top, int[] Ids, float[] Values, float[] Lse);
