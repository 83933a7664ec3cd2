using System.Reflection;
using KvIL.Gpu.Kernels;
using Half = ILGPU.Half;

namespace KvIL.Tests.Gpu.Ptx;

/// <summary>A kernel with its element types chosen.</summary>
/// <param name="Name">Name of its files.</param>
/// <param name="Body">The kernel's type.</param>
/// <param name="Method">The entry point that is compiled.</param>
internal sealed record CatalogEntry(string Name, Type Body, MethodInfo Method);

/// <summary>Every kernel in every element type that a plan can ask for.</summary>
internal static class Catalog
{
    public static IReadOnlyList<CatalogEntry> All { get; } =
    [
        .. OfRows<F32, float>(),
        .. OfRows<F16, Half>(),
        .. OfWeights<F32, float>(),
        .. OfWeights<F16, Half>(),
        .. OfWeights<BF16, ushort>(),
        Entry<RecencyScores, RecencyScoresArgs>(),
        Entry<GroupMean, GroupMeanArgs>(),
        Entry<Pool<Largest>, PoolArgs>(),
        Entry<Pool<Average>, PoolArgs>(),
        Entry<AllocateHeadsBegin, AllocateHeadsArgs>(),
        Entry<AllocateHeadsCount, AllocateHeadsArgs>(),
        Entry<AllocateHeadsPick, AllocateHeadsArgs>(),
        Entry<AllocateHeadsEnd, AllocateHeadsArgs>(),
        Entry<SelectRows, SelectRowsArgs>(),
        Entry<RememberQueries, RememberQueriesArgs>(),
        Entry<Elementwise<Add>, ElementwiseArgs>(),
        Entry<Elementwise<SwiGlu>, ElementwiseArgs>(),
        Entry<Elementwise<GeGlu>, ElementwiseArgs>(),
        Entry<Elementwise<Scale>, ElementwiseArgs>(),
        Entry<Elementwise<SoftCap>, ElementwiseArgs>(),
        Entry<Elementwise<Maximum>, ElementwiseArgs>(),
        Entry<Rotation, RotationArgs>(),
        Entry<Rope, RopeArgs>(),
        Entry<LossHeads, LossSums>(),
        Entry<LossEnd, LossSums>(),
    ];

    /// <summary>Finds an entry by name.</summary>
    public static CatalogEntry Find(string name) => All.Single(entry => entry.Name == name);

    private static CatalogEntry[] OfRows<TElement, T>() where TElement : struct, IRowElement<T> where T : unmanaged =>
    [
        Entry<WindowSums<TElement, T>, WindowScoresArgs<T>>(),
        Entry<WindowMeans<TElement, T>, WindowScoresArgs<T>>(),
        Entry<CompactLayout<T>, CompactArgs<T>>(),
        Entry<CompactRows<T>, CompactArgs<T>>(),
        Entry<AppendPlace<T>, AppendArgs<T>>(),
        Entry<AppendRows<TElement, T>, AppendArgs<T>>(),
        Entry<ReplaceRows<TElement, T>, ReplaceRowsArgs<T>>(),
        Entry<RowChange<TElement, T>, ReplaceRowsArgs<T>>(),
        Entry<Attend<TElement, T>, AttendArgs<T>>(),
        Entry<AttendJoin<T>, AttendArgs<T>>(),
        Entry<LossMass<TElement, T>, LossArgs<T>>(),
        Entry<LossRows<TElement, T, F32, float>, LossRowsArgs<T, float>>(),
        Entry<LossRows<TElement, T, F16, Half>, LossRowsArgs<T, Half>>(),
        Entry<LossRows<TElement, T, BF16, ushort>, LossRowsArgs<T, ushort>>(),
    ];

    private static CatalogEntry[] OfWeights<TElement, T>() where TElement : struct, IElement<T> where T : unmanaged =>
    [
        Entry<Embed<TElement, T>, EmbedArgs<T>>(),
        Entry<RmsNorm<TElement, T>, RmsNormArgs<T>>(),
        Entry<LinearRow<TElement, T>, LinearArgs<T>>(),
        Entry<LinearTile<TElement, T>, LinearArgs<T>>(),
        Entry<LinearBias<TElement, T>, LinearBiasArgs<T>>(),
        Entry<LossChannels<TElement, T>, LossChannelsArgs<T>>(),
    ];

    private static CatalogEntry Entry<TBody, TArgs>() where TBody : struct, IKernelBody<TArgs> where TArgs : struct =>
        new(NameOf(typeof(TBody)), typeof(TBody), new Action<TArgs>(KernelEntry.Run<TBody, TArgs>).Method);

    // LossRows_F16_BF16: element types by name, and what lies in memory only where there is no element type.
    private static string NameOf(Type type)
    {
        string name = type.Name.Split('`')[0];
        Type[] arguments = type.GetGenericArguments();
        IEnumerable<string> named = arguments.Length == 1
            ? arguments.Select(Stored)
            : arguments.Where(argument => argument.Namespace == typeof(F32).Namespace).Select(argument => argument.Name);
        return string.Join("_", named.Prepend(name));
    }

    private static string Stored(Type type) =>
        type == typeof(float) ? nameof(F32) : type == typeof(Half) ? nameof(F16) : type == typeof(ushort) ? nameof(BF16) : type.Name;
}
