using System.Globalization;

namespace KvIL.Eviction;

/// <summary>How many rows a store keeps per KV head on average, protected rows (sinks, window) included.</summary>
/// <remarks>
/// <code>
/// rows = round(share · T)   halves to even     for a share such as 20%
/// rows = n                                     for a count such as 128
/// </code>
/// T is the number of prompt tokens. Equality compares values, so <c>20%</c> equals <c>20.0%</c>; printing gives the text as
/// it was written.
/// </remarks>
public sealed record Budget
{
    private readonly string _text;

    private Budget(Ratio? share, int? rows, string text) => (Share, Rows, _text) = (share, rows, text);

    /// <summary>What a policy uses when nobody names a budget: 20%.</summary>
    public static Budget Default { get; } = Parse("20%");

    /// <summary>Share of the prompt's tokens in (0, 1], or null for a count.</summary>
    public Ratio? Share { get; }

    /// <summary>Rows per KV head, at least 1, or null for a share.</summary>
    public int? Rows { get; }

    /// <summary>Reads a share (<c>20%</c>, <c>12.5%</c>) or a count of rows (<c>128</c>).</summary>
    /// <remarks>A bare fraction such as 0.2 is refused: <c>1.0</c> could mean one row or everything.</remarks>
    /// <exception cref="PolicyFormatException">
    /// The text is neither, or it is zero, negative or more than 100%.
    /// </exception>
    public static Budget Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.EndsWith('%') && Ratio.TryParse(text, out Ratio share))
        {
            return share.Numerator > 0 && share.Numerator <= share.Denominator
                ? new(share, null, text)
                : throw new PolicyFormatException($"A budget must be more than 0% and at most 100%, got '{text}'.");
        }

        if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int rows))
        {
            throw new PolicyFormatException($"Expected a budget such as 20% of the prompt or 128 rows, got '{text}'.");
        }

        return rows > 0
            ? new(null, rows, text)
            : throw new PolicyFormatException($"A budget must be at least 1 row, got '{text}'.");
    }

    /// <summary>A count of rows per KV head, at least 1.</summary>
    public static Budget OfRows(int rows)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(rows, 1);
        return new(null, rows, rows.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>
    /// Rows per KV head for a prompt of <paramref name="promptTokens"/> tokens; 0 when a share of it rounds to
    /// nothing.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="promptTokens"/> is negative.</exception>
    public int RowsFor(int promptTokens)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(promptTokens);
        return Rows ?? (int)Share!.Value.RoundHalfEven(promptTokens);
    }

    /// <summary>Whether both budgets mean the same, however they were written.</summary>
    public bool Equals(Budget? other) => other is not null && Share == other.Share && Rows == other.Rows;

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Share, Rows);

    /// <summary>The budget as it was written.</summary>
    public override string ToString() => _text;
}
