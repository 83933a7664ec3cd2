using System.Text.Json;

namespace KvIL.Inference.Files;

/// <summary>A value of a JSON file that knows where it stands, so that every refusal can say so.</summary>
internal readonly struct JsonValue
{
    private const int MaxDepth = 64;

    private readonly JsonElement _element;
    private readonly string _file;
    private readonly string _parent;
    private readonly string? _name;
    private readonly int _index;

    private JsonValue(JsonElement element, string file, string parent = "", string? name = null, int index = -1)
    {
        _element = element;
        _file = file;
        _parent = parent;
        _name = name;
        _index = index;
    }

    public bool IsArray => _element.ValueKind == JsonValueKind.Array;

    public bool IsString => _element.ValueKind == JsonValueKind.String;

    public bool IsBoolean => _element.ValueKind is JsonValueKind.True or JsonValueKind.False;

    public bool IsNull => _element.ValueKind == JsonValueKind.Null;

    // Put together on demand: a vocabulary has a hundred thousand fields, and few of them are ever named.
    private string Field => _name is not null ? (_parent.Length == 0 ? _name : $"{_parent}.{_name}")
        : _index >= 0 ? $"{_parent}[{_index}]"
        : _parent;

    /// <summary>Reads a whole file.</summary>
    /// <exception cref="ModelFileException">
    /// It cannot be read, is larger than <paramref name="maxBytes"/>, or is not JSON.
    /// </exception>
    public static JsonValue Load(string path, long maxBytes)
    {
        using MappedFile file = MappedFile.Open(path);
        if (file.Memory.LengthBytes > maxBytes)
        {
            throw new ModelFileException(
                $"{path}: found {file.Memory.LengthBytes} bytes, more than the {maxBytes} that such a file may have; "
                + "check that it is the right file.");
        }

        return Parse(file.Memory.AsSpan(), path);
    }

    /// <summary>Parses one JSON text.</summary>
    /// <param name="utf8">The text.</param>
    /// <param name="file">Its file, for messages.</param>
    /// <param name="line">Its line, where the file has one text a line.</param>
    public static JsonValue Parse(ReadOnlySpan<byte> utf8, string file, int? line = null)
    {
        try
        {
            var root = JsonElement.Parse(utf8, new JsonDocumentOptions { MaxDepth = MaxDepth });
            return new JsonValue(root, line is null ? file : $"{file}, line {line}");
        }
        catch (JsonException failure)
        {
            throw new ModelFileException(
                $"{file}: not JSON, or nested deeper than {MaxDepth} levels, at line {failure.LineNumber + (line ?? 1)}, "
                + $"byte {failure.BytePositionInLine + 1} of the line; correct the file or download it again.", failure);
        }
    }

    /// <summary>The member of that name; null where it is absent or null.</summary>
    public JsonValue? Find(string name)
    {
        JsonValue? found = null;
        foreach (JsonProperty property in Object().EnumerateObject())
        {
            if (!property.NameEquals(name))
            {
                continue;
            }

            if (found is not null)
            {
                throw found.Value.Error("the field stands there twice");
            }

            found = new JsonValue(property.Value, _file, Field, name);
        }

        return found is { IsNull: false } ? found : null;
    }

    /// <summary>Whether there is a member of that name, be it null.</summary>
    public bool Has(string name) => Object().TryGetProperty(name, out _);

    /// <summary>The member of that name, which must be there.</summary>
    public JsonValue Require(string name) =>
        Find(name) ?? throw Error($"the field {ModelFileException.Quote(name)} is missing");

    /// <summary>All members in file order; a name may come twice.</summary>
    public IEnumerable<(string Name, JsonValue Value)> Members()
    {
        foreach (JsonProperty property in Object().EnumerateObject())
        {
            string name = NameOf(property);
            yield return (name, new JsonValue(property.Value, _file, Field, name));
        }
    }

    /// <summary>All elements of an array.</summary>
    public IEnumerable<JsonValue> Items()
    {
        if (!IsArray)
        {
            throw Expected("an array");
        }

        string field = Field;
        int index = 0;
        foreach (JsonElement element in _element.EnumerateArray())
        {
            yield return new JsonValue(element, _file, field, index: index++);
        }
    }

    public string String()
    {
        try
        {
            return IsString ? _element.GetString()! : throw Expected("a string");
        }
        catch (InvalidOperationException)
        {
            throw Expected("valid Unicode");
        }
    }

    public bool Boolean() => _element.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Expected("true or false"),
    };

    /// <summary>A whole number within the limits.</summary>
    public int Integer(int min, int max) =>
        _element.ValueKind == JsonValueKind.Number && _element.TryGetInt32(out int value)
        && value >= min && value <= max
            ? value
            : throw Expected($"a whole number from {min} to {max}");

    /// <summary>A finite number within the limits.</summary>
    public double Number(double min, double max) =>
        _element.ValueKind == JsonValueKind.Number && _element.TryGetDouble(out double value)
        && value >= min && value <= max
            ? value
            : throw Expected(FormattableString.Invariant($"a number from {min} to {max}"));

    public ModelFileException Expected(string expected) => Error($"expected {expected}, got {Describe()}");

    /// <summary>The exception for this value: what is wrong, and what to do about it.</summary>
    public ModelFileException Error(string problem, string advice = "correct the file or download it again")
    {
        string field = Field.Length == 0 ? "" : $"{ModelFileException.Quote(Field)}: ";
        return new ModelFileException($"{_file}: {field}{problem}; {advice}.");
    }

    private string Describe()
    {
        try
        {
            return _element.ValueKind switch
            {
                JsonValueKind.Object => "an object",
                JsonValueKind.Array => "an array",
                JsonValueKind.String => $"the string {ModelFileException.Quote(_element.GetString()!)}",
                _ => ModelFileException.Quote(_element.GetRawText()),
            };
        }
        catch (InvalidOperationException)
        {
            return "a string with broken characters";
        }
    }

    private JsonElement Object() => _element.ValueKind == JsonValueKind.Object ? _element : throw Expected("an object");

    private string NameOf(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            throw Error("a field's name is not valid Unicode");
        }
    }
}
