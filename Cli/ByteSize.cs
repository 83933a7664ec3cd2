using System.Globalization;

namespace KvIL.Cli;

/// <summary>Counts of bytes as people write and read them.</summary>
internal static class ByteSize
{
    private static readonly (string Suffix, long Factor)[] Units =
    [
        ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40),
        ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000),
        ("K", 1L << 10), ("M", 1L << 20), ("G", 1L << 30), ("T", 1L << 40), ("B", 1),
    ];

    /// <summary>Reads <c>1500000000</c>, <c>1.5G</c>, <c>512MiB</c>; K, M, G and T are powers of 1024, KB and so on of 1000.</summary>
    /// <returns>The bytes, or null for anything else, zero and what does not fit 64 bits.</returns>
    public static long? Parse(string text)
    {
        (string suffix, long factor) = Array.Find(Units, unit => text.EndsWith(unit.Suffix, StringComparison.OrdinalIgnoreCase));
        string number = suffix is null ? text : text[..^suffix.Length].TrimEnd();
        bool read = decimal.TryParse(number, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal count);
        decimal most = long.MaxValue / (suffix is null ? 1 : factor);
        return read && count <= most && (long)(count * (suffix is null ? 1 : factor)) is > 0 and long bytes ? bytes : null;
    }

    /// <summary>Three digits or so and a unit, such as <c>7.26 MiB</c>.</summary>
    public static string Show(long bytes) => bytes switch
    {
        < 1L << 10 => $"{bytes} B",
        < 1L << 20 => $"{Scaled(bytes, 10)} KiB",
        < 1L << 30 => $"{Scaled(bytes, 20)} MiB",
        _ => $"{Scaled(bytes, 30)} GiB",
    };

    private static string Scaled(long bytes, int shift)
    {
        double value = bytes / (double)(1L << shift);
        return value.ToString(value < 10 ? "0.00" : value < 100 ? "0.0" : "0", CultureInfo.InvariantCulture);
    }
}
