using System.Runtime.Intrinsics;
using KvIL.Ops;
using KvIL.Reference.Simd;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary>Softmax attention of up to 32 queries over the rows of a run, one query in each lane: element (j, t) at <c>x[32 j + t]</c>.</summary>
/// <remarks>
/// Products are chains of fused multiply-adds in ascending channel (<see cref="Tile"/>), maxima and sums run down the rows inside a
/// lane: the same bits at every vector width and thread count.
/// </remarks>
internal static unsafe class AttentionPanel
{
    /// <summary>Floats of scratch: a panel of queries and eight widened keys.</summary>
    public static long ScratchFloats(int headDim) => ((long)headDim * Tile.Width) + ((long)Tile.Height * headDim);

    /// <summary><c>logits[j, t] = q_t · k_j</c> for the queries packed at the start of <paramref name="scratch"/>.</summary>
    public static void Logits(byte* keys, DType type, int rows, int d, float* scratch, float* logits)
    {
        float* widened = scratch + ((long)d * Tile.Width);
        for (int j = 0; j < rows; j += Tile.Height)
        {
            int height = Math.Min(Tile.Height, rows - j);
            float* part = (float*)(keys + (j * type.SizeBytes(d)));
            if (type != DType.F32)
            {
                Elements.Widen(type, (byte*)part, widened, (long)height * d);
                part = widened;
            }

            Tile.Multiply(part, d, 1, height, scratch, d, logits + ((long)j * Tile.Width), accumulate: false);
        }
    }

    /// <summary>Eight lanes: logits become <c>exp(cap(scale · logit) − maximum)</c>, 0 where a query does not see the row.</summary>
    /// <param name="logits">The first of the lanes.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="positions">Positions of the rows; null where every query sees every row.</param>
    /// <param name="firstQuery">Position of the query of the first lane; the others follow.</param>
    /// <param name="rule">How logits are made.</param>
    /// <param name="divisor">w.</param>
    /// <returns><c>1 / (w · Σ)</c>; 0 for a query that sees no row, rather than 0/0.</returns>
    public static Vector256<float> Softmax(float* logits, int rows, int* positions, int firstQuery, AttentionRule rule, int divisor)
    {
        Vector256<int> query = Vector256.Create(firstQuery) + Vector256<int>.Indices;
        Vector256<int> before = query - Vector256.Create(rule.WindowOrAll); // the last position that is hidden again
        Vector256<int> newest = query - Vector256.Create(rule.Lag);
        float cap = rule.SoftCap ?? 0;
        Vector256<float> maximum = Vector256.Create(float.MinValue);
        for (int j = 0; j < rows; j++)
        {
            float* logit = logits + ((long)j * Tile.Width);
            Vector256<float> scaled = Vector256.Load(logit) * rule.Scale;
            scaled = cap > 0 ? Lanes.SoftCap(scaled, cap) : scaled;
            if (positions is not null)
            {
                Vector256<int> position = Vector256.Create(positions[j]);
                scaled = Vector256.ConditionalSelect(
                    (Vector256.GreaterThanOrEqual(newest, position) & Vector256.GreaterThan(position, before)).AsSingle(),
                    scaled, Vector256.Create(float.NegativeInfinity));
            }

            scaled.Store(logit);
            maximum = Vector256.Max(maximum, scaled);
        }

        Vector256<float> sum = default;
        for (int j = 0; j < rows; j++)
        {
            float* logit = logits + ((long)j * Tile.Width);
            Vector256<float> e = Lanes.Exp(Vector256.Load(logit) - maximum);
            e.Store(logit);
            sum += e;
        }

        return Vector256.ConditionalSelect(
            Vector256.GreaterThan(sum, Vector256<float>.Zero), Vector256<float>.One / (sum * divisor), Vector256<float>.Zero);
    }

    /// <summary>Eight lanes of every row times their factors.</summary>
    public static void Scale(float* weights, int rows, Vector256<float> factor)
    {
        for (int j = 0; j < rows; j++)
        {
            float* weight = weights + ((long)j * Tile.Width);
            (Vector256.Load(weight) * factor).Store(weight);
        }
    }

    /// <summary>The first <paramref name="count"/> lanes; 0 in the others.</summary>
    public static Vector256<float> FirstLanes(Vector256<float> x, int count) => Vector256.ConditionalSelect(
        Vector256.LessThan(Vector256<int>.Indices, Vector256.Create(count)).AsSingle(), x, Vector256<float>.Zero);
}
