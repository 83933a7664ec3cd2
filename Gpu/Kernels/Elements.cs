using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>How a stored element becomes float32: exactly. A type argument of kernels.</summary>
/// <typeparam name="T">What lies in memory.</typeparam>
internal interface IElement<T> where T : unmanaged
{
    /// <summary>Widens.</summary>
    static abstract float Load(T stored);
}

/// <summary>An element that rows of a store are made of.</summary>
/// <typeparam name="T">What lies in memory.</typeparam>
internal interface IRowElement<T> : IElement<T> where T : unmanaged
{
    /// <summary>Rounds to the nearest, ties to even.</summary>
    static abstract T Store(float value);
}

/// <summary>binary32.</summary>
internal readonly struct F32 : IRowElement<float>
{
    public static float Load(float stored) => stored;

    public static float Store(float value) => value;
}

/// <summary>binary16.</summary>
internal readonly struct F16 : IRowElement<Half>
{
    private const uint Magnitude = 0x7FFF_FFFF;
    private const uint Infinity = 0x7F80_0000;

    public static float Load(Half stored) => stored;

    /// <summary>Rounds to the nearest, ties to even, then narrows.</summary>
    /// <remarks>ILGPU's own narrowing truncates on its CPU accelerator, so it only ever gets numbers that binary16 has.</remarks>
    public static Half Store(float value) => (Half)Round(value);

    /// <summary>The nearest number of binary16 as a binary32.</summary>
    /// <remarks>
    /// Normal numbers keep 11 bits: adding half a unit less one, and one for an odd last bit, carries where it must. Below
    /// 2⁻¹⁴ the unit is 2⁻²⁴, which is that of binary32 numbers from 1/2 to 1: adding 1/2 rounds. From 65520 on: infinity.
    /// </remarks>
    public static float Round(float value)
    {
        uint bits = Interop.FloatAsInt(value);
        uint magnitude = bits & Magnitude;
        if (magnitude >= Infinity) return value;
        float size = Interop.IntAsFloat(magnitude);
        float rounded = size < 6.103515625e-5f
            ? (size + 0.5f) - 0.5f
            : Interop.IntAsFloat((magnitude + 0x0FFF + ((magnitude >> 13) & 1)) & ~0x1FFFu);
        if (rounded > 65504f) rounded = float.PositiveInfinity;
        return bits == magnitude ? rounded : -rounded;
    }
}

/// <summary>bfloat16: the upper half of a binary32.</summary>
internal readonly struct BF16 : IElement<ushort>
{
    public static float Load(ushort stored) => Interop.IntAsFloat((uint)stored << 16);
}
