using System.Buffers.Binary;
using KvIL.Inference.Files;
using KvIL.Tensors;

namespace KvIL.Cli.Measurement;

/// <summary>The numbers of a tensor in a file, widened to double without rounding.</summary>
internal static class TensorValues
{
    /// <summary>Element types that are floating-point numbers of their own, in the file's spelling.</summary>
    public static IReadOnlyCollection<string> Floats { get; } = ["F32", "F16", "BF16", "F64"];

    /// <summary>All elements, row-major; of a quantised weight what its blocks stand for.</summary>
    /// <exception cref="ModelFileException">The elements are no numbers of these types, or too many for one array.</exception>
    public static double[] Read(FileTensor tensor)
    {
        if (tensor.Data.LengthBytes > Array.MaxLength || tensor.ElementCount > Array.MaxLength / sizeof(double))
        {
            throw new ModelFileException($"{tensor.Path}: tensor '{tensor.Name}' has {tensor.ElementCount} elements, more than fit one array here; give a smaller one.");
        }

        ReadOnlySpan<byte> data = tensor.Data.AsSpan();
        double[] values = new double[tensor.ElementCount];
        switch (tensor.StoredType)
        {
            case "F64":
                for (int i = 0; i < values.Length; i++) values[i] = BinaryPrimitives.ReadDoubleLittleEndian(data[(8 * i)..]);
                break;
            case "F32":
                for (int i = 0; i < values.Length; i++) values[i] = BinaryPrimitives.ReadSingleLittleEndian(data[(4 * i)..]);
                break;
            case "F16":
                for (int i = 0; i < values.Length; i++) values[i] = (double)BinaryPrimitives.ReadHalfLittleEndian(data[(2 * i)..]);
                break;
            case "BF16":
                for (int i = 0; i < values.Length; i++) values[i] = BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadInt16LittleEndian(data[(2 * i)..]) << 16);
                break;
            default:
                ReadBlocks(tensor, data, values);
                break;
        }

        return values;
    }

    private static void ReadBlocks(FileTensor tensor, ReadOnlySpan<byte> data, double[] values)
    {
        if (tensor.Type is not DType type || !type.IsQuantized())
        {
            throw new ModelFileException(
                $"{tensor.Path}: tensor '{Terminal.Visible(tensor.Name)}' has elements of type {tensor.StoredType}; convert it to {string.Join(", ", Floats)}.");
        }

        float[] weights = new float[values.Length];
        Dequantization.ToFloat32(type, data, weights);
        for (int i = 0; i < values.Length; i++) values[i] = weights[i];
    }
}
