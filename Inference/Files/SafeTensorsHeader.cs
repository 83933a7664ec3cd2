using System.Text.Json;

namespace KvIL.Inference.Files;

/// <summary>What the header of a safetensors file says about one tensor; numbers are not checked against the file.</summary>
/// <remarks>The header offset counts bytes from the start of the file, begin and end from the end of the header.</remarks>
internal sealed record SafeTensorsEntry(
    string Name, long HeaderOffset, string StoredType, long[] Shape, long Begin, long End);

/// <summary>Reads the JSON header of a safetensors file in one pass, in place.</summary>
internal ref struct SafeTensorsHeader
{
    /// <summary>The header starts after its length.</summary>
    public const int Offset = 8;

    private const string Advice = "the file is damaged or was written by something else, so download it again";

    private readonly string _path;
    private readonly Dictionary<string, SafeTensorsEntry> _entries = [];
    private readonly Dictionary<string, string> _metadata = [];
    private Utf8JsonReader _reader;

    private SafeTensorsHeader(string path, ReadOnlySpan<byte> json)
    {
        _path = path;
        // The deepest legal value is an element of a shape: object, entry, array.
        _reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 3 });
    }

    /// <summary>Reads the entries and the metadata.</summary>
    /// <exception cref="ModelFileException">The header is not what the format allows.</exception>
    public static (Dictionary<string, SafeTensorsEntry> Entries, Dictionary<string, string> Metadata) Read(
        string path, ReadOnlySpan<byte> json)
    {
        var header = new SafeTensorsHeader(path, json);
        try
        {
            header.ReadRoot();
        }
        catch (Exception failure) when (failure is JsonException or InvalidOperationException)
        {
            throw new ModelFileException(
                $"{path}: invalid JSON in the header near byte offset {Offset + header._reader.BytesConsumed}; {Advice}.",
                failure);
        }

        return (header._entries, header._metadata);
    }

    private void ReadRoot()
    {
        Expect(JsonTokenType.StartObject, "the header");
        bool hasMetadata = false;
        while (NextMember("the header") is { } name)
        {
            long offset = Offset + _reader.TokenStartIndex;
            if (name != "__metadata__")
            {
                SafeTensorsEntry entry = ReadEntry(name, offset);
                if (!_entries.TryAdd(name, entry))
                {
                    throw Error($"tensor {ModelFileException.Quote(name)}", "a second entry of the same name", offset);
                }
            }
            else if (hasMetadata)
            {
                throw Error("__metadata__", "a second entry of the same name", offset);
            }
            else
            {
                hasMetadata = true;
                ReadMetadata();
            }
        }

        // Only blanks may follow; reading on refuses anything else.
        _reader.Read();
    }

    private void ReadMetadata()
    {
        const string where = "__metadata__";
        Expect(JsonTokenType.StartObject, where);
        while (NextMember(where) is { } name)
        {
            long offset = Offset + _reader.TokenStartIndex;
            Expect(JsonTokenType.String, where);
            if (!_metadata.TryAdd(name, _reader.GetString()!))
            {
                throw Error(where, $"a second {ModelFileException.Quote(name)}", offset);
            }
        }
    }

    private SafeTensorsEntry ReadEntry(string name, long offset)
    {
        string where = $"tensor {ModelFileException.Quote(name)}";
        Expect(JsonTokenType.StartObject, where);
        string? type = null;
        long[]? shape = null;
        long[]? range = null;
        while (NextMember(where) is { } field)
        {
            long fieldOffset = Offset + _reader.TokenStartIndex;
            switch (field)
            {
                case "dtype" when type is null:
                    type = ReadType(where);
                    break;
                case "shape" when shape is null:
                    shape = ReadIntegers(where);
                    break;
                case "data_offsets" when range is null:
                    range = ReadIntegers(where);
                    break;
                default:
                    throw Error(where, $"an unknown or repeated field {ModelFileException.Quote(field)}", fieldOffset);
            }
        }

        return type is not null && shape is not null && range is [long begin, long end]
            ? new SafeTensorsEntry(name, offset, type, shape, begin, end)
            : throw Error(where, "an entry without dtype, shape and two data_offsets", offset);
    }

    private string ReadType(string where)
    {
        Expect(JsonTokenType.String, where);
        string type = _reader.GetString()!;
        return StoredTypes.IsKnown(type)
            ? type
            : throw Error(where, $"an unknown dtype {ModelFileException.Quote(type)}", Offset + _reader.TokenStartIndex);
    }

    private long[] ReadIntegers(string where)
    {
        Expect(JsonTokenType.StartArray, where);
        var values = new List<long>();
        while (_reader.Read() && _reader.TokenType != JsonTokenType.EndArray)
        {
            if (_reader.TokenType != JsonTokenType.Number || !_reader.TryGetInt64(out long value) || value < 0)
            {
                throw Error(
                    where, "something other than a whole number from 0 to 2^63 - 1", Offset + _reader.TokenStartIndex);
            }

            values.Add(value);
        }

        return [.. values];
    }

    private string? NextMember(string where)
    {
        if (!_reader.Read())
        {
            throw Error(where, "the end of the header", Offset + _reader.BytesConsumed);
        }

        return _reader.TokenType == JsonTokenType.PropertyName ? _reader.GetString()! : null;
    }

    private void Expect(JsonTokenType expected, string where)
    {
        if (!_reader.Read() || _reader.TokenType != expected)
        {
            throw Error(where, $"{Name(_reader.TokenType)} instead of {Name(expected)}", Offset + _reader.TokenStartIndex);
        }
    }

    private static string Name(JsonTokenType type) => type switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.String => "a string",
        JsonTokenType.Number => "a number",
        _ => "another JSON value",
    };

    private readonly ModelFileException Error(string where, string found, long offset) =>
        new($"{_path}: {where}: found {found} at byte offset {offset}; {Advice}.");
}
