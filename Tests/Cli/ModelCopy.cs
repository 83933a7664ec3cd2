using System.Buffers.Binary;
using System.Text;
using KvIL.Tests.Files;

namespace KvIL.Tests.Cli;

/// <summary>Copies of the demo model that a test may damage.</summary>
internal static class ModelCopy
{
    /// <summary>A whole copy.</summary>
    public static string Whole(TemporaryDirectory directory)
    {
        string copy = WithoutTokenizer(directory);
        File.Copy(Path.Combine(Tool.Model, "tokenizer.json"), Path.Combine(copy, "tokenizer.json"));
        return copy;
    }

    /// <summary>A copy that has no tokenizer.</summary>
    public static string WithoutTokenizer(TemporaryDirectory directory)
    {
        string copy = directory.PathOf($"model-{Guid.NewGuid():N}");
        Directory.CreateDirectory(copy);
        foreach (string name in (ReadOnlySpan<string>)["config.json", "model.safetensors"])
        {
            File.Copy(Path.Combine(Tool.Model, name), Path.Combine(copy, name));
        }

        return copy;
    }

    /// <summary>The header of the weights, as text.</summary>
    public static string Header()
    {
        using FileStream file = File.OpenRead(Path.Combine(Tool.Model, "model.safetensors"));
        byte[] length = new byte[8];
        file.ReadExactly(length);
        byte[] header = new byte[BinaryPrimitives.ReadInt64LittleEndian(length)];
        file.ReadExactly(header);
        return Encoding.UTF8.GetString(header);
    }

    /// <summary>Replaces the weights by a header, its length, and a hole as long as the real data.</summary>
    public static void WriteWeights(string copy, byte[] header, ulong? claimedLength = null)
    {
        using FileStream file = File.Create(Path.Combine(copy, "model.safetensors"));
        byte[] length = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, claimedLength ?? (ulong)header.Length);
        file.Write(length);
        file.Write(header);
        file.SetLength(file.Length + 7_608_832);
    }
}
