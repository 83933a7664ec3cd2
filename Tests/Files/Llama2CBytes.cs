using System.Buffers.Binary;

namespace KvIL.Tests.Files;

/// <summary>Small files in the formats of llama2.c: width 8, MLP 12, 2 layers, 2 query heads, 1 KV head, 5 tokens, 6 positions.</summary>
internal static class Llama2CBytes
{
    public const int Group = 4;

    private const int Width = 8;
    private const int MlpWidth = 12;
    private const int Layers = 2;
    private const int KvWidth = 4;
    private const int Vocabulary = 5;
    private const int Positions = 6;

    /// <summary>A file whose n-th tensor, in the file's order, has elements n, n + 1/8, n + 2/8, ... (version 2: group scale n/8 and integers 0, 1, ...).</summary>
    public static byte[] Of(int version, bool tied)
    {
        int number = 0;
        byte[][] Vectors(int count) => [.. Enumerable.Range(0, count).Select(_ => Floats(number++, Width))];
        byte[][] Each(int rows, int columns) => [.. Enumerable.Range(0, Layers).Select(_ => Matrix(version, number++, rows * columns))];
        byte[][] Attention() => [.. Each(Width, Width), .. Each(KvWidth, Width), .. Each(KvWidth, Width), .. Each(Width, Width)];
        byte[][] Mlp() => [.. Each(MlpWidth, Width), .. Each(Width, MlpWidth), .. Each(MlpWidth, Width)];
        byte[] Embedding() => Matrix(version, number++, Vocabulary * Width);
        byte[][] Head() => tied ? [] : [Embedding()];
        byte[][] tensors = version == 0
            ? [Embedding(), .. Vectors(Layers), .. Attention(), .. Vectors(Layers), .. Mlp(), .. Vectors(1), new byte[4 * Positions * 4], .. Head()]
            : [.. Vectors(Layers), .. Vectors(Layers), .. Vectors(1), Embedding(), .. Attention(), .. Mlp(), .. Head()];
        return [.. Header(version, tied), .. tensors.SelectMany(bytes => bytes)];
    }

    private static byte[] Header(int version, bool tied)
    {
        int[] sizes = [Width, MlpWidth, Layers, 2, 1, version == 0 && !tied ? -Vocabulary : Vocabulary, Positions];
        byte[] header = new byte[version == 0 ? 28 : 256];
        int at = version == 0 ? 0 : 8;
        if (version > 0)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(header, 0x616b3432);
            BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(4), version);
            header[36] = tied ? (byte)1 : (byte)0;
        }

        if (version == 2)
        {
            BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(37), Group);
        }

        for (int i = 0; i < sizes.Length; i++)
        {
            BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(at + (4 * i)), sizes[i]);
        }

        return header;
    }

    private static byte[] Matrix(int version, int number, int elements) => version < 2
        ? Floats(number, elements)
        : [.. Enumerable.Range(0, elements).Select(i => (byte)(sbyte)((i % 255) - 127)),
           .. Enumerable.Range(0, elements / Group).SelectMany(g => BitConverter.GetBytes((number / 8f) + g))];

    private static byte[] Floats(int number, int count) =>
        [.. Enumerable.Range(0, count).SelectMany(i => BitConverter.GetBytes(number + (i / 8f)))];
}
