using System.Diagnostics;
using KvIL.Inference.Files;
using Xunit;

namespace KvIL.Tests.Files;

/// <summary>What a GGUF file may not say.</summary>
public sealed class GgufErrorTests : IDisposable
{
    private const ulong Huge = 1UL << 60;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Other_formats_and_versions_are_refused()
    {
        Refuses("does not start with 'GGUF'", [1, 2, 3]);
        Refuses("does not start with 'GGUF'", new byte[100]);
        Refuses("found GGUF version 1, supported are 2 and 3", Patched(4, 1));
        Refuses("found GGUF version 9", Patched(4, 9));
        Refuses("big-endian", [.. "GGUF"u8, 0, 0, 0, 3, .. new byte[16]]);
        Refuses("the file ends inside the version", [.. "GGUF"u8]);
    }

    [Fact]
    public void Hostile_counts_are_refused_in_milliseconds()
    {
        byte[] filler = new byte[10_000];
        byte[] key = GgufBytes.Text("k");
        byte[][] files =
        [
            GgufBytes.Raw(Huge, 0, filler),
            GgufBytes.Raw(0, Huge, filler),
            GgufBytes.Raw(0, 1, GgufBytes.U64(Huge), filler),
            GgufBytes.Raw(0, 1, key, GgufBytes.U32(8), GgufBytes.U64(Huge), filler),
            GgufBytes.Raw(0, 1, key, GgufBytes.U32(8), GgufBytes.U64(ulong.MaxValue), filler),
            GgufBytes.Raw(0, 1, key, GgufBytes.U32(9), GgufBytes.U32(8), GgufBytes.U64(Huge), filler),
            GgufBytes.Raw(0, 1, key, GgufBytes.U32(9), GgufBytes.U32(10), GgufBytes.U64(1UL << 61), filler),
            GgufBytes.Raw(0, 1, key, GgufBytes.U32(9), GgufBytes.U32(9), GgufBytes.U64(Huge), filler),
            GgufBytes.Raw(1, 0, GgufBytes.Entry("t", 0, 0, Huge, Huge, Huge, Huge), filler),
            GgufBytes.Raw(1, 0, GgufBytes.Entry("t", 0, 0, 1UL << 62), filler),
            GgufBytes.Raw(1, 0, GgufBytes.Entry("t", 0, 0, ulong.MaxValue), filler),
            GgufBytes.Raw(1, 0, GgufBytes.Entry("t", 0, ulong.MaxValue - 31, 8), filler),
            GgufBytes.Raw(1, 0, GgufBytes.U64(Huge), filler),
        ];
        for (int i = 0; i < files.Length; i++)
        {
            string path = _directory.Write($"{i}.gguf", files[i]);
            Assert.Throws<ModelFileException>(() => GgufFile.Open(path).Dispose());
            long allocated = GC.GetAllocatedBytesForCurrentThread();
            var watch = Stopwatch.StartNew();
            Refusal.Is("byte offset", path, () => GgufFile.Open(path).Dispose());
            Assert.InRange(watch.ElapsedMilliseconds, 0, 500); // one or two on a machine that is not busy
            Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - allocated, 0, 500_000);
        }
    }

    [Fact]
    public void Metadata_that_break_a_rule_are_refused()
    {
        byte[] key = GgufBytes.Text("k");
        byte[] flag = [.. key, .. GgufBytes.U32(7), 1];
        Refuses("key 'k' stands there twice", GgufBytes.Raw(0, 2, flag, flag, new byte[40]));
        Refuses("'k' has the unknown value type 13", GgufBytes.Raw(0, 1, key, GgufBytes.U32(13), new byte[40]));
        Refuses("'k' has the unknown value type 99", GgufBytes.Raw(0, 1, key, GgufBytes.U32(9), GgufBytes.U32(99), new byte[40]));
        byte[] nested = [.. Enumerable.Repeat<byte[]>([.. GgufBytes.U32(9), .. GgufBytes.U64(1)], 100).SelectMany(bytes => bytes)];
        Refuses("nested deeper than 8", GgufBytes.Raw(0, 1, key, GgufBytes.U32(9), nested));
        Refuses("'general.alignment' .*power of two", GgufBytes.Raw(0, 1, GgufBytes.Text("general.alignment"), GgufBytes.U32(4), GgufBytes.U32(24)));
        Refuses("'general.alignment' .*whole number", GgufBytes.Raw(0, 1, GgufBytes.Text("general.alignment"), GgufBytes.U32(4), GgufBytes.U32(0)));
        Refuses("key has 70000 bytes", GgufBytes.Raw(0, 1, GgufBytes.Text(new string('k', 70_000)), new byte[40]));
    }

    [Fact]
    public void Tensors_that_break_a_rule_are_refused()
    {
        byte[] data = new byte[256];
        Refuses("'t' has 5 dimensions", GgufBytes.Raw(1, 0, GgufBytes.Entry("t", 0, 0, 1, 1, 1, 1, 1), data));
        Refuses("no multiple of 32", GgufBytes.Raw(1, 0, GgufBytes.Entry("t", 0, 4, 1), data));
        Refuses("overlaps the tensor before", GgufBytes.Raw(2, 0, GgufBytes.Entry("t", 0, 0, 9), GgufBytes.Entry("u", 0, 32, 1), data));
        Refuses("overlaps the tensor before", GgufBytes.Raw(2, 0, GgufBytes.Entry("t", 0, 0, 9), GgufBytes.Entry("u", 0, 0, 9), data));
        Refuses("behind the end of the file", GgufBytes.Raw(1, 0, GgufBytes.Entry("t", 0, 0, 100), data));
        Refuses("not whole blocks of 32", GgufBytes.Raw(1, 0, GgufBytes.Entry("t", 2, 0, 16, 2), data));
        Refuses("'t' stands there twice", GgufBytes.Raw(2, 0, GgufBytes.Entry("t", 0, 0, 1), GgufBytes.Entry("t", 0, 32, 1), data));
    }

    [Fact]
    public void A_file_cut_anywhere_is_refused()
    {
        byte[] whole = GgufBytes.Sample();
        string path = _directory.PathOf("cut.gguf");
        // What may be missing: the padding behind the last tensor, of 5 bytes in 64.
        for (int length = 1; length < whole.Length - 59; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            Refusal.Is("", path, () => GgufFile.Open(path).Dispose());
        }

        File.WriteAllBytes(path, whole[..^59]);
        GgufFile.Open(path).Dispose();
    }

    private void Refuses(string pattern, byte[] bytes)
    {
        string path = _directory.Write("bad.gguf", bytes);
        Refusal.Is(pattern, path, () => GgufFile.Open(path).Dispose());
    }

    private static byte[] Patched(int at, byte value)
    {
        byte[] bytes = GgufBytes.Sample();
        bytes[at] = value;
        return bytes;
    }
}
