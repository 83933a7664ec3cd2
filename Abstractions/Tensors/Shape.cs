using System.Collections.Immutable;
using System.Globalization;

namespace KvIL.Tensors;

/// <summary>A small integer that a plan leaves open: its value is bound at each enqueue, its maximum when the plan is built.</summary>
/// <param name="Id">Position in the plan's symbol table.</param>
/// <param name="Name">Name for printing, such as <c>n</c> or <c>len</c>.</param>
/// <param name="Max">Largest value that may be bound; scratch memory is sized for it.</param>
public sealed record Symbol(int Id, string Name, int Max);

/// <summary>A non-negative integer of a plan: a constant, or a <see cref="Symbol"/> bound at enqueue.</summary>
public readonly record struct Dim
{
    private readonly int _constant;

    private Dim(int constant, Symbol? symbol) => (_constant, Symbol) = (constant, symbol);

    /// <summary>The symbol, or null for a constant.</summary>
    public Symbol? Symbol { get; }

    /// <summary>The constant, or the largest value of the symbol.</summary>
    public int Max => Symbol?.Max ?? _constant;

    /// <summary>A constant.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="value"/> is negative.</exception>
    public static implicit operator Dim(int value)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(value);
        return new(value, null);
    }

    /// <summary>A bound value.</summary>
    public static implicit operator Dim(Symbol symbol)
    {
        ArgumentNullException.ThrowIfNull(symbol);
        return new(0, symbol);
    }

    /// <summary>The value under <paramref name="symbols"/>, indexed by symbol id.</summary>
    public int Value(ReadOnlySpan<int> symbols) => Symbol is null ? _constant : symbols[Symbol.Id];

    /// <inheritdoc/>
    public override string ToString() => Symbol?.Name ?? _constant.ToString(CultureInfo.InvariantCulture);
}

/// <summary>Extents of a tensor, outermost first, row-major.</summary>
public sealed class Shape : IEquatable<Shape>
{
    private readonly ImmutableArray<Dim> _dims;

    /// <summary>A shape of the given extents.</summary>
    public Shape(params ReadOnlySpan<Dim> dims) => _dims = [.. dims];

    /// <summary>Number of extents.</summary>
    public int Rank => _dims.Length;

    /// <summary>The extent of <paramref name="axis"/>; <c>^1</c> is the innermost.</summary>
    public Dim this[Index axis] => _dims[axis.GetOffset(_dims.Length)];

    /// <summary>Elements when every symbol has its largest value.</summary>
    /// <exception cref="OverflowException">The count does not fit 64 bits.</exception>
    public long MaxElements
    {
        get
        {
            long count = 1;
            foreach (Dim dim in _dims)
            {
                count = checked(count * dim.Max);
            }

            return count;
        }
    }

    /// <inheritdoc/>
    public bool Equals(Shape? other) => other is not null && _dims.AsSpan().SequenceEqual(other._dims.AsSpan());

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as Shape);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        foreach (Dim dim in _dims)
        {
            hash.Add(dim);
        }

        return hash.ToHashCode();
    }

    /// <inheritdoc/>
    public override string ToString() => $"[{string.Join(", ", _dims)}]";
}
