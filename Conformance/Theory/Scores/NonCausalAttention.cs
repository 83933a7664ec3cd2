using KvIL.Eviction;
using static KvIL.Conformance.Theory.Arrays;

namespace KvIL.Conformance.Theory.Scores;

/// <summary>Attention that the rows of a chunk give each other without a causal mask, times the norm of the values.</summary>
/// <remarks>
/// Compactor (arXiv:2507.08143); kvpress, <c>NonCausalAttnPress</c>. Logits are not divided by √d; C(j) is the chunk of j:
/// <code>
/// c[g, j] = mean_{i in g} Σ_{t in C(j)} softmax_{j' in C(j)}( q_i(t) · k(j') )[j]
/// s       = z( pool₃( c[g, j] · ‖v[g, j]‖₂ ) )          z: mean 0 and variance 1 over all heads and rows
/// </code>
/// </remarks>
/// <param name="Chunk">Rows of a chunk.</param>
/// <param name="PublishedPadding">
/// The published defect: a last chunk that is not full is filled up with rows of zeros that take and give attention, because the
/// mask adds −1e-9 where −1e9 was meant.
/// </param>
public sealed record NonCausalAttention(int Chunk = 256, bool PublishedPadding = false) : IScore
{
    /// <inheritdoc/>
    public ScoreNeeds Needs => ScoreNeeds.Queries | ScoreNeeds.Keys | ScoreNeeds.Values;

    /// <inheritdoc/>
    public double[,] Of(ScoreInputs x)
    {
        return ZNormalised(BeforeNormalising(x));
    }

    /// <summary><c>pool₃( c[g, j] · ‖v[g, j]‖₂ )</c>; of rows whose query is not at hand only what they get counts.</summary>
    public double[,] BeforeNormalising(ScoreInputs x)
    {
        int heads = x.Queries.GetLength(0);
        double[][] sums = [.. Enumerable.Range(0, heads).Select(i => ColumnSums(x, i, i / (heads / x.KvHeads)))];
        double[,] c = GroupMean(Table(heads, x.Length, (i, j) => sums[i][j]), x.KvHeads);
        double[,] weighted = Table(x.KvHeads, x.Length, (g, j) => c[g, j] * Norm(Vector(x.Values, g, j)));
        return WindowScores.Pool(weighted, 3, PoolKind.Avg);
    }

    private double[] ColumnSums(ScoreInputs x, int i, int g)
    {
        double[] sums = new double[x.Length];
        for (int first = 0; first < x.Length; first += Chunk)
        {
            int count = Math.Min(Chunk, x.Length - first);
            int padding = PublishedPadding ? Chunk - count : 0;
            for (int t = 0; t < count + padding; t++)
            {
                int query = t < count ? x.Positions[first + t] - x.Oldest : 0;
                if (query < 0 || query >= x.AtHand) continue;
                double Logit(int j) => j >= count ? -1e-9 : t >= count ? 0
                    : Dot(Vector(x.Queries, i, query), Vector(x.Keys, g, first + j));
                double[] weights = WindowScores.Softmax([.. Enumerable.Range(0, count + padding).Select(Logit)]);
                for (int j = 0; j < count; j++) sums[first + j] += weights[j];
            }
        }

        return sums;
    }
}
