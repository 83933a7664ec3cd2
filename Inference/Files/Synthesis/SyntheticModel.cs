using KvIL.Inference.Files.Quantization;
using KvIL.Tensors;

namespace KvIL.Inference.Files.Synthesis;

/// <summary>A model of a published shape with made-up weights, as a GGUF file: for measuring speed and memory without a download.</summary>
/// <remarks>
/// A matrix of n columns has normal-like weights of variance 1/n (a sum of three uniform ones), norms are 1, biases small. A
/// weight depends on the seed, its tensor's place and its row only, so files are equal whatever machine or number of threads
/// writes them. Types are chosen as llama.cpp's quantiser chooses them without its mixtures: vectors stay F32; the output head,
/// here the embedding, is Q6_K where the others are smaller, or Q8_0 where its rows are no whole blocks; a matrix whose rows are no
/// whole blocks of 256 gets the nearest type with blocks of 32.
/// </remarks>
public sealed class SyntheticModel
{
    private const int BatchElements = 1 << 22;

    private readonly SyntheticShape _shape;
    private readonly int _layers;
    private readonly ulong _seed;
    private readonly GgufWriter _writer = new();
    private readonly List<(string Name, DType Type)> _types = [];
    private readonly CancellationToken _cancelled;

    /// <summary>Plans the file; nothing is computed yet.</summary>
    /// <param name="shape">The sizes.</param>
    /// <param name="type">Type of the matrices, one that <see cref="Quantizer"/> supports.</param>
    /// <param name="seed">Chooses the weights.</param>
    /// <param name="layers">Layers, for fewer or more than the shape's; null for the shape's.</param>
    /// <param name="cancelled">Ends the writing.</param>
    public SyntheticModel(SyntheticShape shape, DType type, ulong seed = 0, int? layers = null, CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(shape);
        (_shape, _layers, _seed, _cancelled) = (shape, layers ?? shape.Layers, seed, cancelled);
        ArgumentOutOfRangeException.ThrowIfLessThan(_layers, 1, nameof(layers));
        Type = type;
        AddMetadata();
        AddTensors();
    }

    /// <summary>Type that was asked for.</summary>
    public DType Type { get; }

    /// <summary>Bytes of the tensors.</summary>
    public long DataBytes => _writer.DataBytes;

    /// <summary>Number of matrices by type.</summary>
    public IEnumerable<(DType Type, int Count)> Types => _types.GroupBy(matrix => matrix.Type).Select(group => (group.Key, group.Count()));

    /// <summary>Matrices whose rows are no whole blocks of the type that was asked for.</summary>
    public int Fallbacks { get; private set; }

    /// <summary>Writes the file; where that fails or is cancelled, what stood at <paramref name="path"/> stays.</summary>
    /// <exception cref="ModelFileException">The file cannot be written.</exception>
    public void Write(string path) => _writer.Write(path, _cancelled);

    /// <summary>The type that a matrix of so many columns gets where <paramref name="wanted"/> is asked for.</summary>
    public static DType TypeFor(DType wanted, int columns, bool isOutput)
    {
        if (isOutput && wanted.IsQuantized())
        {
            wanted = columns % wanted.BlockElements() != 0 || wanted == DType.Q8_0 ? DType.Q8_0 : DType.Q6_K;
        }

        DType type = columns % wanted.BlockElements() == 0 ? wanted : wanted switch
        {
            DType.Q2_K or DType.Q3_K => DType.Q4_0,
            DType.Q4_K => DType.Q5_0,
            DType.Q5_K => DType.Q5_1,
            DType.Q6_K => DType.Q8_0,
            _ => DType.F16,
        };
        return columns % type.BlockElements() == 0 ? type : DType.F16;
    }

    private void AddMetadata()
    {
        void Of(string key, object value) => _writer.Add($"{_shape.Architecture}.{key}", value);
        _writer.Add("general.architecture", _shape.Architecture);
        _writer.Add("general.name", $"synthetic {_shape.Name}");
        _writer.Add("general.description", "Made-up weights: for measuring, not for reading.");
        _writer.Add("general.file_type", (uint)FileType(Type));
        Of("block_count", (uint)_layers);
        Of("context_length", (uint)_shape.Positions);
        Of("embedding_length", (uint)_shape.HiddenSize);
        Of("feed_forward_length", (uint)_shape.IntermediateSize);
        Of("attention.head_count", (uint)_shape.QueryHeads);
        Of("attention.head_count_kv", (uint)_shape.KvHeads);
        Of("attention.key_length", (uint)_shape.HeadDim);
        Of("attention.value_length", (uint)_shape.HeadDim);
        Of("attention.layer_norm_rms_epsilon", (float)_shape.Epsilon);
        Of("rope.freq_base", (float)_shape.Theta);
        Of("rope.dimension_count", (uint)_shape.HeadDim);
        Of("vocab_size", (uint)_shape.Vocabulary);
        var vocabulary = new SyntheticVocabulary(_shape.Vocabulary);
        _writer.Add("tokenizer.ggml.model", "gpt2");
        _writer.Add("tokenizer.ggml.pre", _shape.PreTokenizer);
        _writer.Add("tokenizer.ggml.tokens", vocabulary.Tokens);
        _writer.Add("tokenizer.ggml.token_type", vocabulary.Types);
        _writer.Add("tokenizer.ggml.merges", vocabulary.Merges);
        _writer.Add("tokenizer.ggml.bos_token_id", (uint)SyntheticVocabulary.Bos);
        _writer.Add("tokenizer.ggml.eos_token_id", (uint)SyntheticVocabulary.Eos);
        _writer.Add("tokenizer.ggml.add_bos_token", false);
    }

    private void AddTensors()
    {
        (int hidden, int queries, int keys) = (_shape.HiddenSize, _shape.QueryHeads * _shape.HeadDim, _shape.KvHeads * _shape.HeadDim);
        Matrix("token_embd", _shape.Vocabulary, hidden, isOutput: true);
        Vector("output_norm.weight", hidden, _ => 1);
        if (_shape.RopeFactor is double factor)
        {
            AddDivisors(factor);
        }

        for (int layer = 0; layer < _layers; layer++)
        {
            string prefix = $"blk.{layer}.";
            Vector(prefix + "attn_norm.weight", hidden, _ => 1);
            foreach ((string name, int rows) in ((string, int)[])[("attn_q", queries), ("attn_k", keys), ("attn_v", keys)])
            {
                Matrix(prefix + name, rows, hidden);
                if (_shape.QkvBias)
                {
                    ulong row = RowSeed(_types.Count, -1);
                    Vector($"{prefix}{name}.bias", rows, i => 0.01f * Normal(Mix(row + (ulong)i)));
                }
            }

            if (_shape.QueryKeyNorm)
            {
                Vector(prefix + "attn_q_norm.weight", _shape.HeadDim, _ => 1);
                Vector(prefix + "attn_k_norm.weight", _shape.HeadDim, _ => 1);
            }

            Matrix(prefix + "attn_output", hidden, queries);
            Vector(prefix + "ffn_norm.weight", hidden, _ => 1);
            Matrix(prefix + "ffn_gate", _shape.IntermediateSize, hidden);
            Matrix(prefix + "ffn_up", _shape.IntermediateSize, hidden);
            Matrix(prefix + "ffn_down", hidden, _shape.IntermediateSize);
        }
    }

    // What Llama 3's scaling divides each frequency by, as llama.cpp's converter stores it.
    private void AddDivisors(double factor)
    {
        var plain = new RopeConfig(_shape.Theta, _shape.HeadDim);
        RopeConfig scaled = plain with { Scaling = new Llama3Scaling(factor, 1, 4, 8192) };
        float[] divisors = [.. plain.Frequencies().Zip(scaled.Frequencies(), (w, slow) => (float)(w / slow))];
        Vector("rope_freqs.weight", divisors.Length, i => divisors[i]);
    }

    private void Vector(string name, int length, Func<int, float> element) => _writer.Add(new GgufTensorSource(name, "F32", [length], stream =>
    {
        float[] values = [.. Enumerable.Range(0, length).Select(element)];
        byte[] stored = new byte[length * sizeof(float)];
        Quantizer.Quantize(DType.F32, values, stored);
        stream.Write(stored);
    }));

    private void Matrix(string name, int rows, int columns, bool isOutput = false)
    {
        DType type = TypeFor(Type, columns, isOutput);
        int number = _types.Count;
        _types.Add((name, type));
        Fallbacks += columns % Type.BlockElements() == 0 ? 0 : 1;
        _writer.Add(new GgufTensorSource(
            name + ".weight", type.ToString(), [rows, columns], stream => WriteRows(stream, number, type, rows, columns)));
    }

    private void WriteRows(Stream stream, int number, DType type, int rows, int columns)
    {
        int rowBytes = checked((int)type.SizeBytes(columns));
        int batch = Math.Clamp(BatchElements / columns, 1, rows);
        byte[] stored = new byte[batch * rowBytes];
        for (int start = 0; start < rows; start += batch)
        {
            _cancelled.ThrowIfCancellationRequested();
            int count = Math.Min(batch, rows - start);
            Parallel.For(0, count, () => new float[columns], (i, _, weights) =>
            {
                Fill(weights, RowSeed(number, start + i));
                Quantizer.Quantize(type, weights, stored.AsSpan(i * rowBytes, rowBytes));
                return weights;
            }, _ => { });
            stream.Write(stored, 0, count * rowBytes);
        }
    }

    private static void Fill(float[] weights, ulong row)
    {
        float deviation = 1 / MathF.Sqrt(weights.Length);
        for (int i = 0; i < weights.Length; i++)
        {
            weights[i] = deviation * Normal(Mix(row + (ulong)i));
        }
    }

    private ulong RowSeed(int tensor, int row) => Mix(Mix(_seed + (ulong)tensor) + ((ulong)(uint)row << 32));

    // Twice the sum of three numbers uniform in [-1/2, 1/2), of 21 bits each: mean 0, variance 1.
    private static float Normal(ulong bits)
    {
        const ulong mask = (1UL << 21) - 1;
        long sum = (long)(bits & mask) + (long)((bits >> 21) & mask) + (long)((bits >> 42) & mask) - (3L << 20);
        return sum * (2f / (1 << 21));
    }

    // The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
    private static ulong Mix(ulong x)
    {
        x += 0x9e3779b97f4a7c15;
        x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
        x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
        return x ^ (x >> 31);
    }

    // llama.cpp's llama_ftype; it only shows it.
    private static int FileType(DType type) => type switch
    {
        DType.F32 => 0,
        DType.F16 => 1,
        DType.Q4_0 => 2,
        DType.Q4_1 => 3,
        DType.Q8_0 => 7,
        DType.Q5_0 => 8,
        DType.Q5_1 => 9,
        DType.Q2_K => 10,
        DType.Q3_K => 11,
        DType.Q4_K => 14,
        DType.Q5_K => 16,
        DType.Q6_K => 18,
        DType.BF16 => 32,
        _ => throw new ArgumentException($"No synthetic model of type {type}.", nameof(type)),
    };
}
