using System.Globalization;

namespace KvIL.Ops;

/// <summary>How the logit of a query and a key is made, and which rows a query sees.</summary>
/// <remarks>
/// <code>
/// s_j = c · tanh(scale · q·k_j / c)   where row j is visible, else −∞;  without a soft cap s_j = scale · q·k_j
/// row j is visible to a query at position p when p − W &lt; p_j ≤ p;  when p − W &lt; p_j &lt; p where only the past is seen
/// </code>
/// Beltagy et al. 2020 (arXiv:2004.05150), §3.1, for the window; Gemma team 2024 (arXiv:2408.00118), §2, for the soft cap. Positions
/// ascend within a run, so the visible rows stand together. Only the past: Wu and Tu 2024 (arXiv:2405.10637), §3.1, for layers that read the
/// keys of a layer above them, which has not run yet for the query's own token.
/// </remarks>
/// <param name="Scale">Factor of the logits, 1/√head_dim as a rule.</param>
/// <param name="Window">W ≥ 1, the query's own position included; null for all rows up to the query's.</param>
/// <param name="SoftCap">c &gt; 0; null for none.</param>
/// <param name="StrictlyPast">Whether a query sees no row at its own position.</param>
public readonly record struct AttentionRule(float Scale, int? Window = null, float? SoftCap = null, bool StrictlyPast = false)
{
    /// <summary>A rule without window and soft cap.</summary>
    public static implicit operator AttentionRule(float scale) => new(scale);

    /// <summary>W, or the largest integer: as a window it hides nothing.</summary>
    public int WindowOrAll => Window ?? int.MaxValue;

    /// <summary>By how much the last visible position stands before the query's.</summary>
    public int Lag => StrictlyPast ? 1 : 0;

    /// <summary>Whether a query at one position sees a row at another.</summary>
    public bool Sees(int query, int row) => row <= (long)query - Lag && row > query - (long)WindowOrAll;

    /// <summary>Parameters as printed.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"scale={Scale:R}{(Window is int w ? $", sees={w}" : "")}{(SoftCap is float c ? $", cap={c:R}" : "")}{(StrictlyPast ? ", past" : "")}");
}
