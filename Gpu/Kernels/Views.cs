using ILGPU;

namespace KvIL.Gpu.Kernels;

/// <summary>Parts of views.</summary>
internal static class Views
{
    /// <summary><paramref name="count"/> elements from <paramref name="begin"/> on; some other view where there are none.</summary>
    /// <remarks>
    /// ILGPU refuses a part that begins at the end of a view, even an empty one, so the length of the result says nothing.
    /// </remarks>
    public static ArrayView<T> Part<T>(this ArrayView<T> view, long begin, long count) where T : unmanaged =>
        count > 0 ? view.SubView(begin, count) : view;
}
