using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>A kernel: a type, so that it can be chosen by element type and named without reflection.</summary>
/// <typeparam name="TArgs">Its parameters, as one struct of views and numbers.</typeparam>
internal interface IKernelBody<TArgs> where TArgs : struct
{
    /// <summary>What one thread of a group does.</summary>
    static abstract void Run(TArgs a);
}

/// <summary>The one entry point of every kernel.</summary>
internal static class KernelEntry
{
    /// <summary>Runs the kernel.</summary>
    public static void Run<TBody, TArgs>(TArgs a)
        where TBody : struct, IKernelBody<TArgs>
        where TArgs : struct => TBody.Run(a);
}

/// <summary>The threads of a group, and the sums that they form together.</summary>
/// <remarks>
/// Kernels are right for every number of threads. A reduction therefore never runs over threads but over
/// <see cref="Lanes"/> virtual lanes, lane ℓ owning items ℓ, ℓ + 64, ℓ + 128, ...; a thread works for lanes t, t + Threads, ...
/// Lanes are then joined pairwise, ℓ with ℓ + 32, then with ℓ + 16, and so on: the same bits on every device.
/// </remarks>
internal static class Team
{
    /// <summary>Virtual lanes of a reduction.</summary>
    public const int Lanes = 64;

    /// <summary>Most threads of a group.</summary>
    public const int MaxThreads = 128;

    /// <summary>Groups that a CUDA multiprocessor is to hold at least: 64 registers a thread, of which ptxas then makes use.</summary>
    public const int MinGroups = 8;

    /// <summary>This thread.</summary>
    public static int Thread => Group.IdxX;

    /// <summary>Threads of the group.</summary>
    public static int Threads => Group.DimX;

    /// <summary>Joins the lanes' sums; on return every thread may read the total. Ends with a barrier.</summary>
    public static float Sum(ArrayView<float> lanes)
    {
        Group.Barrier();
        for (int half = Lanes / 2; half > 0; half >>= 1)
        {
            for (int lane = Thread; lane < half; lane += Threads) lanes[lane] += lanes[lane + half];
            Group.Barrier();
        }

        return lanes[0];
    }

    /// <inheritdoc cref="Sum(ArrayView{float})"/>
    public static double Sum(ArrayView<double> lanes)
    {
        Group.Barrier();
        for (int half = Lanes / 2; half > 0; half >>= 1)
        {
            for (int lane = Thread; lane < half; lane += Threads) lanes[lane] += lanes[lane + half];
            Group.Barrier();
        }

        return lanes[0];
    }
}

/// <summary>An integer of a plan as a kernel sees it: a constant, or an entry of the block of bound integers.</summary>
/// <remarks>Constants are frozen in a captured graph; what changes from step to step is read on the device.</remarks>
internal struct BoundInt
{
    /// <summary>Index into the block, or -1.</summary>
    public int Symbol;

    /// <summary>The value where there is no symbol.</summary>
    public int Constant;

    /// <summary>The value in this run.</summary>
    public readonly int In(ArrayView<int> block) => Symbol < 0 ? Constant : block[Symbol];
}
