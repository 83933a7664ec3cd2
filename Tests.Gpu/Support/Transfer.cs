using System.Runtime.InteropServices;
using KvIL.Backends;
using KvIL.Tensors;

namespace KvIL.Tests.Gpu.Support;

/// <summary>Moves float32 values to and from tensors of any float type.</summary>
internal static class Transfer
{
    public static void Upload(IQueue queue, float[] values, IBuffer buffer)
    {
        switch (((TensorSpec)buffer.Spec).Type)
        {
            case DType.F32:
                queue.Upload<float>(values, buffer);
                break;
            case DType.F16:
                queue.Upload<Half>(Array.ConvertAll(values, v => (Half)v), buffer);
                break;
            case DType.BF16:
                queue.Upload<ushort>(Array.ConvertAll(values, v => (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16)), buffer);
                break;
            default:
                throw new ArgumentException($"{buffer.Spec} holds no floats.");
        }
    }

    public static float[] Download(IQueue queue, IBuffer buffer)
    {
        TensorSpec spec = (TensorSpec)buffer.Spec;
        int count = checked((int)spec.Shape.MaxElements);
        byte[] bytes = new byte[spec.SizeBytes];
        queue.Download<byte>(buffer, bytes);
        queue.Synchronize();
        return spec.Type switch
        {
            DType.F32 => MemoryMarshal.Cast<byte, float>(bytes).ToArray(),
            DType.F16 => Array.ConvertAll(MemoryMarshal.Cast<byte, Half>(bytes).ToArray(), v => (float)v),
            _ => throw new ArgumentException($"{count} elements of {spec.Type} are not read back."),
        };
    }
}
