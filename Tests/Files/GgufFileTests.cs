using System.Diagnostics;
using KvIL.Inference.Files;
using Xunit;

namespace KvIL.Tests.Files;

public sealed class GgufFileTests : IDisposable
{
    private const string Tiny = "models/tiny-random/gguf/llama-untied-f16.gguf";
    private const string SmolLm = "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void What_the_writer_writes_is_read_back()
    {
        using GgufFile file = GgufFile.Open(_directory.Write("a.gguf", GgufBytes.Sample()));
        Assert.Equal(3, file.Version);
        GgufMetadata metadata = file.Metadata;
        Assert.Equal("llama", metadata.Require("general.architecture").String());
        Assert.Equal(200, metadata.Require("u8").Integer(0, 255));
        Assert.Equal(-5, metadata.Require("i8").Integer(-128, 127));
        Assert.Equal(65000, metadata.Require("u16").Integer(0, 1 << 16));
        Assert.Equal(-300, metadata.Require("i16").Integer(-500, 0));
        Assert.Equal(-70000, metadata.Require("i32").Number());
        Assert.Equal(0.5, metadata.Require("f32").Number(0, 1));
        Assert.Equal(1e300, metadata.Require("f64").Number());
        Assert.Equal(long.MinValue, metadata.Require("i64").Integer(long.MinValue, long.MaxValue));
        Assert.True(metadata.Require("flag").Boolean());
        Assert.Equal(["a", "", "é😀"], metadata.Require("names").Strings());
        Assert.Equal([1f, -2.5f], metadata.Require("floats").Floats());
        Assert.Equal([7f, -7f], metadata.Require("integers").Floats());
        Assert.Equal([7, -7], metadata.Require("integers").Integers());
        Assert.Equal([[1, 2], [], [3]], metadata.Require("nested").Items().Select(item => item.Integers()));
        Assert.Equal(["a", "", "é😀"], metadata.Require("names").Items().Select(item => item.String()));
        Assert.Empty(metadata.Require("none").Strings());
        Assert.Null(metadata.Find("absent"));

        Assert.Equal([2, 3], file.Tensors["a"].Shape);
        Assert.Equal(0, file.Tensors["a"].FileOffset % 64);
        Assert.Equal(Enumerable.Range(100, 36).Select(i => (byte)i), file.Tensors["b"].Data.AsSpan().ToArray());
        Assert.Equal("Q4_0", file.Tensors["b"].StoredType);
        Assert.Equal([200, 201, 202, 203, 204], file.Tensors["c"].Data.AsSpan().ToArray());
        Assert.Null(file.Tensors["c"].Type);
    }

    [Fact]
    public void A_value_of_another_kind_is_refused_with_its_key_and_place()
    {
        string path = _directory.Write("a.gguf", GgufBytes.Sample());
        using GgufFile file = GgufFile.Open(path);
        GgufMetadata metadata = file.Metadata;
        Refusal.Is("'u8' at byte offset [1-9][0-9]+: expected a string, got 200", path, () => metadata.Require("u8").String());
        Refusal.Is("'u64' .*expected a whole number from 0 to 10, got", path, () => metadata.Require("u64").Integer(0, 10));
        Refusal.Is("'f32' .*expected a whole number", path, () => metadata.Require("f32").Integer(0, 10));
        Refusal.Is("'names' .*expected a boolean, got an array of 3 elements", path, () => metadata.Require("names").Boolean());
        Refusal.Is("'nested' .*expected an array of integers", path, () => metadata.Require("nested").Integers());
        Refusal.Is("'floats' .*expected an array of integers", path, () => metadata.Require("floats").Integers());
        Refusal.Is("'i32' .*expected a number from 0 to 1, got -70000", path, () => metadata.Require("i32").Number(0, 1));
        Refusal.Is("'integers' .*expected an array of strings", path, () => metadata.Require("integers").Strings());
        Refusal.Is("key 'absent' is missing", path, () => metadata.Require("absent"));
    }

    [Fact]
    public void An_unknown_tensor_type_is_listed_with_what_lies_before_the_next()
    {
        byte[] header = GgufBytes.Raw(2, 0, GgufBytes.Entry("new", 1000, 0, 7), GgufBytes.Entry("old", 0, 64, 4));
        int start = (header.Length + 31) / 32 * 32;
        byte[] bytes = [.. header, .. new byte[start - header.Length + 64 + 16]];
        using GgufFile file = GgufFile.Open(_directory.Write("a.gguf", bytes));
        Assert.Equal("type 1000", file.Tensors["new"].StoredType);
        Assert.Null(file.Tensors["new"].Type);
        Assert.Equal(64, file.Tensors["new"].Data.LengthBytes);
        Assert.Equal(16, file.Tensors["old"].Data.LengthBytes);
    }

    [Fact]
    public void Version_2_is_read()
    {
        byte[] bytes = GgufBytes.Sample();
        bytes[4] = 2;
        using GgufFile file = GgufFile.Open(_directory.Write("a.gguf", bytes));
        Assert.Equal(2, file.Version);
        Assert.Equal(3, file.Tensors.Count);
    }

    [Fact]
    public void A_file_of_more_than_2_GiB_is_read_at_its_end()
    {
        const long rows = 3L << 18; // of 4 KiB: 3 GiB
        byte[] header = GgufBytes.Raw(2, 0, GgufBytes.Entry("big", 0, 0, 1024, (ulong)rows), GgufBytes.Entry("end", 24, (ulong)(rows * 4096), 1));
        int start = (header.Length + 31) / 32 * 32;
        string path = _directory.PathOf("big.gguf");
        using (FileStream stream = File.Create(path))
        {
            stream.Write(header);
            stream.Position = start + (rows * 4096);
            stream.WriteByte(42);
        }

        using GgufFile file = GgufFile.Open(path);
        Assert.Equal(rows * 4096, file.Tensors["big"].Data.LengthBytes);
        Assert.Equal(rows * 1024, file.Tensors["big"].ElementCount);
        Assert.Equal(42, file.Tensors["end"].Data.AsSpan()[0]);
        FileTensor last = file.Tensors["big"].Rows(rows - 2, 2);
        Assert.Equal([2, 1024], last.Shape);
        Assert.Equal(start + ((rows - 2) * 4096), last.FileOffset);
    }

    [Fact]
    public void Rows_are_views_of_whole_blocks()
    {
        using GgufFile file = GgufFile.Open(_directory.Write("a.gguf", GgufBytes.Sample()));
        FileTensor tensor = file.Tensors["b"];
        FileTensor row = tensor.Rows(1, 1);
        Assert.Equal([1, 32], row.Shape);
        Assert.Equal(tensor.Data.AsSpan()[18..].ToArray(), row.Data.AsSpan().ToArray());
        Assert.Equal(tensor.FileOffset + 18, row.FileOffset);
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Rows(1, 2));
        Assert.Throws<ArgumentOutOfRangeException>(() => tensor.Rows(-1, 1));
        Assert.Equal(0, tensor.Rows(2, 0).Data.LengthBytes);
    }

    [Fact]
    public void Parts_are_opened_together()
    {
        WriteParts(3);
        using GgufFile file = GgufFile.Open(_directory.PathOf("m-00001-of-00003.gguf"));
        Assert.Equal(["t0", "t1", "t2"], file.Tensors.Keys.Order(StringComparer.Ordinal));
        Assert.Equal([2, 3, 4, 5], file.Tensors["t2"].Data.AsSpan().ToArray());
    }

    [Fact]
    public void Parts_that_do_not_belong_together_are_refused()
    {
        WriteParts(3);
        string first = _directory.PathOf("m-00001-of-00003.gguf");
        string second = _directory.PathOf("m-00002-of-00003.gguf");
        Refusal.Is("this is part 2 of 3 of a model; name its first part, .*m-00001-of-00003.gguf", second, () => GgufFile.Open(second).Dispose());
        string renamed = _directory.Write("other.gguf", File.ReadAllBytes(first));
        Refusal.Is("whose name must end in '-00001-of-00003.gguf'", renamed, () => GgufFile.Open(renamed).Dispose());
        byte[] bytes = File.ReadAllBytes(second);
        File.WriteAllBytes(second, File.ReadAllBytes(_directory.PathOf("m-00003-of-00003.gguf")));
        Refusal.Is("whose name must end in|part 2 of 3", second, () => GgufFile.Open(first).Dispose());
        File.WriteAllBytes(second, GgufBytes.Of([], GgufBytes.Tensor("t1", "I8", [4], 4)));
        Refusal.Is("does not say that it is part 2 of 3", second, () => GgufFile.Open(first).Dispose());
        File.Delete(second);
        Refusal.Is("part 2 of 3 of this model is missing", second, () => GgufFile.Open(first).Dispose());
        File.WriteAllBytes(second, bytes);
        WriteParts(3, tensors: 4);
        Refusal.Is("should have 4 tensors but have 3", first, () => GgufFile.Open(first).Dispose());
        File.WriteAllBytes(second, GgufBytes.Of(Split(1, 3, 3), GgufBytes.Tensor("t0", "I8", [4], 4)));
        Refusal.Is("'t0' stands there twice, or in two parts", second, () => GgufFile.Open(first).Dispose());
    }

    [SharedFact(Tiny)]
    public void A_file_of_another_writer_has_its_metadata_and_tensors()
    {
        using GgufFile file = GgufFile.Open(Shared.PathOf(Tiny));
        Assert.Equal("llama", file.Metadata.Require("general.architecture").String());
        FileTensor embedding = file.Tensors["token_embd.weight"];
        Assert.Equal("F16", embedding.StoredType);
        Assert.Equal(file.Metadata.Require("llama.embedding_length").Integer(1, 1 << 20), embedding.Shape[1]);
        Assert.Equal(file.Metadata.Require("tokenizer.ggml.tokens").Strings().Length, embedding.Shape[0]);
    }

    [SharedFact(SmolLm)]
    public void A_real_vocabulary_loads_soon()
    {
        var watch = Stopwatch.StartNew();
        using GgufFile file = GgufFile.Open(Shared.PathOf(SmolLm));
        Assert.Equal(272, file.Tensors.Count);
        Assert.Equal(49152, file.Metadata.Require("tokenizer.ggml.tokens").Strings().Length);
        Assert.Equal(48900, file.Metadata.Require("tokenizer.ggml.merges").Strings().Length);
        Assert.Equal(3, file.Metadata.Require("tokenizer.ggml.token_type").Integers()[2]);
        Assert.InRange(watch.ElapsedMilliseconds, 0, 2000); // tens on a machine that is not busy
        Assert.Equal(100_000, file.Metadata.Require("llama.rope.freq_base").Number());
        Assert.Equal([49152, 576], file.Tensors["token_embd.weight"].Shape);
    }

    private static (string, object)[] Split(int part, int count, int tensors) =>
        [("split.no", (ushort)part), ("split.count", (ushort)count), ("split.tensors.count", tensors)];

    private void WriteParts(int count, int tensors = 3)
    {
        for (int part = 0; part < count; part++)
        {
            _directory.Write(
                FormattableString.Invariant($"m-{part + 1:D5}-of-{count:D5}.gguf"),
                GgufBytes.Of(Split(part, count, tensors), GgufBytes.Tensor($"t{part}", "I8", [4], 4, (byte)part)));
        }
    }
}
