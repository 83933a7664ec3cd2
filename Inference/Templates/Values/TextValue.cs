namespace KvIL.Inference.Templates.Values;

/// <summary>A value with items that are counted from 0.</summary>
internal interface ISequence
{
    int Count { get; }

    JinjaValue this[int index] { get; }

    /// <summary>The items start, start + step, ...: count of them, as a value of the same type.</summary>
    JinjaValue Slice(int start, int step, int count);
}

/// <summary>Text. Its items are code points, as Python's are, not UTF-16's units.</summary>
/// <param name="value">The text.</param>
/// <param name="safe">Whether <c>safe</c> or <c>escape</c> marked it as HTML: text added to it is escaped, and nothing else.</param>
internal sealed class TextValue(string value, bool safe = false) : JinjaValue, ISequence
{
    // Where each code point starts, and the end; null until asked for, and where each is one unit.
    private int[]? _starts;
    private int _count = -1;

    public static TextValue Empty { get; } = new("");

    public string Value => value;

    public bool IsSafe => safe;

    public override string TypeName => safe ? "Markup" : "str";

    public override bool Truth => value.Length > 0;

    public int Count
    {
        get
        {
            if (_count < 0)
            {
                _starts = FindStarts();
                _count = _starts is null ? value.Length : _starts.Length - 1;
            }

            return _count;
        }
    }

    public JinjaValue this[int index] => Slice(index, 1, 1);

    public JinjaValue Slice(int start, int step, int count)
    {
        _ = Count;
        if (count == 0)
        {
            return new TextValue("", safe);
        }

        if (step == 1)
        {
            return new TextValue(value[Start(start)..Start(start + count)], safe);
        }

        System.Text.StringBuilder text = new(count);
        for (int i = 0; i < count; i++)
        {
            int at = start + (i * step);
            text.Append(value, Start(at), Start(at + 1) - Start(at));
        }

        return new TextValue(text.ToString(), safe);
    }

    /// <summary>The code point that starts at this UTF-16 unit.</summary>
    public int CodePointOf(int unit)
    {
        _ = Count;
        return _starts is null ? unit : Array.BinarySearch(_starts, unit) is >= 0 and int at ? at : -1;
    }

    /// <summary>The UTF-16 unit where a code point starts.</summary>
    public int Start(int index)
    {
        _ = Count;
        return _starts is null ? index : _starts[index];
    }

    /// <summary>The same mark on other text.</summary>
    public TextValue With(string text) => new(text, safe);

    private int[]? FindStarts()
    {
        if (!value.AsSpan().ContainsAnyInRange('\ud800', '\udbff'))
        {
            return null;
        }

        List<int> starts = new(value.Length);
        for (int i = 0; i < value.Length; i += char.IsSurrogatePair(value, i) ? 2 : 1)
        {
            starts.Add(i);
        }

        return [.. starts, value.Length];
    }
}
