using KvIL.Eviction;
using static KvIL.Conformance.Theory.Arrays;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>Statistical leverage of a row's pre-RoPE key among all of its head's.</summary>
/// <remarks>
/// Compactor (arXiv:2507.08143); kvpress, <c>LeverageScorePress</c>. X the keys of a head, centred over the rows, times a sketch Φ of standard normals over √m:
/// <code>ℓ[j] = x_jᵀ (XᵀX + λI)⁻¹ x_j        s = z(ℓ) over all heads and rows</code>
/// </remarks>
/// <param name="Sketch">Standard normals <c>[kv, d, m]</c>; none takes the keys themselves.</param>
/// <param name="Jitter">λ.</param>
public sealed record LeverageScore(double[,,]? Sketch = null, double Jitter = 1e-2) : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.PreRopeKeys;

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        double[][] leverage = [.. Enumerable.Range(0, x.KvHeads).Select(g => BeforeNormalising(Vectors(x.PreRopeKeys, g), g))];
        return ZNormalised(Table(x.KvHeads, x.Length, (g, j) => leverage[g][j]));
    }

    /// <summary>ℓ of the keys of one head.</summary>
    public double[] BeforeNormalising(double[][] keys, int g = 0) =>
        keys.Length == 0 ? [] : [.. Leverage(Sketched(keys, g)).Select(y => Math.Max(y, 0))];

    private double[] Leverage(double[][] rows)
    {
        int m = rows[0].Length;
        double[,] gram = Table(m, m, (a, b) => rows.Sum(r => r[a] * r[b]) + (a == b ? Jitter : 0));
        return InverseForms(gram, rows);
    }

    private double[][] Sketched(double[][] keys, int g)
    {
        double[] mean = Mean(keys);
        double[][] centred = [.. keys.Select(k => k.Select((y, c) => y - mean[c]).ToArray())];
        if (Sketch is null) return centred;
        int m = Sketch.GetLength(2);
        return [.. centred.Select(k => Enumerable.Range(0, m)
            .Select(a => k.Select((y, c) => y * Sketch[g, c, a]).Sum() / Math.Sqrt(m)).ToArray())];
    }
}
