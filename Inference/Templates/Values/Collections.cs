using System.Numerics;

namespace KvIL.Inference.Templates.Values;

/// <summary>A list or a tuple; nothing changes it.</summary>
/// <param name="items">The items.</param>
/// <param name="isTuple">Whether it is a tuple.</param>
/// <param name="names">Names of a tuple's items, where they have some.</param>
internal sealed class ListValue(IReadOnlyList<JinjaValue> items, bool isTuple = false, string[]? names = null) : JinjaValue, ISequence
{
    public IReadOnlyList<string> Names => names ?? [];

    public IReadOnlyList<JinjaValue> Items => items;

    public bool IsTuple => isTuple;

    public override string TypeName => isTuple ? "tuple" : "list";

    public override bool Truth => items.Count > 0;

    public int Count => items.Count;

    public JinjaValue this[int index] => items[index];

    public JinjaValue Slice(int start, int step, int count)
    {
        JinjaValue[] slice = new JinjaValue[count];
        for (int i = 0; i < count; i++)
        {
            slice[i] = items[start + (i * step)];
        }

        return new ListValue(slice, isTuple);
    }
}

/// <summary>The whole numbers from a start in equal steps.</summary>
internal sealed class RangeValue(BigInteger start, BigInteger step, int count) : JinjaValue, ISequence
{
    public override string TypeName => "range";

    public override bool Truth => count > 0;

    public int Count => count;

    public BigInteger Start => start;

    public BigInteger Step => step;

    public BigInteger Stop { get; init; } = start + (step * count);

    public JinjaValue this[int index] => new IntegerValue(start + (step * index));

    public JinjaValue Slice(int first, int by, int length) => new RangeValue(start + (step * first), step * by, length);
}

/// <summary>Values by key, in the order they came in; 1, 1.0 and true are one key.</summary>
internal sealed class DictValue : JinjaValue
{
    private readonly OrderedDictionary<object, (JinjaValue Key, JinjaValue Value)> _items = [];

    public override string TypeName => "dict";

    public override bool Truth => _items.Count > 0;

    public int Count => _items.Count;

    public IEnumerable<(JinjaValue Key, JinjaValue Value)> Items => _items.Values;

    /// <summary>Sets a value while the dict is being made; a key that is there keeps its place and its spelling.</summary>
    /// <returns>False where no such value can be a key.</returns>
    public bool Set(JinjaValue key, JinjaValue value)
    {
        if (KeyOf(key) is not { } at)
        {
            return false;
        }

        _items[at] = (_items.TryGetValue(at, out (JinjaValue Key, JinjaValue) found) ? found.Key : key, value);
        return true;
    }

    public void Set(string key, JinjaValue value) => Set(new TextValue(key), value);

    public JinjaValue? Find(string key) => _items.TryGetValue(key, out (JinjaValue, JinjaValue Value) found) ? found.Value : null;

    public JinjaValue? Find(JinjaValue key) =>
        KeyOf(key) is { } at && _items.TryGetValue(at, out (JinjaValue, JinjaValue Value) found) ? found.Value : null;

    /// <summary>What stands for a value in the table: equal for values that Python calls equal. Null where Python has no hash.</summary>
    public static object? KeyOf(JinjaValue key) => key switch
    {
        TextValue text => text.Value,
        BooleanValue boolean => (BigInteger)(boolean.Value ? 1 : 0),
        IntegerValue integer => integer.Value,
        FloatValue { Value: double value } => double.IsInteger(value) ? new BigInteger(value) : value,
        NoneValue => DBNull.Value,
        ListValue { IsTuple: true } tuple when TupleKey(tuple) is string text => new KeyValuePair<char, string>('(', text),
        ListValue or DictValue or NamespaceValue => null,
        _ => key,
    };

    // Only tuples of plain values: nested ones could take for ever to compare.
    private static string? TupleKey(ListValue tuple)
    {
        if (tuple.Count > 64 || !tuple.Items.All(item => item is TextValue or BooleanValue or IntegerValue or FloatValue or NoneValue))
        {
            return null;
        }

        return string.Concat(tuple.Items.Select(KeyOf).Select(key =>
        {
            string text = key is DBNull ? "" : FormattableString.Invariant($"{key}");
            return FormattableString.Invariant($"{key!.GetType().Name} {text.Length} {text}");
        }));
    }
}

internal enum DictPart
{
    Keys,
    Values,
    Items,
}

/// <summary>What <c>keys()</c>, <c>values()</c> and <c>items()</c> give.</summary>
internal sealed class ViewValue(DictValue dict, DictPart part) : JinjaValue
{
    public DictValue Dict => dict;

    public DictPart Part => part;

    public override string TypeName => part switch { DictPart.Keys => "dict_keys", DictPart.Values => "dict_values", _ => "dict_items" };

    public override bool Truth => dict.Truth;

    public IEnumerable<JinjaValue> Items => dict.Items.Select(item => part switch
    {
        DictPart.Keys => item.Key,
        DictPart.Values => item.Value,
        _ => new ListValue([item.Key, item.Value], isTuple: true),
    });
}

/// <summary>Items that come one after the other, once.</summary>
internal sealed class IteratorValue(Rendering run, IEnumerable<JinjaValue> items) : JinjaValue
{
    private readonly IEnumerator<JinjaValue> _items = items.GetEnumerator();

    public override string TypeName => "generator";

    // An iterator over an iterator over ... is a tower of calls.
    public JinjaValue? Next()
    {
        run.Enter();
        JinjaValue? item = _items.MoveNext() ? _items.Current : null;
        run.Leave();
        return item;
    }
}

/// <summary>Attributes that <c>{% set ns.x = ... %}</c> may change from inside a loop.</summary>
internal sealed class NamespaceValue(DictValue attributes) : JinjaValue
{
    public DictValue Attributes => attributes;

    public override string TypeName => "Namespace";
}
