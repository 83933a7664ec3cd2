using KvIL.Tensors;

namespace KvIL.Plans;

/// <summary>A value in a <see cref="Plan"/>: written by exactly one op, or bound by the caller.</summary>
/// <param name="Id">Position in the plan's slot table.</param>
/// <param name="Name">Name for printing; the checkpoint's tensor name for a weight.</param>
/// <param name="Spec">What it is.</param>
/// <param name="Previous">For a later version of a state, the version that the backend overwrites in place; else null.</param>
public sealed record Slot(int Id, string Name, Spec Spec, Slot? Previous = null)
{
    /// <summary>The spec of a tensor slot.</summary>
    /// <exception cref="InvalidCastException">The slot is a store.</exception>
    public TensorSpec Tensor => (TensorSpec)Spec;

    /// <summary>The spec of a store slot.</summary>
    /// <exception cref="InvalidCastException">The slot is a tensor.</exception>
    public StoreSpec Store => (StoreSpec)Spec;

    /// <summary>The first version of the state that this slot is a version of; itself when it is no later version.</summary>
    public Slot Root => Previous?.Root ?? this;

    /// <inheritdoc/>
    public bool Equals(Slot? other) => ReferenceEquals(this, other);

    /// <inheritdoc/>
    public override int GetHashCode() => Id;
}
