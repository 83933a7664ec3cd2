namespace KvIL.Conformance.Golden.Eviction;

/// <summary>A tensor of a golden set, widened to double; float32 values are exact in it.</summary>
/// <param name="Shape">Dimensions, outermost first.</param>
/// <param name="Values">Elements, row-major: as many as the product of <paramref name="Shape"/>.</param>
public sealed record GoldenTensor(IReadOnlyList<int> Shape, double[] Values)
{
    /// <summary>The shape as text, such as <c>[4, 80]</c>.</summary>
    public string Show => $"[{string.Join(", ", Shape)}]";

    /// <summary>As a table.</summary>
    public double[,] Matrix()
    {
        double[,] m = new double[Shape[0], Shape[1]];
        Buffer.BlockCopy(Values, 0, m, 0, Values.Length * sizeof(double));
        return m;
    }

    /// <summary>As a table of vectors.</summary>
    public double[,,] Cube()
    {
        double[,,] m = new double[Shape[0], Shape[1], Shape[2]];
        Buffer.BlockCopy(Values, 0, m, 0, Values.Length * sizeof(double));
        return m;
    }

    /// <summary>A table's rows as the float32 numbers that the official code ranked.</summary>
    public float[][] Rows() => [.. Values.Select(x => (float)x).Chunk(Shape[1])];
}
