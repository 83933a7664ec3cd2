using KvIL.Tensors;

namespace KvIL.Conformance.Generators;

/// <summary>Inputs of the transformer's rowwise ops.</summary>
/// <param name="N">Rows.</param>
/// <param name="Width">Columns.</param>
/// <param name="Outputs">Rows of a weight: output channels, or the vocabulary.</param>
/// <param name="WeightType">Stored type of the weight.</param>
/// <param name="Values">What the rows hold.</param>
/// <param name="Bias">Whether there is a bias.</param>
/// <param name="Seed">Seed of the data.</param>
public sealed record RowsCase(int N, int Width, int Outputs, DType WeightType, ValueKind Values, bool Bias, int Seed) : ICase<RowsCase>
{
    /// <inheritdoc/>
    public static RowsCase Generate(Random random) => new(
        random.Tokens(),
        random.Extent(),
        random.Extent(),
        random.Of(DType.F32, DType.F16, DType.BF16),
        random.Of(ValueKind.Normal, ValueKind.Large, ValueKind.Ties),
        random.Of(false, true),
        random.Next());

    /// <inheritdoc/>
    public IEnumerable<RowsCase> Shrink()
    {
        if (N > 1) yield return this with { N = N / 2 };
        if (Width > 1) yield return this with { Width = Width / 2 };
        if (Outputs > 1) yield return this with { Outputs = Outputs / 2 };
        if (Bias) yield return this with { Bias = false };
        if (WeightType != DType.F32) yield return this with { WeightType = DType.F32 };
        if (Values != ValueKind.Normal) yield return this with { Values = ValueKind.Normal };
    }

    /// <summary>F32 <c>[n, width]</c>.</summary>
    public HostTensor Rows(int stream) => HostTensor.F32(Draw.Values(Seed, stream, N * Width, Values), N, Width);

    /// <summary>As many elements as asked for.</summary>
    public double[] Rows(int stream, int count) => [.. Draw.Values(Seed, stream, count, Values).Select(x => (double)(float)x)];

    /// <summary>A weight.</summary>
    public HostTensor Weight(int stream, params ReadOnlySpan<Dim> dims) =>
        HostTensor.Weight(WeightType, Draw.Values(Seed, stream, (int)new Shape(dims).MaxElements, ValueKind.Normal), dims);

    /// <summary>I32 <c>[n]</c> in [0, <paramref name="limit"/>).</summary>
    public HostTensor Indices(int stream, int limit) => HostTensor.I32(Draw.Integers(Seed, stream, N, limit));
}
