using System.Globalization;

namespace KvIL.Sharing;

/// <summary>How a prompt goes through layers that read stores which layers above them write.</summary>
/// <remarks>
/// Wu and Tu 2024 (arXiv:2405.10637), §3.2 and appendix A: the layers of a cyclic slice run again and again over the same tokens, and each pass
/// reads the keys and values that the pass before left. After n passes the first n tokens are exact; so c passes over c tokens at a time
/// are exact everywhere, and of a chunk pass p need only run the tokens from p on: (c + 1)/2 passes a token. Layers outside of cyclic slices run once, whatever the strategy.
/// </remarks>
/// <param name="Chunk">Tokens that iterate together; null for the whole prompt.</param>
/// <param name="Passes">Most passes; a chunk of fewer tokens takes no more than it has.</param>
/// <param name="Tolerance">
/// Passes end when no element of the keys and values that lower layers read has changed by more; 0 for a fixed point, which is exact. Null for all passes.
/// </param>
public sealed record PrefillStrategy(int? Chunk, int Passes, double? Tolerance)
{
    /// <summary>Token by token inside a cyclic slice: the definition, and one pass a token.</summary>
    public static PrefillStrategy Sequential { get; } = Exact(1);

    /// <summary>The default: <see cref="Sequential"/>, the cheapest of the exact ones.</summary>
    /// <remarks>Chunks of c tokens read the weights of a slice as often, c times for c tokens, and multiply (c + 1)/2 times as much.</remarks>
    public static PrefillStrategy Default => Sequential;

    /// <summary>Chunks of as many tokens as the published checkpoints take passes, 7 + 2.</summary>
    public static PrefillStrategy PublishedChunk { get; } = Exact(9);

    /// <summary>Chunks of <paramref name="chunk"/> tokens, each until all of them are exact, or earlier at a fixed point.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The chunk is below 1.</exception>
    public static PrefillStrategy Exact(int chunk)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(chunk, 1);
        return new(chunk, chunk, 0);
    }

    /// <summary>m + b passes over the whole prompt, as the published checkpoints were trained and evaluated; only its first m + b tokens are exact.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no pass.</exception>
    public static PrefillStrategy Iterative(int passes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(passes, 1);
        return new(null, passes, null);
    }

    /// <summary>Passes over the whole prompt until nothing changes by more than <paramref name="tolerance"/>; with 0 until a fixed point, which is exact.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The tolerance is negative or no number, or there is no pass.</exception>
    public static PrefillStrategy UntilConverged(double tolerance, int maxPasses = int.MaxValue)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(maxPasses, 1);
        if (!(tolerance >= 0)) throw new ArgumentOutOfRangeException(nameof(tolerance), tolerance, "expected a number of at least 0.");
        return new(null, maxPasses, tolerance);
    }

    /// <summary>Reads <c>sequential</c>, <c>exact:9</c>, <c>iterative:7+2</c> or <c>iterative:9</c>, <c>converged:1e-6</c> or <c>converged:1e-6,20</c> (tolerance, most passes).</summary>
    /// <exception cref="FormatException">The text is none of these; the message says what is.</exception>
    public static PrefillStrategy Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] parts = text.Split(':');
        string[] values = parts.Length == 2 ? parts[1].Split(parts[0] == "iterative" ? '+' : ',') : [];
        int[] counts = [.. values.Select(v => int.TryParse(v, NumberStyles.None, CultureInfo.InvariantCulture, out int n) ? n : -1)];
        return (parts[0], parts.Length, counts) switch
        {
            ("sequential", 1, _) => Sequential,
            ("exact", 1, _) => PublishedChunk,
            ("exact", 2, [int chunk and >= 1]) => Exact(chunk),
            ("iterative", 2, [int passes and >= 1]) => Iterative(passes),
            ("iterative", 2, [int m and >= 0, int b and >= 0]) when (long)m + Math.Max(b, 1) <= int.MaxValue => Iterative(m + Math.Max(b, 1)),
            ("converged", 2, [_]) when Tolerated(values[0]) is double tolerance => UntilConverged(tolerance),
            ("converged", 2, [_, int most and >= 1]) when Tolerated(values[0]) is double tolerance => UntilConverged(tolerance, most),
            _ => throw new FormatException(
                $"'{text}' is no way to run a prompt through a cyclic map; expected sequential, exact:CHUNK, iterative:M+B or converged:TOLERANCE[,PASSES]."),
        };
    }

    /// <summary>The text that <see cref="Parse"/> reads.</summary>
    public override string ToString() => this switch
    {
        { Chunk: 1 } => "sequential",
        { Chunk: int chunk } => $"exact:{chunk}",
        { Tolerance: double tolerance } => string.Create(
            CultureInfo.InvariantCulture, $"converged:{tolerance:R}{(Passes == int.MaxValue ? "" : $",{Passes}")}"),
        _ => $"iterative:{Passes}",
    };

    private static double? Tolerated(string text) =>
        double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out double value) && value >= 0 ? value : null;
}
