namespace KvIL.Eviction.Scores;

/// <summary>How rows are ranked, as data: one of the published scores, or a user's own (<see cref="HostScore"/>). Higher is kept.</summary>
/// <remarks>
/// SnapKV's, H2O's and StreamingLLM's scores are ops of their own (<see cref="Ops.WindowScoresOp"/>, <see cref="Ops.RecencyScoresOp"/>);
/// the others are computed by a <see cref="Ops.ScoreRowsOp"/>. Protected rows, first and last ones, never compete: no rule gives them
/// a sentinel. Shapes as in <see cref="ScoreNeeds"/>.
/// </remarks>
public abstract record ScoreRule
{
    private protected ScoreRule()
    {
    }

    /// <summary>What the rule reads: only what is named here is kept for it.</summary>
    public abstract ScoreNeeds Needs { get; }

    /// <summary>Whether a part of a run can be scored for itself: the rule reads rows alone, and keeps none by where they stand.</summary>
    public virtual bool ScoresParts => (Needs & ~(ScoreNeeds.Keys | ScoreNeeds.Values | ScoreNeeds.PreRopeKeys)) == 0;

    /// <summary>Rows at the start and the end of a run of <paramref name="length"/> rows that are always kept, at least those that the policy names.</summary>
    public virtual (int Sinks, int Window) Protected(int length, int sinks, int window) => (sinks, window);
}

/// <summary>Observed attention: H2O's sum per query that can see the row, which takes the advantage of early rows away.</summary>
/// <remarks>kvpress, <c>ObservedAttentionPress</c>: <c>s[g, j] = mean_{i in g} ( Σ_{t ≥ j} a[i, t, j] / (T − j) )</c>, over the queries at hand; T − j are those that see the row, and 0 where none does.</remarks>
public sealed record ObservedAttentionScore : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => ScoreNeeds.Queries | ScoreNeeds.Keys;
}

/// <summary>TOVA: attention of the last query, the same for all heads of a layer.</summary>
/// <remarks>TOVA (arXiv:2401.06104): <c>s[g, j] = mean over all query heads of a[i, T − 1, j]</c>.</remarks>
public sealed record TovaScore : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => ScoreNeeds.LastRow | ScoreNeeds.Keys;
}

/// <summary>Knorm, or L2Norm: keys of small norm are attended to most.</summary>
/// <remarks>Devoto et al. (arXiv:2406.11430): <c>s[g, j] = −‖k[g, j]‖₂</c>.</remarks>
public sealed record KnormScore : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => ScoreNeeds.Keys;
}

/// <summary>KeyDiff: keys that point elsewhere than the mean key are kept.</summary>
/// <remarks>KeyDiff (arXiv:2504.15364): <c>anchor[g] = mean_j k[g, j]/‖k[g, j]‖      s[g, j] = −cos(k[g, j], anchor[g])</c>.</remarks>
public sealed record KeyDiffScore : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => ScoreNeeds.Keys;
}

/// <summary>Expected attention: what queries to come would give a key, were they normal with the statistics of those seen.</summary>
/// <remarks>
/// Expected Attention (arXiv:2510.00636). With q̃_t = R̄ q_t the pre-RoPE queries after the sinks under the mean rotation R̄ of the next positions:
/// <code>
/// z[i, j] = mean_t(q̃_t · k_j)/√d + var_t(q̃_t · k_j)/(2d)        s[g, j] = ( mean_{i in g} softmax_j z[i, j] + ε ) · ‖v[g, j]‖₂
/// </code>
/// </remarks>
/// <param name="Future">Positions that R̄ is the mean of, from the next one on.</param>
/// <param name="Epsilon">ε.</param>
public sealed record ExpectedAttentionScore(int Future, Ratio Epsilon) : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => ScoreNeeds.PreRopeQueries | ScoreNeeds.Keys | ScoreNeeds.Values;
}

/// <summary>LagKV: rows whose keys and values spread unevenly, measured by the ranges of the block that follows theirs.</summary>
/// <remarks>LagKV (arXiv:2504.04704): ranks inside blocks; the last whole block and what follows it are kept. A short run ranks by position.</remarks>
/// <param name="Lag">Rows of a block.</param>
public sealed record LagKvScore(int Lag) : ScoreRule
{
    /// <inheritdoc/>
    public override bool ScoresParts => false;

    /// <inheritdoc/>
    public override ScoreNeeds Needs => ScoreNeeds.Keys | ScoreNeeds.Values;

    /// <inheritdoc/>
    public override (int Sinks, int Window) Protected(int length, int sinks, int window)
    {
        int rest = Math.Max(length - sinks, 0);
        int tail = rest < 2 * (long)Lag ? 0 : Lag + (rest % Lag);
        return (sinks, Math.Max(window, tail));
    }
}

/// <summary>FINCH: SnapKV without pooling, each query's weights times the number of rows before it.</summary>
/// <remarks>FINCH (arXiv:2408.00167): <c>s[g, j] = mean_{i in g} mean_t (p_t) · a[i, t, j]</c>, p_t the rows that stand before query t.</remarks>
public sealed record FinchScore : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => ScoreNeeds.WindowQueries | ScoreNeeds.Keys;
}

/// <summary>CAKE: mean and variance over the window's queries, so that rows whose attention moves are kept too.</summary>
/// <remarks>CAKE (arXiv:2503.12491): <c>s[g, j] = mean_{i in g} pool_j( mean_t a[i, t, j] + γ var_t a[i, t, j] )</c>, var with w − 1, average pooling.</remarks>
/// <param name="Gamma">γ.</param>
/// <param name="Kernel">Pooling kernel, odd.</param>
public sealed record CakeScore(Ratio Gamma, int Kernel) : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => ScoreNeeds.WindowQueries | ScoreNeeds.Keys;
}

/// <summary>CurDKV: squared norms of keys and values as approximate leverage scores, inside small windows.</summary>
/// <remarks>CurDKV (arXiv:2509.15038): <c>s[j] = (‖k_j‖²/Σ_{W(j)} ‖k‖²) (‖v_j‖²/Σ_{W(j)} ‖v‖²)</c>, as a share of the sum over the run.</remarks>
/// <param name="Local">Rows of a window; 0 takes the norms as they are.</param>
public sealed record CurDkvScore(int Local) : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => ScoreNeeds.Keys | ScoreNeeds.Values;
}

/// <summary>Attention that the rows of a chunk give each other without a causal mask, times the norm of the values.</summary>
/// <remarks>Compactor (arXiv:2507.08143); kvpress, <c>NonCausalAttnPress</c>, without its padding. Normalised over all heads and rows.</remarks>
/// <param name="Chunk">Rows of a chunk.</param>
public sealed record NonCausalAttentionScore(int Chunk) : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => ScoreNeeds.Queries | ScoreNeeds.Keys | ScoreNeeds.Values;
}

/// <summary>Statistical leverage of a row's pre-RoPE key among all of its head's.</summary>
/// <remarks>Compactor (arXiv:2507.08143), without the sketch: <c>ℓ[j] = x_jᵀ (XᵀX + λI)⁻¹ x_j</c>, X the centred keys; normalised over all heads and rows.</remarks>
/// <param name="Jitter">λ.</param>
public sealed record LeverageScore(Ratio Jitter) : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => ScoreNeeds.PreRopeKeys;
}

/// <summary>CapKV: ridge leverage of the values, weighted by how near their keys are to the queries seen.</summary>
/// <remarks>CapKV (arXiv:2604.25975): <c>s[g, j] = mean_{i in g} w[i, j] · v_jᵀ ( I + Σ w v vᵀ )⁻¹ v_j</c>, w by the angle of key and mean query.</remarks>
/// <param name="Tau">τ, inverse temperature of the weights.</param>
/// <param name="Future">Positions that the mean rotation covers.</param>
public sealed record CapKvScore(Ratio Tau, int Future) : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => ScoreNeeds.PreRopeQueries | ScoreNeeds.Keys | ScoreNeeds.Values;
}

/// <summary>Q-Filters: keys along the direction that the head's queries avoid are dropped.</summary>
/// <remarks>
/// Q-Filters (arXiv:2503.02812): <c>s[g, j] = −f_g · k[g, j]</c>. Nothing is read from a file: f_g is the first right singular vector of the
/// group's queries at hand, with its sign such that on average queries point against it.
/// </remarks>
public sealed record QFilterScore : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => ScoreNeeds.Queries | ScoreNeeds.Keys;
}

/// <summary>The control: uniform numbers, a pure function of seed, head and position (<see cref="RandomScore"/>).</summary>
/// <param name="Seed">Chooses the numbers.</param>
public sealed record RandomRowsScore(int Seed) : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => ScoreNeeds.None;
}

/// <summary>A score of one's own in C#: a host op, which runs on the CPU.</summary>
/// <param name="Scorer">The score.</param>
public sealed record HostScore(IScorer Scorer) : ScoreRule
{
    /// <inheritdoc/>
    public override ScoreNeeds Needs => Scorer.Needs;
}
