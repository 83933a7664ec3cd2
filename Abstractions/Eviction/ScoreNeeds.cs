namespace KvIL.Eviction;

/// <summary>What a score must see of the model to rank rows. Positions and the number of rows are always known.</summary>
/// <remarks>
/// An engine takes the cheapest pass that covers the needs: window queries and a last row are a few rows of attention, column
/// sums are all of them, and pre-RoPE keys are not in a cache that stores rotated ones.
/// <para>T tokens, h query heads, kv KV heads, d head dimension, D model dimension, w window.</para>
/// </remarks>
[Flags]
public enum ScoreNeeds
{
    /// <summary>Positions alone.</summary>
    None = 0,

    /// <summary>Softmax attention of the last w queries to all keys, <c>[h, w, T]</c>.</summary>
    WindowQueries = 1 << 0,

    /// <summary>Softmax attention summed over all queries, <c>[h, T]</c>.</summary>
    ColumnSums = 1 << 1,

    /// <summary>Softmax attention of the last query, <c>[h, T]</c>.</summary>
    LastRow = 1 << 2,

    /// <summary>Keys as cached, after RoPE, <c>[kv, T, d]</c>.</summary>
    Keys = 1 << 3,

    /// <summary>Values, <c>[kv, T, d]</c>.</summary>
    Values = 1 << 4,

    /// <summary>Keys before RoPE, <c>[kv, T, d]</c>.</summary>
    PreRopeKeys = 1 << 5,

    /// <summary>All queries after RoPE, <c>[h, T, d]</c>.</summary>
    Queries = 1 << 6,

    /// <summary>All queries before RoPE, <c>[h, T, d]</c>.</summary>
    PreRopeQueries = 1 << 7,

    /// <summary>The layer's output projection, <c>[D, h·d]</c>.</summary>
    OutputProjection = 1 << 8,

    /// <summary>A direction per KV head that was learned beforehand, <c>[kv, d]</c>.</summary>
    Calibration = 1 << 9,
}
