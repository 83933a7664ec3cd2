using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>Stable sorting by Python's order.</summary>
internal static class Sorting
{
    /// <summary>Sorts in place; equal items keep their order, when reversed too.</summary>
    public static void Sort<T>(Rendering run, List<T> items, Func<T, JinjaValue> key, bool reverse)
    {
        run.Make(items.Count);
        (T Item, JinjaValue Key)[] keyed = [.. items.Select(item => (item, key(item)))];
        if (items.Count < 2)
        {
            return;
        }

        IComparer<JinjaValue> order = Comparer<JinjaValue>.Create((a, b) => (reverse ? -1 : 1) * (Relations.Compare(run, "<", a, b) ?? 0));
        try
        {
            T[] sorted = [.. keyed.OrderBy(pair => pair.Key, order).Select(pair => pair.Item)];
            items.Clear();
            items.AddRange(sorted);
        }
        catch (InvalidOperationException e) when (e.InnerException is TemplateException failure)
        {
            throw failure; // the sort wraps what the comparison throws
        }
    }

    /// <summary>Text without its case, where case does not count; other values as they are.</summary>
    public static JinjaValue Folded(JinjaValue value, bool caseSensitive) =>
        !caseSensitive && value is TextValue text ? new TextValue(Casing.Lower(text.Value)) : value;

    /// <summary>Looks up <c>a.b.0</c>: names and numbers with dots between them.</summary>
    public static JinjaValue AttributeOf(Rendering run, JinjaValue item, JinjaValue? path, JinjaValue? otherwise = null)
    {
        if (path is null or NoneValue)
        {
            return item;
        }

        IEnumerable<JinjaValue> parts = path is TextValue text
            ? text.Value.Split('.').Select(part => part.Length is > 0 and < 10 && part.All(char.IsAsciiDigit)
                ? new IntegerValue(int.Parse(part, System.Globalization.CultureInfo.InvariantCulture)) : (JinjaValue)new TextValue(part))
            : [path];
        foreach (JinjaValue part in parts)
        {
            item = Access.Item(run, item, part);
            item = item is UndefinedValue && otherwise is not (null or NoneValue) ? otherwise : item;
        }

        return item;
    }
}
