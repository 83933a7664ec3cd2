namespace KvIL.Inference.Files;

/// <summary>A tensor of a llama2.c file; <see cref="Name"/> is null for what is passed over.</summary>
internal readonly record struct Llama2CTensor(string? Name, long Rows, long Columns, bool IsVector = false);

/// <summary>The header of a llama2.c file; numbers are not checked.</summary>
internal sealed record Llama2CHeader(
    int Version, int Width, int MlpWidth, int Layers, int QueryHeads, int KvHeads, int Vocabulary, int Positions, bool Tied, int GroupSize)
{
    public int HeadDim => Width / QueryHeads;

    public long DataStart => Version == 0 ? 7 * sizeof(int) : 256;

    private long KvWidth => (long)HeadDim * KvHeads;

    /// <summary>One matrix of each kind.</summary>
    public IEnumerable<Llama2CTensor> Matrices() => [Embedding, Query(0), Key(0), Gate(0), Down(0)];

    /// <summary>The size of the whole file; saturated where 64 bits do not hold it.</summary>
    public long FileBytes()
    {
        Int128 perLayer = (2 * Size(Vector("", Width))) + (2 * Size(Query(0))) + (2 * Size(Key(0))) + (2 * Size(Gate(0))) + Size(Down(0));
        Int128 bytes = DataStart + (Layers * perLayer) + Size(Vector("", Width)) + (Size(Embedding) * (Tied ? 1 : 2))
            + (Version == 0 ? Size(Tables) : 0);
        return bytes > long.MaxValue ? long.MaxValue : (long)bytes;
    }

    /// <summary>All tensors as they follow each other; call it only where <see cref="FileBytes"/> is the file's size.</summary>
    public IEnumerable<Llama2CTensor> InFileOrder()
    {
        IEnumerable<Llama2CTensor> Each(Func<int, Llama2CTensor> tensor) => Enumerable.Range(0, Layers).Select(tensor);
        IEnumerable<Llama2CTensor> attentionNorms = Each(layer => Vector(Of(layer, "input_layernorm"), Width));
        IEnumerable<Llama2CTensor> mlpNorms = Each(layer => Vector(Of(layer, "post_attention_layernorm"), Width));
        Llama2CTensor norm = Vector("model.norm.weight", Width);
        IEnumerable<Llama2CTensor> attention = [.. Each(Query), .. Each(Key), .. Each(Value), .. Each(Output)];
        IEnumerable<Llama2CTensor> mlp = [.. Each(Gate), .. Each(Down), .. Each(Up)];
        IEnumerable<Llama2CTensor> head = Tied ? [] : [Embedding with { Name = "lm_head.weight" }];
        return Version == 0
            ? [Embedding, .. attentionNorms, .. attention, .. mlpNorms, .. mlp, norm, Tables, .. head]
            : [.. attentionNorms, .. mlpNorms, norm, Embedding, .. attention, .. mlp, .. head];
    }

    private Llama2CTensor Embedding => new("model.embed_tokens.weight", Vocabulary, Width);

    // Cosines and sines, a pair a frequency.
    private Llama2CTensor Tables => new(null, 2L * Positions, HeadDim / 2);

    private static Llama2CTensor Vector(string name, long length) => new(name, 1, length, IsVector: true);

    private static string Of(int layer, string part) => $"model.layers.{layer}.{part}.weight";

    private Llama2CTensor Query(int layer) => new(Of(layer, "self_attn.q_proj"), Width, Width);

    private Llama2CTensor Key(int layer) => new(Of(layer, "self_attn.k_proj"), KvWidth, Width);

    private Llama2CTensor Value(int layer) => new(Of(layer, "self_attn.v_proj"), KvWidth, Width);

    private Llama2CTensor Output(int layer) => new(Of(layer, "self_attn.o_proj"), Width, Width);

    private Llama2CTensor Gate(int layer) => new(Of(layer, "mlp.gate_proj"), MlpWidth, Width);

    private Llama2CTensor Up(int layer) => new(Of(layer, "mlp.up_proj"), MlpWidth, Width);

    private Llama2CTensor Down(int layer) => new(Of(layer, "mlp.down_proj"), Width, MlpWidth);

    private Int128 Size(Llama2CTensor tensor)
    {
        Int128 elements = (Int128)tensor.Rows * tensor.Columns;
        return Version == 2 && !tensor.IsVector ? elements + (elements / GroupSize * sizeof(float)) : elements * sizeof(float);
    }
}
