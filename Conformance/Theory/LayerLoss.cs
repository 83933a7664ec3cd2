namespace KvIL.Conformance.Theory;

/// <summary>The loss of an eviction at one query of one layer, and the chain of bounds on it: L ≤ θ ≤ ε_head ≤ ε.</summary>
/// <param name="L">Loss.</param>
/// <param name="Theta">θ.</param>
/// <param name="EpsilonHead">ε_head.</param>
/// <param name="Epsilon">ε.</param>
public readonly record struct LossChain(double L, double Theta, double EpsilonHead, double Epsilon)
{
    /// <summary>The four numbers in the order of the chain.</summary>
    public double[] ToArray() => [L, Theta, EpsilonHead, Epsilon];
}

/// <summary>What evicting any rows of a layer costs one query, in double: <see cref="EvictionLoss"/> for prompts of many tokens.</summary>
/// <remarks>
/// Ada-KV (arXiv:2407.11550), §3. The rows' norms are computed once, and the output's change goes through W^O once a head:
/// <code>
/// u_ij = W_i v_j    C_i = max_j ‖u_ij‖₁ over all rows    Δ_i = Σ_j (A_ij − [j kept] A_ij / F_i) v_j
/// L = ‖Σ_i W_i Δ_i‖₁
/// </code>
/// A head that keeps nothing of its attention has output 0, and the bounds still hold.
/// </remarks>
public sealed class LayerLoss
{
    private readonly AttentionLayer _layer;
    private readonly double[][] _attention; // A
    private readonly double[][] _norms; // ‖u_ij‖₁
    private readonly double[][] _terms; // Σ_o Σ_c |W_i[c, o] v_jc| ≥ ‖u_ij‖₁: what its rounding is relative to
    private readonly double _magnitude;

    /// <summary>The loss at a query.</summary>
    /// <param name="layer">The layer, with values and W^O.</param>
    /// <param name="query"><c>[h·d]</c> after RoPE.</param>
    /// <param name="position">The query's position.</param>
    public LayerLoss(AttentionLayer layer, ReadOnlySpan<double> query, int position)
    {
        ArgumentNullException.ThrowIfNull(layer);
        _layer = layer;
        _attention = layer.Attention(query, position);
        _magnitude = layer.LogitMagnitude(query);
        _norms = new double[layer.QueryHeads][];
        _terms = new double[layer.QueryHeads][];
        Parallel.For(0, layer.QueryHeads, Measure);
        HeadNorms = [.. _norms.Select(norms => norms.Max())];
    }

    /// <summary>C_i of each query head.</summary>
    public IReadOnlyList<double> HeadNorms { get; }

    /// <summary><c>C = max_i C_i</c>.</summary>
    public double Norm => HeadNorms.Max();

    /// <summary><c>F_i = Σ_{j kept} A_ij</c> of each query head.</summary>
    /// <param name="kept">Rows that each KV head keeps.</param>
    public double[] RetainedMass(int[][] kept) => Masses(kept, keep: true);

    /// <summary><c>1 − F_i</c>, summed over the rows dropped.</summary>
    public double[] DroppedMass(int[][] kept) => Masses(kept, keep: false);

    /// <summary>Loss and bounds of keeping <paramref name="kept"/>.</summary>
    /// <param name="kept">Rows that each KV head keeps.</param>
    public LossChain Of(int[][] kept) => Chain(kept, _norms) with { L = Loss(kept) };

    /// <summary>How far a float32 backend's figures may be from <see cref="Of"/>: <see cref="Tolerance.Loss"/> of their absolute terms.</summary>
    /// <remarks>The terms of L cancel; their absolute values sum to no more than <c>2 Σ_i max_j Ũ_ij</c>, Ũ the sum behind ‖u‖₁ without signs.</remarks>
    /// <param name="kept">Rows that each KV head keeps.</param>
    public LossChain Rounding(int[][] kept)
    {
        double spread = Tolerance.AttentionSpread(_layer.Tokens, _layer.HeadDim, _magnitude, _layer.Rule.SoftCap is not null);
        double kappa = Tolerance.Loss(spread, _layer.Tokens, _layer.HeadDim, _layer.QueryHeads, _layer.Width);
        LossChain terms = Chain(kept, _terms) with { L = 2 * _terms.Sum(row => row.Max()) };
        double[] bounds = [.. terms.ToArray().Select(x => (kappa * x) + Tolerance.Tiny)];
        return new(bounds[0], bounds[1], bounds[2], bounds[3]);
    }

    private void Measure(int i)
    {
        (_norms[i], _terms[i]) = (new double[_layer.Tokens], new double[_layer.Tokens]);
        for (int j = 0; j < _layer.Tokens; j++)
        {
            ReadOnlySpan<double> value = _layer.Value(i / _layer.Group, j);
            for (int o = 0; o < _layer.Width; o++)
            {
                ReadOnlySpan<double> projection = _layer.Projection(i, o);
                (double sum, double terms) = (0, 0);
                for (int c = 0; c < value.Length; c++)
                {
                    double product = value[c] * projection[c];
                    sum += product;
                    terms += Math.Abs(product);
                }

                _norms[i][j] += Math.Abs(sum);
                _terms[i][j] += terms;
            }
        }
    }

    private double Loss(int[][] kept)
    {
        double[] change = new double[_layer.Width];
        (double[] retained, double[] dropped) = (RetainedMass(kept), DroppedMass(kept));
        for (int i = 0; i < _layer.QueryHeads; i++)
        {
            double[] delta = new double[_layer.HeadDim];
            bool[] keeps = Kept(kept, i);
            for (int j = 0; j < _layer.Tokens; j++)
            {
                // A − A/F = −A (1 − F)/F, so that nothing cancels near F = 1.
                double weight = !keeps[j] ? _attention[i][j] : retained[i] > 0 ? -_attention[i][j] * dropped[i] / retained[i] : 0;
                ReadOnlySpan<double> value = _layer.Value(i / _layer.Group, j);
                for (int c = 0; c < delta.Length; c++) delta[c] += weight * value[c];
            }

            for (int o = 0; o < change.Length; o++) change[o] += AttentionLayer.Dot(delta, _layer.Projection(i, o));
        }

        return change.Sum(Math.Abs);
    }

    // θ, ε_head and ε of rows with these norms; L is left open.
    private LossChain Chain(int[][] kept, double[][] norms)
    {
        (double[] retained, double[] dropped) = (RetainedMass(kept), DroppedMass(kept));
        (double theta, double epsilonHead) = (0, 0);
        for (int i = 0; i < norms.Length; i++)
        {
            bool[] keeps = Kept(kept, i);
            double factor = retained[i] > 0 ? dropped[i] / retained[i] : 0;
            for (int j = 0; j < keeps.Length; j++) theta += (keeps[j] ? factor : 1) * _attention[i][j] * norms[i][j];
            epsilonHead += 2 * norms[i].Max() * dropped[i];
        }

        return new(0, theta, epsilonHead, 2 * norms.Max(row => row.Max()) * dropped.Sum());
    }

    private double[] Masses(int[][] kept, bool keep)
    {
        double[] masses = new double[_layer.QueryHeads];
        for (int i = 0; i < masses.Length; i++)
        {
            bool[] keeps = Kept(kept, i);
            for (int j = 0; j < keeps.Length; j++) masses[i] += keeps[j] == keep ? _attention[i][j] : 0;
        }

        return masses;
    }

    private bool[] Kept(int[][] kept, int head)
    {
        bool[] keeps = new bool[_layer.Tokens];
        foreach (int j in kept[head / _layer.Group]) keeps[j] = true;
        return keeps;
    }
}
