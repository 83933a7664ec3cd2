namespace KvIL.Inference.Templates.Values;

/// <summary>The variable <c>loop</c>: goes through a loop's items, looking ahead only when asked.</summary>
/// <param name="items">The items that the loop's test lets through.</param>
/// <param name="depth">How many loops of the same <c>recursive</c> one are around it.</param>
/// <param name="recurse">Renders the loop's body for other items; null where the loop is not recursive.</param>
internal sealed class LoopValue(IEnumerable<JinjaValue> items, int depth, Func<JinjaValue, LoopValue, JinjaValue>? recurse) : JinjaValue
{
    private readonly IEnumerator<JinjaValue> _items = items.GetEnumerator();
    private readonly Queue<JinjaValue> _ahead = new();
    private JinjaValue? _before;
    private IReadOnlyList<JinjaValue>? _changed;

    public override string TypeName => "LoopContext";

    public override bool Truth => Length > 0;

    public int Index { get; private set; } = -1;

    public int Depth => depth;

    public JinjaValue? Current { get; private set; }

    /// <summary>All items, those to come included.</summary>
    public int Length
    {
        get
        {
            while (_items.MoveNext())
            {
                _ahead.Enqueue(_items.Current);
            }

            return Index + 1 + _ahead.Count;
        }
    }

    public bool MoveNext()
    {
        if (Peek() is null)
        {
            return false;
        }

        (_before, Current) = (Current, _ahead.Dequeue());
        Index++;
        return true;
    }

    /// <summary>An attribute such as <c>index0</c>; null where there is none of the name.</summary>
    public JinjaValue? Attribute(string name) => name switch
    {
        "index" => new IntegerValue(Index + 1),
        "index0" => new IntegerValue(Index),
        "revindex" => new IntegerValue(Length - Index),
        "revindex0" => new IntegerValue(Length - Index - 1),
        "length" => new IntegerValue(Length),
        "first" => BooleanValue.Of(Index == 0),
        "last" => BooleanValue.Of(Peek() is null),
        "depth" => new IntegerValue(depth + 1),
        "depth0" => new IntegerValue(depth),
        "previtem" => Index == 0 ? new UndefinedValue("there is no previous item") : _before,
        "nextitem" => Peek() ?? new UndefinedValue("there is no next item"),
        "cycle" => new CallableValue("cycle", Cycle),
        "changed" => new CallableValue("changed", Changed),
        _ => null,
    };

    /// <summary><c>loop(items)</c></summary>
    public JinjaValue Recurse(Rendering run, Arguments arguments)
    {
        JinjaValue inner = arguments.Bind(run, "loop", 1, "iterable")[0]!;
        return recurse is null ? throw run.Error("only a loop marked 'recursive' can be called") : recurse(inner, this);
    }

    private JinjaValue? Peek()
    {
        if (_ahead.Count == 0 && _items.MoveNext())
        {
            _ahead.Enqueue(_items.Current);
        }

        return _ahead.TryPeek(out JinjaValue? next) ? next : null;
    }

    private JinjaValue Cycle(Rendering run, Arguments arguments) => arguments.Positional.Count > 0
        ? arguments.Positional[Index % arguments.Positional.Count]
        : throw run.Error("'cycle' needs at least one argument");

    private BooleanValue Changed(Rendering run, Arguments arguments)
    {
        bool same = _changed is { } last && last.Count == arguments.Positional.Count
            && last.Zip(arguments.Positional).All(pair => Relations.Equal(run, pair.First, pair.Second));
        _changed = arguments.Positional;
        return BooleanValue.Of(!same);
    }
}
