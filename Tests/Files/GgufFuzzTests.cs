using KvIL.Inference.Files;
using Xunit;

namespace KvIL.Tests.Files;

/// <summary>A damaged GGUF file either loads, and then all its tensors and values can be read, or is refused in one sentence.</summary>
public sealed class GgufFuzzTests : IDisposable
{
    private const int Mutations = 1000;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Every_single_bit()
    {
        byte[] whole = GgufBytes.Sample();
        int header = whole.Length - 192; // three tensors of one alignment each
        for (int bit = 0; bit < 8 * header; bit += 5)
        {
            byte[] flipped = [.. whole];
            flipped[bit / 8] ^= (byte)(1 << (bit % 8));
            LoadsOrIsRefused(flipped, bit);
        }
    }

    [Fact]
    public void Random_edits()
    {
        byte[] whole = GgufBytes.Sample();
        var mutator = new Mutator(7);
        int loaded = 0;
        for (int i = 0; i < Mutations; i++)
        {
            loaded += LoadsOrIsRefused(mutator.Mutate(whole), i) ? 1 : 0;
        }

        Assert.InRange(loaded, 1, Mutations - 1);
    }

    [Fact]
    public void Numbers_in_place_of_others()
    {
        byte[] whole = GgufBytes.Sample();
        var random = new Random(8);
        ulong[] values = [0, 1, 255, 256, 1UL << 31, 1UL << 32, 1UL << 60, 1UL << 63, ulong.MaxValue, (ulong)whole.Length, 13, 31, 64];
        for (int i = 0; i < Mutations; i++)
        {
            byte[] edited = [.. whole];
            BitConverter.TryWriteBytes(edited.AsSpan(random.Next(4, whole.Length - 200)), values[random.Next(values.Length)]);
            LoadsOrIsRefused(edited, i);
        }
    }

    private bool LoadsOrIsRefused(byte[] bytes, int number)
    {
        string path = _directory.Write("fuzz.gguf", bytes);
        long allocated = GC.GetAllocatedBytesForCurrentThread();
        bool loaded = false;
        try
        {
            using GgufFile file = GgufFile.Open(path);
            loaded = true;
            foreach (FileTensor tensor in file.Tensors.Values)
            {
                Assert.InRange(tensor.FileOffset, 24, Math.Max(24, bytes.Length + 64));
                Assert.True(tensor.Data.LengthBytes == 0 || tensor.FileOffset + tensor.Data.LengthBytes <= bytes.Length);
                _ = tensor.Data.LengthBytes == 0 ? 0 : tensor.Data.Slice(tensor.Data.LengthBytes - 1, 1).AsSpan()[0];
            }

            foreach (string key in file.Metadata.Keys)
            {
                Read(file.Metadata.Require(key));
            }
        }
        catch (ModelFileException refusal)
        {
            Refusal.IsOneSentence(refusal.Message);
        }
        catch (Exception failure)
        {
            Assert.Fail($"Case {number}: {failure}");
        }

        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        Assert.True(allocated < 500_000 + (64L * bytes.Length), $"Case {number}: {allocated} bytes allocated for a file of {bytes.Length}.");
        return loaded;
    }

    private static void Read(GgufValue value)
    {
        switch (value.Type)
        {
            case GgufValueType.String:
                value.String();
                break;
            case GgufValueType.Bool:
                value.Boolean();
                break;
            case GgufValueType.Array when value.ElementType == GgufValueType.String:
                value.Strings();
                break;
            case GgufValueType.Array:
                foreach (GgufValue item in value.Items())
                {
                    Read(item);
                }

                break;
            default:
                try
                {
                    value.Number();
                }
                catch (ModelFileException refusal)
                {
                    Refusal.IsOneSentence(refusal.Message); // infinite, or no number
                }

                break;
        }
    }
}
