using System.Globalization;
using System.Text.RegularExpressions;

namespace KvIL.Inference.Files;

/// <summary>A model split over several GGUF files, named <c>NAME-00001-of-00003.gguf</c> and so on.</summary>
internal sealed partial class GgufSplit
{
    private const string CountKey = "split.count";
    private const string NumberKey = "split.no";
    private const string TensorsKey = "split.tensors.count";

    private readonly string _path;
    private readonly int _number;
    private readonly int? _tensors;
    private readonly string _prefix;

    private GgufSplit(string path, int number, int count, int? tensors, string prefix)
    {
        _path = path;
        _number = number;
        Count = count;
        _tensors = tensors;
        _prefix = prefix;
    }

    /// <summary>Number of parts.</summary>
    public int Count { get; }

    /// <summary>What the metadata of a part says; null where the file is not split.</summary>
    /// <exception cref="ModelFileException">The numbers or the file's name do not fit together.</exception>
    public static GgufSplit? Of(string path, GgufMetadata metadata)
    {
        int count = metadata.Find(CountKey)?.Integer(0, ushort.MaxValue) ?? 0;
        if (count <= 1)
        {
            return null;
        }

        GgufValue number = metadata.Require(NumberKey);
        int part = number.Integer(0, count - 1);
        string suffix = Suffix(part, count);
        return path.EndsWith(suffix, StringComparison.Ordinal)
            ? new GgufSplit(path, part, count, metadata.Find(TensorsKey)?.Integer(0, int.MaxValue), path[..^suffix.Length])
            : throw number.Error(
                $"this is part {part + 1} of {count}, whose name must end in {ModelFileException.Quote(suffix)}",
                "give all parts the names they were published with");
    }

    /// <summary>The path of a part, counted from 0.</summary>
    public string PathOfPart(int part) => _prefix + Suffix(part, Count);

    /// <exception cref="ModelFileException">It is another part than the first.</exception>
    public void RequireFirst()
    {
        if (_number != 0)
        {
            throw new ModelFileException(
                $"{_path}: this is part {_number + 1} of {Count} of a model; name its first part, {PathOfPart(0)}.");
        }
    }

    /// <exception cref="ModelFileException">The file is not that part of this model.</exception>
    public void RequirePart(string path, int part, GgufMetadata metadata)
    {
        if (Of(path, metadata) is not { } other || other._number != part || other.Count != Count)
        {
            throw new ModelFileException(
                $"{path}: the file does not say that it is part {part + 1} of {Count}; download it again.");
        }
    }

    /// <exception cref="ModelFileException">The parts together have another number of tensors than the first says.</exception>
    public void RequireTensors(int found)
    {
        if (_tensors is { } expected && expected != found)
        {
            throw new ModelFileException(
                $"{_path}: its {Count} parts should have {expected} tensors but have {found}; download all parts again.");
        }
    }

    /// <summary>Whether a file's name is that of a part other than the first.</summary>
    public static bool IsLaterPart(string path) =>
        PartName().Match(Path.GetFileName(path)) is { Success: true } match && match.Groups["part"].ValueSpan is not "00001";

    [GeneratedRegex("-(?<part>[0-9]{5})-of-[0-9]{5}\\.gguf$", RegexOptions.CultureInvariant)]
    private static partial Regex PartName();

    private static string Suffix(int part, int count) =>
        string.Create(CultureInfo.InvariantCulture, $"-{part + 1:D5}-of-{count:D5}.gguf");
}
