using System.Globalization;

namespace KvIL.Sharing;

/// <summary>Which layers share one store.</summary>
/// <remarks>Wu and Tu 2025 (arXiv:2410.14442), §2.1. l is the number of layers that own a store.</remarks>
public enum Partition
{
    /// <summary>The first l − 1 layers read themselves; all above are one block.</summary>
    Pizza,

    /// <summary>The first ⌈(l − 1)/2⌉ and the last ⌊(l − 1)/2⌋ layers read themselves; all between are one block.</summary>
    Sandwich,

    /// <summary>l blocks of neighbours, of one size where l divides the layers; else the lower blocks have one layer less.</summary>
    Lasagna,
}

/// <summary>Which layer of a block [a, b] owns the block's store.</summary>
/// <remarks>Wu and Tu 2025 (arXiv:2410.14442), §2.1; the quarters are those of appendix E.</remarks>
public enum Position
{
    /// <summary>Layer a: no layer reads above itself.</summary>
    Bottom,

    /// <summary>Layer ⌊(3a + b)/4⌋.</summary>
    LowerQuarter,

    /// <summary>Layer ⌊(a + b)/2⌋.</summary>
    Middle,

    /// <summary>Layer ⌊(a + 3b)/4⌋.</summary>
    UpperQuarter,

    /// <summary>Layer b.</summary>
    Top,
}

/// <summary>A family of sharing maps: how layers are grouped, who owns a group's store, and how many stores there are.</summary>
/// <remarks>
/// Wu and Tu 2025 (arXiv:2410.14442), §2.1: pizza, sandwich and lasagna, each with its owner at the bottom, in the middle or at the top.
/// Pizza-bottom is YOCO (Sun et al. 2024, arXiv:2405.05254), lasagna-bottom is CLA (Brandon et al. 2024, arXiv:2405.12981), and
/// sandwich-top is the layer-condensed cache (Wu and Tu 2024, arXiv:2405.10637).
/// </remarks>
/// <param name="Partition">Which layers share.</param>
/// <param name="Position">Which of them owns.</param>
/// <param name="KvLayers">l, the number of layers that own a store; at least 1.</param>
/// <param name="PinsFirstLayer">Whether layer 0 reads itself also in a lasagna, whose other layers then make l − 1 blocks.</param>
public sealed record SharingConfiguration(Partition Partition, Position Position, int KvLayers, bool PinsFirstLayer = false)
{
    private const string Pin = "pin-first";

    private static readonly (Position Position, string Name)[] s_positions =
    [
        (Position.Bottom, "bottom"), (Position.LowerQuarter, "lower-quarter"), (Position.Middle, "middle"),
        (Position.UpperQuarter, "upper-quarter"), (Position.Top, "top"),
    ];

    /// <summary>What <see cref="Parse"/> reads, for messages and help.</summary>
    public static string Grammar =>
        "PARTITION-POSITION:STORES[,pin-first] with pizza, sandwich or lasagna and bottom, middle, top, lower-quarter or upper-quarter";

    /// <summary>The nine of the paper for <paramref name="kvLayers"/> stores: partitions outside, positions inside.</summary>
    public static IReadOnlyList<SharingConfiguration> Nine(int kvLayers) =>
    [
        .. from partition in Enum.GetValues<Partition>()
           from position in (Position[])[Position.Bottom, Position.Middle, Position.Top]
           select new SharingConfiguration(partition, position, kvLayers),
    ];

    /// <summary>Reads <c>sandwich-middle:11</c> or <c>lasagna-top:11,pin-first</c>.</summary>
    /// <exception cref="FormatException">The text is nothing like it; the message says what is expected.</exception>
    public static SharingConfiguration Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        string[] parts = text.Split(':');
        string[] values = parts.Length == 2 ? parts[1].Split(',') : [];
        int dash = parts[0].IndexOf('-', StringComparison.Ordinal);
        string position = parts[0][(dash + 1)..];
        Partition[] partitions = [.. Enum.GetValues<Partition>().Where(p => dash > 0 && Name(p) == parts[0][..dash])];
        Position[] positions = [.. s_positions.Where(p => p.Name == position).Select(p => p.Position)];
        bool pins = values is [_, Pin];
        return partitions is [Partition known] && positions is [Position where] && (values.Length == 1 || pins)
            && int.TryParse(values[0], NumberStyles.None, CultureInfo.InvariantCulture, out int stores) && stores >= 1
            ? new(known, where, stores, pins)
            : throw new FormatException($"'{Clip(text)}' is no configuration of sharing; expected {Grammar}, such as sandwich-middle:11.");
    }

    /// <summary>The map for a model of <paramref name="layers"/> layers; as many stores as layers is the identity.</summary>
    /// <exception cref="ArgumentException">There are more stores than layers or fewer than one, or one alone though layer 0 is pinned.</exception>
    public SharingMap Map(int layers)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(layers, 1);
        if (KvLayers < 1 || KvLayers > layers)
        {
            throw new ArgumentException($"{this} asks for {KvLayers} stores, and a model of {layers} layers has 1 to {layers}.");
        }

        if (PinsFirstLayer && KvLayers == 1 && layers > 1)
        {
            throw new ArgumentException($"{this} gives layer 0 a store of its own, so the layers above need at least one more; ask for 2 or more.");
        }

        int[] sources = [.. Enumerable.Range(0, layers)];
        foreach ((int a, int b) in Blocks(layers))
        {
            sources.AsSpan(a, b - a + 1).Fill(Owner(a, b));
        }

        return SharingMap.FromSources(sources);
    }

    /// <summary>The text that <see cref="Parse"/> reads.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Name(Partition)}-{s_positions.First(p => p.Position == Position).Name}:{KvLayers}{(PinsFirstLayer ? "," + Pin : "")}");

    private int Owner(int a, int b) => Position switch
    {
        Position.Bottom => a,
        Position.LowerQuarter => ((3 * a) + b) / 4,
        Position.Middle => (a + b) / 2,
        Position.UpperQuarter => (a + (3 * b)) / 4,
        _ => b,
    };

    // First and last layer of every block that shares; all other layers read themselves.
    private IEnumerable<(int First, int Last)> Blocks(int layers) => Partition switch
    {
        Partition.Pizza => [(KvLayers - 1, layers - 1)],
        Partition.Sandwich => [(KvLayers / 2, layers - 1 - ((KvLayers - 1) / 2))], // ⌈(l − 1)/2⌉ = ⌊l/2⌋
        _ when PinsFirstLayer => Evenly(1, layers, KvLayers - 1),
        _ => Evenly(0, layers, KvLayers),
    };

    // Blocks of sizes that differ by one at most, the smaller ones first; the paper states no rule.
    private static IEnumerable<(int First, int Last)> Evenly(int first, int end, int blocks)
    {
        for (int block = 0; block < blocks; block++)
        {
            int size = (end - first) / (blocks - block);
            yield return (first, first + size - 1);
            first += size;
        }
    }

    private static string Name(Partition partition) => partition switch
    {
        Partition.Pizza => "pizza",
        Partition.Sandwich => "sandwich",
        _ => "lasagna",
    };

    private static string Clip(string text) => text.Length <= 60 ? text : text[..60] + "…";
}
