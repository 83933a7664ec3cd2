using System.Numerics;

namespace KvIL.Inference.Templates.Values;

/// <summary>The items of values, and parts of them.</summary>
internal static class Iteration
{
    /// <summary>Whether the value has items.</summary>
    public static bool Has(JinjaValue value) => value is ISequence or DictValue or ViewValue or IteratorValue or UndefinedValue or LoopValue;

    /// <summary>The items one after the other; of a dict its keys.</summary>
    /// <exception cref="TemplateException">The value has none.</exception>
    public static IEnumerable<JinjaValue> Of(Rendering run, JinjaValue value) => value switch
    {
        ListValue list => Counted(run, list.Items),
        ISequence sequence => Counted(run, Enumerable.Range(0, sequence.Count).Select(i => sequence[i])),
        DictValue dict => Counted(run, dict.Items.Select(item => item.Key)),
        ViewValue view => Counted(run, view.Items),
        IteratorValue iterator => Drained(run, iterator),
        UndefinedValue => [],
        _ => throw run.Error($"a value of type {value.TypeName} has no items to go through"),
    };

    /// <summary>The items as a list.</summary>
    public static List<JinjaValue> List(Rendering run, JinjaValue value)
    {
        List<JinjaValue> items = [];
        foreach (JinjaValue item in Of(run, value))
        {
            run.Make(1);
            items.Add(item);
        }

        return items;
    }

    /// <summary>How many items there are; null where that cannot be said.</summary>
    public static int? Length(JinjaValue value) => value switch
    {
        ISequence sequence => sequence.Count,
        DictValue dict => dict.Count,
        ViewValue view => view.Dict.Count,
        UndefinedValue => 0,
        LoopValue loop => loop.Length,
        _ => null,
    };

    /// <summary>value[start:stop:step]</summary>
    public static JinjaValue Slice(Rendering run, JinjaValue value, JinjaValue? start, JinjaValue? stop, JinjaValue? step)
    {
        if (value is not ISequence sequence)
        {
            throw run.Error(value is UndefinedValue undefined ? undefined.Problem : $"a value of type {value.TypeName} has no slices");
        }

        BigInteger? Bound(JinjaValue? bound) => bound is null or NoneValue ? null
            : PythonNumber.Whole(bound) ?? throw run.Error($"a slice needs whole numbers, not {bound.TypeName}");

        run.Read(Read(value));
        int length = sequence.Count;
        int by = (int)BigInteger.Clamp(Bound(step) ?? 1, -length - 1, length + 1);
        if (by == 0)
        {
            throw Bound(step) is { IsZero: true } ? run.Error("a slice's step cannot be zero") : run.Error("a slice is too long");
        }

        int low = by < 0 ? -1 : 0;
        int high = by < 0 ? length - 1 : length;
        int Clamp(BigInteger bound) => (int)BigInteger.Clamp(bound.Sign < 0 ? bound + length : bound, low, high);
        int first = Bound(start) is { } from ? Clamp(from) : by < 0 ? high : low;
        int last = Bound(stop) is { } to ? Clamp(to) : by < 0 ? low : high;
        int count = by > 0 ? Math.Max(0, (last - first + by - 1) / by) : Math.Max(0, (first - last - by - 1) / -by);
        run.Make(count);
        return sequence.Slice(first, by, count);
    }

    // Text beyond the first plane is searched for its code points once.
    private static int Read(JinjaValue value) => value is TextValue text ? text.Value.Length : 0;

    private static IEnumerable<JinjaValue> Counted(Rendering run, IEnumerable<JinjaValue> items)
    {
        foreach (JinjaValue item in items)
        {
            run.Step();
            yield return item;
        }
    }

    private static IEnumerable<JinjaValue> Drained(Rendering run, IteratorValue iterator)
    {
        while (iterator.Next() is { } item)
        {
            run.Step();
            yield return item;
        }
    }
}
