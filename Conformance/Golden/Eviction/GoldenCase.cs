using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using KvIL.Eviction;

namespace KvIL.Conformance.Golden.Eviction;

/// <summary>One recorded call of official code. Whatever is missing or of another type is a <see cref="GoldenFormatException"/>.</summary>
public sealed class GoldenCase
{
    // Larger than any recorded number, small enough that products of three fit 64 bits.
    private const int MostCount = 1 << 20;

    private readonly JsonObject _json;
    private readonly IReadOnlyDictionary<string, GoldenTensor> _tensors;

    /// <summary>A case of <paramref name="json"/>, the entry number <paramref name="number"/> of its set.</summary>
    /// <exception cref="GoldenFormatException">It has no id, group, method or kind, or names a tensor that is not there.</exception>
    public GoldenCase(JsonObject json, int number, IReadOnlyDictionary<string, GoldenTensor> tensors)
    {
        (_json, _tensors, Id) = (json, tensors, $"number {number}");
        (Id, Group, Kind, Method) = (Field<string>("id"), Field<string>("group"), Field<string>("kind"), Field<string>("method"));
        foreach (string part in (string[])["inputs", "tensors"])
        {
            foreach ((string name, JsonNode? node) in Part(part) ?? [])
            {
                string tensor = Read<string>(node, $"{part}.{name}") ?? throw Missing($"{part}.{name}");
                if (!tensors.ContainsKey(tensor)) throw Fault($"names the tensor '{tensor}', which no file has");
            }
        }
    }

    /// <summary>Name of the case.</summary>
    public string Id { get; }

    /// <summary>Where its tensors are: <c>adakv</c>, <c>kvpress</c>, …</summary>
    public string Group { get; }

    /// <summary>What was recorded: <c>topk</c>, <c>ada</c>, …</summary>
    public string Kind { get; }

    /// <summary>The method, such as <c>AdaKV(SnapKV)</c>.</summary>
    public string Method { get; }

    /// <summary>The repository that the code is from, or nothing.</summary>
    public string Repository => Part("source") is { } source ? Read<string>(source["repo"], "source.repo") ?? "" : "";

    /// <summary>Whether <c>params</c> has the name, not null.</summary>
    public bool HasParam(string name) => Part("params")?[name] is not null;

    /// <summary>A parameter.</summary>
    public T Param<T>(string name) => Read<T>(Part("params")?[name], $"params.{name}") ?? throw Missing($"params.{name}");

    /// <summary>A parameter, or <paramref name="absent"/> where it is missing or null.</summary>
    public T Param<T>(string name, T absent) => HasParam(name) ? Param<T>(name) : absent;

    /// <summary>A number from <paramref name="least"/> to <paramref name="most"/>.</summary>
    public int Count(string name, int least = 0, int most = MostCount)
    {
        int value = Param<int>(name);
        return value >= least && value <= most
            ? value
            : throw Fault($"has {name} = {value} where {least} to {most} is possible");
    }

    /// <summary>A share of 0 to 1 as the double that the official code had.</summary>
    public double Share(string name)
    {
        double value = Param<double>(name);
        return value is >= 0 and <= 1 ? value : throw Fault($"has {name} = {value} where 0 to 1 is possible");
    }

    /// <summary>A share of 0 to 1 as the file has it, not the double nearest to it.</summary>
    public Ratio ExactShare(string name)
    {
        Share(name);
        string text = Param<decimal>(name).ToString(CultureInfo.InvariantCulture);
        return Ratio.TryParse(text, out Ratio share) ? share : throw Fault($"has {name} = {text}, which has too many digits");
    }

    /// <summary>Whether <c>expected</c> has the name, not null.</summary>
    public bool Expects(string name) => Part("expected")?[name] is not null;

    /// <summary>A recorded result.</summary>
    public T Expected<T>(string name) => Read<T>(Part("expected")?[name], $"expected.{name}") ?? throw Missing($"expected.{name}");

    /// <summary>A field of the case itself.</summary>
    public T Field<T>(string name) => Read<T>(_json[name], name) ?? throw Missing(name);

    /// <summary>Whether the case has the field, not null.</summary>
    public bool HasField(string name) => _json[name] is not null;

    /// <summary>Whether every one of the tensors is there, among inputs or outputs.</summary>
    public bool Has(params string[] names) => names.All(n => NameOf(n) is not null);

    /// <summary>An input or output of <paramref name="rank"/> dimensions, each at least 1.</summary>
    public GoldenTensor Tensor(string name, int rank)
    {
        GoldenTensor tensor = _tensors[NameOf(name) ?? throw Missing($"tensors.{name}")];
        return tensor.Shape.Count == rank && tensor.Shape.All(n => n > 0)
            ? tensor
            : throw Fault($"has {name} of shape {tensor.Show} where {rank} dimensions are expected");
    }

    /// <summary>An input or output of exactly this shape.</summary>
    public GoldenTensor Tensor(string name, params int[] shape)
    {
        GoldenTensor tensor = Tensor(name, shape.Length);
        return tensor.Shape.SequenceEqual(shape)
            ? tensor
            : throw Fault($"has {name} of shape {tensor.Show} where [{string.Join(", ", shape)}] is expected");
    }

    /// <summary>A fault of this case's data.</summary>
    public GoldenFormatException Fault(string what) =>
        new($"manifest.json: case {Id} {what}; the set is damaged or not of this format, so copy it again.");

    /// <inheritdoc/>
    public override string ToString() => $"{Id} ({Method})";

    private JsonObject? Part(string name) => _json[name] switch
    {
        null => null,
        JsonObject part => part,
        _ => throw Fault($"has no object '{name}'"),
    };

    private string? NameOf(string tensor) =>
        Read<string>(Part("inputs")?[tensor] ?? Part("tensors")?[tensor], $"tensors.{tensor}");

    private T? Read<T>(JsonNode? node, string name)
    {
        try
        {
            return node is null ? default : node.Deserialize<T>();
        }
        catch (Exception e) when (e is JsonException or NotSupportedException)
        {
            throw Fault($"has a '{name}' of another type");
        }
    }

    private GoldenFormatException Missing(string name) => Fault($"lacks '{name}'");
}
