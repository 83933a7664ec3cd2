namespace KvIL.Gpu;

/// <summary>An op, lowered: the launches that remain to be made at each enqueue, and the scratch that they share.</summary>
internal abstract class Step : IDisposable
{
    private const long Alignment = 256;

    /// <summary>Bytes that the step uses while it runs.</summary>
    public long ScratchBytes { get; private set; }

    /// <summary>Launches the op's kernels for the bindings of <paramref name="frame"/>.</summary>
    public abstract void Run(Frame frame);

    /// <summary>Gives back what the step itself allocated.</summary>
    public virtual void Dispose()
    {
    }

    /// <summary>Sets aside a part of the step's scratch, symbols at their largest.</summary>
    protected unsafe Scratch<T> Reserve<T>(long count) where T : unmanaged
    {
        Scratch<T> part = new(ScratchBytes, count);
        ScratchBytes += checked((count * sizeof(T)) + Alignment - 1) / Alignment * Alignment;
        return part;
    }
}

/// <summary>A part of a step's scratch.</summary>
/// <param name="Offset">Bytes from the step's first one.</param>
/// <param name="Count">Elements.</param>
internal readonly record struct Scratch<T>(long Offset, long Count) where T : unmanaged;
