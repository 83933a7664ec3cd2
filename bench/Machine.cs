using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace KvIL.Bench;

/// <summary>What the machine can do at this moment: bytes read and multiply-adds done per second by plain loops on the same number of threads.</summary>
/// <remarks>Every figure of the engine is given as a share of these, measured in the same run: absolute times of a shared machine mean little.</remarks>
internal static unsafe class Machine
{
    private const long ReadBytes = 512L << 20;
    private const int MultiplyAdds = 20_000_000;

    private static readonly byte* s_memory = AllocateTouched();

    /// <summary>Bytes per second of a loop that sums 512 MiB, far more than any cache.</summary>
    public static double ReadBandwidth(int threads) => ReadBytes / Seconds(threads, thread =>
    {
        long part = ReadBytes / threads / 4096 * 4096;
        Sink(Sum(s_memory + (thread * part), part));
    });

    /// <summary>Floating-point operations per second of independent chains of fused multiply-adds in registers.</summary>
    public static double FmaPeak(int threads)
    {
        bool wide = Vector512.IsHardwareAccelerated;
        double seconds = Seconds(threads, _ => Sink(wide ? Chains512() : Chains256()));
        return 2.0 * threads * MultiplyAdds * (wide ? 16 * 12 : 8 * 10) / seconds;
    }

    private static byte* AllocateTouched()
    {
        byte* memory = (byte*)NativeMemory.AlignedAlloc((nuint)ReadBytes, 4096);
        NativeMemory.Fill(memory, (nuint)ReadBytes, 1);
        return memory;
    }

    private static double Seconds(int threads, Action<int> work)
    {
        using Barrier start = new(threads + 1);
        Thread[] workers = [.. Enumerable.Range(0, threads).Select(thread => new Thread(() =>
        {
            start.SignalAndWait();
            work(thread);
        }))];
        Array.ForEach(workers, worker => worker.Start());
        start.SignalAndWait();
        long began = Stopwatch.GetTimestamp();
        Array.ForEach(workers, worker => worker.Join());
        return Stopwatch.GetElapsedTime(began).TotalSeconds;
    }

    // From four places at once: what a processor reads ahead ends at every page, so one place alone does not use all of the memory.
    private static float Sum(byte* memory, long bytes)
    {
        Vector256<float> a = default, b = default, c = default, d = default;
        long quarter = bytes / 4 / 64 * 64;
        for (long i = 0; i < quarter; i += 64)
        {
            a += Two(memory + i);
            b += Two(memory + quarter + i);
            c += Two(memory + (2 * quarter) + i);
            d += Two(memory + (3 * quarter) + i);
        }

        return Vector256.Sum((a + b) + (c + d));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Two(byte* memory) => Vector256.Load((float*)memory) + Vector256.Load((float*)memory + 8);

    private static float Chains256()
    {
        Vector256<float> m = Vector256.Create(0.9999f), k = Vector256.Create(0.5f);
        Vector256<float> a = k, b = k, c = k, d = k, e = k, f = k, g = k, h = k, i = k, j = k;
        for (int n = 0; n < MultiplyAdds; n++)
        {
            a = Vector256.FusedMultiplyAdd(a, m, k);
            b = Vector256.FusedMultiplyAdd(b, m, k);
            c = Vector256.FusedMultiplyAdd(c, m, k);
            d = Vector256.FusedMultiplyAdd(d, m, k);
            e = Vector256.FusedMultiplyAdd(e, m, k);
            f = Vector256.FusedMultiplyAdd(f, m, k);
            g = Vector256.FusedMultiplyAdd(g, m, k);
            h = Vector256.FusedMultiplyAdd(h, m, k);
            i = Vector256.FusedMultiplyAdd(i, m, k);
            j = Vector256.FusedMultiplyAdd(j, m, k);
        }

        return Vector256.Sum(a + b + c + d + e + f + g + h + i + j);
    }

    private static float Chains512()
    {
        Vector512<float> m = Vector512.Create(0.9999f), k = Vector512.Create(0.5f);
        Vector512<float> a = k, b = k, c = k, d = k, e = k, f = k, g = k, h = k, i = k, j = k, l = k, o = k;
        for (int n = 0; n < MultiplyAdds; n++)
        {
            a = Vector512.FusedMultiplyAdd(a, m, k);
            b = Vector512.FusedMultiplyAdd(b, m, k);
            c = Vector512.FusedMultiplyAdd(c, m, k);
            d = Vector512.FusedMultiplyAdd(d, m, k);
            e = Vector512.FusedMultiplyAdd(e, m, k);
            f = Vector512.FusedMultiplyAdd(f, m, k);
            g = Vector512.FusedMultiplyAdd(g, m, k);
            h = Vector512.FusedMultiplyAdd(h, m, k);
            i = Vector512.FusedMultiplyAdd(i, m, k);
            j = Vector512.FusedMultiplyAdd(j, m, k);
            l = Vector512.FusedMultiplyAdd(l, m, k);
            o = Vector512.FusedMultiplyAdd(o, m, k);
        }

        return Vector512.Sum(a + b + c + d + e + f + g + h + i + j + l + o);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Sink(float value) => GC.KeepAlive(value);
}
