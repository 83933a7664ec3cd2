using System.Collections.Immutable;
using System.Globalization;

namespace KvIL.Eviction;

/// <summary>A weight for each KV head of each layer, by which a policy's rows are split whatever a prompt scores.</summary>
/// <remarks>
/// LU-KV (arXiv:2602.08585) has the shares that heads keep, HeadKV the importance that was measured of them: both are such weights w.
/// With n rows of a head that compete and b rows on average that are not protected, L layers of H heads:
/// <code>
/// x[l, h] = the split of b·L·H rows in proportion to w, at most n each        <see cref="ProportionalBudgets"/>
/// r[l]    = Σ_h x[l, h] / H, rounded with Σ r = b·L                            largest remainder, ties to the lower layer
/// b[l, h] = the split of r[l]·H rows in proportion to w[l, ·], at most n each
/// </code>
/// Totals are met exactly; whole weights are taken as they are, others to 31 bits of the largest. A layer's rows are known before anything is scored, so that layers are cut one after the other.
/// <para>The text has <c>/</c> between layers and <c>:</c> between heads: <c>3:1/0.5:0.5</c>. Equality compares numbers.</para>
/// </remarks>
public sealed class HeadTable : IEquatable<HeadTable>
{
    /// <summary>Most weights of a table.</summary>
    public const int MaxWeights = 1 << 14;

    private const double MaxWhole = 1L << 31;

    private readonly ImmutableArray<double> _weights; // [layers, heads]
    private readonly long[] _whole;

    private HeadTable(ImmutableArray<double> weights, int layers)
    {
        (_weights, Layers, Heads) = (weights, layers, weights.Length / layers);
        _whole = weights.All(w => w <= MaxWhole && w == Math.Floor(w)) ? [.. weights.Select(w => (long)w)] : ProportionalBudgets.Weights(weights.AsSpan());
    }

    /// <summary>Layers: the stores of a model, in ascending layer of their owners.</summary>
    public int Layers { get; }

    /// <summary>KV heads of a layer.</summary>
    public int Heads { get; }

    /// <summary>The weight of a KV head.</summary>
    public double this[int layer, int head] => _weights[(layer * Heads) + head];

    /// <summary>A table of weights, by layer and KV head.</summary>
    /// <exception cref="PolicyFormatException">There is no weight above 0, layers differ in heads, a weight is negative or no number, or there are too many.</exception>
    public static HeadTable Of(IReadOnlyList<IReadOnlyList<double>> weights)
    {
        ArgumentNullException.ThrowIfNull(weights);
        int heads = weights.Count == 0 ? 0 : weights[0].Count;
        if (heads == 0 || (long)weights.Count * heads > MaxWeights)
        {
            throw new PolicyFormatException($"A head table has from 1 to {MaxWeights} weights, got {weights.Count} layers of {heads} heads.");
        }

        var all = ImmutableArray.CreateBuilder<double>(weights.Count * heads);
        for (int layer = 0; layer < weights.Count; layer++)
        {
            if (weights[layer].Count != heads)
            {
                throw new PolicyFormatException($"Every layer of a head table has as many heads, but layer 0 has {heads} and layer {layer} has {weights[layer].Count}.");
            }

            for (int head = 0; head < heads; head++)
            {
                double weight = weights[layer][head];
                all.Add(weight >= 0 && double.IsFinite(weight) ? weight + 0.0 : throw new PolicyFormatException(
                    $"A weight of a head table is a number from 0 up, got {Print(weight)} for layer {layer}, head {head}."));
            }
        }

        return all.Any(weight => weight > 0) ? new(all.MoveToImmutable(), weights.Count)
            : throw new PolicyFormatException("A head table needs a weight above 0; all of them are 0.");
    }

    /// <summary>Reads the text.</summary>
    /// <exception cref="PolicyFormatException">It is no table.</exception>
    public static HeadTable Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Count(c => c is ':' or '/') >= MaxWeights)
        {
            throw new PolicyFormatException($"A head table has at most {MaxWeights} weights, and this one has more.");
        }

        return Of([.. text.Split('/').Select(layer => layer.Split(':').Select(Number).ToArray())]);
    }

    /// <summary>Rows per head of each layer, on average over its heads: r of the remarks.</summary>
    /// <param name="candidates">n, rows of a head that compete.</param>
    /// <param name="average">b, at most n.</param>
    /// <param name="rows">r, one for each layer.</param>
    public void SplitOverLayers(int candidates, int average, Span<int> rows)
    {
        ProportionalBudgets.Split([.. OfLayers(candidates, average)], Full(candidates, Layers), (long)average * Layers, rows);
    }

    /// <summary>r of the remarks before rounding.</summary>
    public Ratio[] LayerQuotas(int candidates, int average) => [.. OfLayers(candidates, average).Select(rows => new Ratio(rows, Heads))];

    /// <summary>Rows of each head of a layer, protected ones included: <c>Σ = total</c>, or all rows where there are fewer.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="lengths">Rows that each head has.</param>
    /// <param name="isProtected">Rows of each head that are kept whatever the table says.</param>
    /// <param name="total">Rows over all heads, at least the protected ones.</param>
    public int[] Split(int layer, ReadOnlySpan<int> lengths, int isProtected, long total)
    {
        (int[] kept, int[] candidates, long spare) = Competing(lengths, isProtected, total);
        int[] budgets = new int[Heads];
        ProportionalBudgets.Split(OfHeads(layer), candidates, spare, budgets);
        return [.. budgets.Zip(kept, (rows, always) => rows + always)];
    }

    /// <summary>The same before rounding.</summary>
    public Ratio[] Quotas(int layer, ReadOnlySpan<int> lengths, int isProtected, long total)
    {
        (int[] kept, int[] candidates, long spare) = Competing(lengths, isProtected, total);
        Ratio[] quotas = ProportionalBudgets.Quotas(OfHeads(layer), candidates, spare);
        return [.. quotas.Zip(kept, (q, always) => new Ratio(checked(q.Numerator + (always * q.Denominator)), q.Denominator))];
    }

    /// <inheritdoc/>
    public bool Equals(HeadTable? other) => other is not null && Layers == other.Layers && _weights.AsSpan().SequenceEqual(other._weights.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as HeadTable);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Layers, _weights.Length, _weights[0], _weights[^1]);

    /// <summary>The text; parses back to an equal table.</summary>
    public override string ToString() =>
        string.Join('/', _weights.Chunk(Heads).Select(layer => string.Join(':', layer.Select(Print))));

    private ReadOnlySpan<long> OfHeads(int layer) => _whole.AsSpan(layer * Heads, Heads);

    // Σ_h x[l, h] of each layer
    private long[] OfLayers(int candidates, int average)
    {
        int[] rows = new int[_whole.Length];
        ProportionalBudgets.Split(_whole, Full(candidates, rows.Length), (long)average * rows.Length, rows);
        return [.. rows.Chunk(Heads).Select(heads => heads.Sum(x => (long)x))];
    }

    private (int[] Kept, int[] Candidates, long Spare) Competing(ReadOnlySpan<int> lengths, int isProtected, long total)
    {
        int[] kept = new int[Heads], candidates = new int[Heads];
        for (int head = 0; head < Heads; head++)
        {
            kept[head] = Math.Min(isProtected, lengths[head]);
            candidates[head] = lengths[head] - kept[head];
        }

        return (kept, candidates, Math.Max(0, total - kept.Sum(rows => (long)rows)));
    }

    private static int[] Full(int rows, int count) => [.. Enumerable.Repeat(rows, count)];

    private static double Number(string text) =>
        double.TryParse(text, NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out double weight)
            ? weight
            : throw new PolicyFormatException(
                $"A head table is weights with ':' between heads and '/' between layers, such as 3:1/2:2, and '{(text.Length > 40 ? text[..40] : text)}' is no weight.");

    private static string Print(double weight) => weight.ToString("R", CultureInfo.InvariantCulture);
}
