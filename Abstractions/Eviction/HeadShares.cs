namespace KvIL.Eviction;

/// <summary>Integer rules that split a store's B rows over its H heads, head i having n_i candidates.</summary>
/// <remarks>
/// Every rule keeps 0 ≤ B_i ≤ n_i and Σ B_i = min(B, Σ n_i). When B ≥ Σ n_i every head keeps everything; the rules below are for
/// B &lt; Σ n_i. They are scalar and never throw, so that a GPU compiles them too; callers guard with <see cref="Fits"/>.
/// <para>Heads of different sizes (a store that was compacted before) are filled like connected vessels, to a common height λ*:</para>
/// <code>
/// u_i   = min(n_i, λ*)  with  Σ u_i = B                                      the ideal uniform share
/// level = the largest integer with Σ min(n_i, level) ≤ B                     = ⌊λ*⌋
/// open  = #{i : n_i &gt; level} ≥ 1      openRows = B − Σ {n_i : n_i ≤ level}    λ* = openRows / open
/// </code>
/// With equal n_i: open = H, openRows = B, λ* = B/H, which is the rule for equal heads.
/// </remarks>
public static class HeadShares
{
    /// <summary>
    /// Whether the rules below stay inside 64 bits: H · max n_i · R &lt; 2⁶³, R the denominator of the floor share.
    /// </summary>
    public static bool Fits(long heads, long maxCandidates, long denominator) =>
        maxCandidates == 0 || heads <= long.MaxValue / maxCandidates / denominator;

    /// <summary><c>min(n_i, level)</c>: the rows of one head when all are filled to a common level.</summary>
    public static long Filled(long candidates, long level) => candidates < level ? candidates : level;

    /// <summary>
    /// The uniform share in whole rows: rows dealt one at a time in rounds, lowest head first, full heads skipped.
    /// </summary>
    /// <remarks>
    /// <code>B_i = n_i ≤ level ? n_i : level + [openBefore &lt; spare]      spare = openRows − open · level &lt; open</code>
    /// Grows with B in every head.
    /// </remarks>
    /// <param name="candidates">n_i.</param>
    /// <param name="level">The common level.</param>
    /// <param name="spare">Rows left when all are filled to the level.</param>
    /// <param name="openBefore">Lower heads with more candidates than the level.</param>
    public static long UniformShare(long candidates, long level, long spare, long openBefore) =>
        candidates <= level ? candidates : openBefore < spare ? level + 1 : level;

    /// <summary>Numerator of the ideal uniform share: <c>u_i = UniformNumerator / open</c>.</summary>
    public static long UniformNumerator(long candidates, long level, long open, long openRows) =>
        candidates <= level ? open * candidates : openRows;

    /// <summary>Numerator of an Ada blend's quota over <c>open · R</c>, for the floor share r = a/R.</summary>
    /// <remarks>
    /// Ada-KV (arXiv:2407.11550), Algorithm 2, with the total met exactly:
    /// <code>
    /// quota_i = (1 − r) · f_i + r · u_i  =  N_i / (open · R)      N_i = (R − a) · open · f_i + a · UniformNumerator_i
    /// B_i     = ⌊quota_i⌋ + [head i has one of the largest B − Σ ⌊quota⌋ remainders]
    /// </code>
    /// f_i ≤ n_i and u_i ≤ n_i, so quota_i ≤ n_i, and a head at n_i has no remainder. With equal n_i every B_i grows with B;
    /// with unequal ones a remainder may move between heads.
    /// </remarks>
    /// <param name="adaptive">f_i, the head's count in the global top B.</param>
    /// <param name="uniformNumerator">The head's <see cref="UniformNumerator"/>.</param>
    /// <param name="open">Heads with more candidates than the level.</param>
    /// <param name="a">Numerator of the floor share.</param>
    /// <param name="denominator">Denominator R of the floor share.</param>
    public static long BlendNumerator(long adaptive, long uniformNumerator, long open, long a, long denominator) =>
        ((denominator - a) * open * adaptive) + (a * uniformNumerator);

    /// <summary>Whether head i gets a spare row before head j: larger remainder first, then the lower head.</summary>
    public static bool RemainderComesFirst(long remainderI, int i, long remainderJ, int j) =>
        remainderI > remainderJ || (remainderI == remainderJ && i < j);

    /// <summary>Rows that floor mode reserves for a head: <c>m_i = ⌊r · u_i⌋</c>, r = a/R.</summary>
    /// <remarks>
    /// kvpress's AdaKV, with <c>⌊r · B/H⌋</c> for equal heads. The rest goes to the best remaining rows of all
    /// heads.
    /// </remarks>
    public static long FloorRows(long uniformNumerator, long open, long a, long denominator) =>
        a * uniformNumerator / (open * denominator);

    /// <summary>Rows that mask mode reserves for a head: as floor mode, but the guarantee counts the protected rows and is at least one row.</summary>
    /// <remarks>
    /// kvpress's AdaKV: the best <c>max(1, ⌊r · (u_i + P_i)⌋)</c> rows of a head stay, P_i protected ones among them. At most the uniform
    /// share in whole rows, so that the guarantees fit the total: it is less only where that share is 0.
    /// <code>m_i = min( max(0, max(1, ⌊r (u_i + P_i)⌋) − P_i), UniformShare_i )</code>
    /// </remarks>
    /// <param name="uniformNumerator">The head's <see cref="UniformNumerator"/>.</param>
    /// <param name="open">Heads with more candidates than the level.</param>
    /// <param name="a">Numerator of the floor share.</param>
    /// <param name="denominator">Denominator R of the floor share.</param>
    /// <param name="protectedRows">P_i.</param>
    /// <param name="uniformShare">The head's <see cref="UniformShare"/>.</param>
    public static long MaskRows(long uniformNumerator, long open, long a, long denominator, long protectedRows, long uniformShare)
    {
        long promised = FloorRows(uniformNumerator + (open * protectedRows), open, a, denominator);
        promised = (promised > 1 ? promised : 1) - protectedRows;
        promised = promised > 0 ? promised : 0;
        return promised < uniformShare ? promised : uniformShare;
    }

    /// <summary>
    /// Rows of a head whose best <paramref name="reserved"/> are promised and <paramref name="above"/> beat the
    /// threshold.
    /// </summary>
    /// <remarks><code>max(m_i, g_i)</code> Summed over heads this grows by at most one with each row of the global order.</remarks>
    public static long Claimed(long reserved, long above) => reserved > above ? reserved : above;

    /// <summary>Rows that a head adds to <see cref="Claimed"/> out of its rows that equal the threshold.</summary>
    /// <remarks>Heads are asked in ascending order, each with what the lower ones left.</remarks>
    /// <param name="reserved">m_i; 0 when nothing is promised.</param>
    /// <param name="above">Rows above the threshold.</param>
    /// <param name="equal">Rows at the threshold.</param>
    /// <param name="remaining">Rows not yet given away.</param>
    public static long TieShare(long reserved, long above, long equal, long remaining)
    {
        long unclaimed = Claimed(reserved, above + equal) - Claimed(reserved, above);
        return unclaimed < remaining ? unclaimed : remaining;
    }
}
