using System.Runtime.InteropServices;
using KvIL.Inference.Files;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Files;

public sealed class SafeTensorsFileTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Tensors_have_name_type_shape_place_and_bytes()
    {
        const string header = """
            {"__metadata__":{"format":"pt"},
             "b":{"dtype":"I64","shape":[1],"data_offsets":[12,20]},
             "empty":{"dtype":"F16","shape":[0,5],"data_offsets":[12,12]},
             "a":{"dtype":"F16","shape":[2,3],"data_offsets":[0,12]},
             "scalar":{"dtype":"U8","shape":[],"data_offsets":[20,21]}}   
            """;
        string path = _directory.Write("four", SafeTensorsBytes.Of(header, 21));
        using SafeTensorsFile file = SafeTensorsFile.Open(path);

        Assert.Equal(["a", "b", "empty", "scalar"], file.Tensors.Keys.Order());
        Assert.Equal("pt", file.Metadata["format"]);
        FileTensor a = file.Tensors["a"];
        Assert.Equal((DType.F16, 6L, path, 8L + header.Length), (a.Type, a.ElementCount, a.Path, a.FileOffset));
        Assert.Equal([2, 3], a.Shape);
        Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11], a.Data.AsSpan().ToArray());
        FileTensor b = file.Tensors["b"];
        Assert.Null(b.Type);
        Assert.Equal("I64", b.StoredType);
        Assert.Equal([12, 13, 14, 15, 16, 17, 18, 19], b.Data.AsSpan().ToArray());
        Assert.Equal(0, file.Tensors["empty"].ElementCount);
        Assert.Equal(1, file.Tensors["scalar"].ElementCount);
        Assert.Equal(20, file.Tensors["scalar"].Data.AsSpan()[0]);
    }

    [Fact]
    public void A_file_without_tensors_is_valid()
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(_directory.Write("none", SafeTensorsBytes.Of("{}", 0)));
        Assert.Empty(file.Tensors);
        Assert.Empty(file.Metadata);
    }

    [Fact]
    public void A_tensor_beyond_2_GiB_is_reached()
    {
        const long length = 3L << 30;
        byte[] start = SafeTensorsBytes.Of(
            $$"""{ "t":{"dtype":"U8","shape":[{{length}}],"data_offsets":[0,{{length}}] } }""", 0);
        string path = _directory.PathOf("large");
        using (FileStream stream = File.Create(path))
        {
            stream.Write(start);
            stream.SetLength(start.Length + length);
        }

        using SafeTensorsFile file = SafeTensorsFile.Open(path);
        Assert.Equal(length, file.Tensors["t"].Data.LengthBytes);
        Assert.Equal(0, file.Tensors["t"].Data.Slice(length - 1, 1).AsSpan()[0]);
    }

    [Fact]
    public void The_demo_model_opens()
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(Repo.PathOf("models/kvil-demo/model.safetensors"));
        Assert.Equal(2 + (6 * 9), file.Tensors.Count);
        FileTensor embedding = file.Tensors["model.embed_tokens.weight"];
        Assert.Equal([1024, 256], embedding.Shape);
        Assert.Equal(DType.BF16, embedding.Type);
        Assert.Equal(3_804_416, file.Tensors.Values.Sum(tensor => tensor.ElementCount));
    }

    [Fact]
    public void The_demo_reference_opens_and_its_ids_are_I64()
    {
        using SafeTensorsFile file = SafeTensorsFile.Open(Repo.PathOf("models/kvil-demo/reference.safetensors"));
        FileTensor ids = file.Tensors.Values.First(tensor => tensor.Name.EndsWith(".input_ids", StringComparison.Ordinal));
        Assert.Equal("I64", ids.StoredType);
        Assert.Null(ids.Type);
        ReadOnlySpan<long> values = MemoryMarshal.Cast<byte, long>(ids.Data.AsSpan());
        Assert.Equal(ids.ElementCount, values.Length);
        Assert.Equal(0, values[0]);
        Assert.All(values.ToArray(), id => Assert.InRange(id, 0, 1023));
    }

    [SharedFact("models/tiny-random")]
    public void Every_tiny_random_file_opens_and_its_tensors_cover_it()
    {
        string[] paths = Directory.GetFiles(Shared.PathOf("models/tiny-random"), "*.safetensors", SearchOption.AllDirectories);
        Assert.True(paths.Length > 50, $"Found {paths.Length} files.");
        foreach (string path in paths)
        {
            using SafeTensorsFile file = SafeTensorsFile.Open(path);
            long first = file.Tensors.Values.Min(tensor => tensor.FileOffset);
            Assert.Equal(new FileInfo(path).Length - first, file.Tensors.Values.Sum(tensor => tensor.Data.LengthBytes));
        }
    }
}
