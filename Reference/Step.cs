namespace KvIL.Reference;

/// <summary>An op, lowered: what remains to be done at each enqueue.</summary>
internal abstract class Step
{
    /// <summary>Scratch bytes that the step uses while it runs, shared with no other step's results.</summary>
    public virtual long ScratchBytes(int workers) => 0;

    /// <summary>Computes the op for the bindings of <paramref name="frame"/>.</summary>
    public abstract void Run(Frame frame);
}
