using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>Filters of what has items.</summary>
internal static class ListFilters
{
    public static IReadOnlyDictionary<string, Builtin> All { get; } = new Dictionary<string, Builtin>
    {
        ["batch"] = Batch,
        ["count"] = Length,
        ["dictsort"] = DictSort,
        ["first"] = (run, input, arguments) => First(run, "first", Iteration.Of(run, input), arguments),
        ["groupby"] = GroupBy,
        ["items"] = Items,
        ["last"] = (run, input, arguments) => First(run, "last", Backwards(run, input), arguments),
        ["length"] = Length,
        ["list"] = (run, input, arguments) => new ListValue(Iteration.List(run, None(run, "list", input, arguments))),
        ["max"] = (run, input, arguments) => Extreme(run, "max", input, arguments),
        ["min"] = (run, input, arguments) => Extreme(run, "min", input, arguments),
        ["reverse"] = Reverse,
        ["slice"] = Slice,
        ["sort"] = Sort,
        ["sum"] = Sum,
        ["unique"] = Unique,
    };

    private static JinjaValue None(Rendering run, string name, JinjaValue input, Arguments arguments)
    {
        arguments.Bind(run, name, 0);
        return input;
    }

    private static IntegerValue Length(Rendering run, JinjaValue input, Arguments arguments)
    {
        None(run, "length", input, arguments);
        return new(Iteration.Length(input) ?? throw run.Error($"a value of type {input.TypeName} has no length"));
    }

    private static JinjaValue First(Rendering run, string name, IEnumerable<JinjaValue> items, Arguments arguments)
    {
        arguments.Bind(run, name, 0);
        return items.FirstOrDefault() ?? new UndefinedValue($"there is no {name} item, as the sequence is empty");
    }

    private static IEnumerable<JinjaValue> Backwards(Rendering run, JinjaValue input) => input switch
    {
        ISequence sequence => Enumerable.Range(0, sequence.Count).Select(i => sequence[sequence.Count - 1 - i]),
        DictValue or ViewValue => Enumerable.Reverse(Iteration.List(run, input)),
        _ => throw run.Error($"a value of type {input.TypeName} cannot be read backwards; make it a list"),
    };

    private static JinjaValue Reverse(Rendering run, JinjaValue input, Arguments arguments)
    {
        None(run, "reverse", input, arguments);
        return input switch
        {
            TextValue text => text.Slice(Math.Max(text.Count - 1, 0), -1, text.Count),
            ISequence or DictValue or ViewValue => new IteratorValue(run, Backwards(run, input)),
            _ => new ListValue([.. Enumerable.Reverse(Iteration.List(run, input))]),
        };
    }

    private static IteratorValue Items(Rendering run, JinjaValue input, Arguments arguments)
    {
        None(run, "items", input, arguments);
        return new(run, input switch
        {
            UndefinedValue => [],
            DictValue dict => new ViewValue(dict, DictPart.Items).Items,
            _ => throw run.Error($"only a dict has items, not a value of type {input.TypeName}"),
        });
    }

    private static IteratorValue Batch(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "batch", 1, "linecount", "fill_with");
        int size = Math.Max(1, Parameters.Int(run, given[0], 1));
        return new(run, Iteration.Of(run, input).Chunk(size).Select(chunk =>
        {
            bool fills = given[1] is not (null or NoneValue) && chunk.Length < size;
            run.Make(fills ? size : chunk.Length);
            return new ListValue(fills ? [.. chunk, .. Enumerable.Repeat(given[1]!, size - chunk.Length)] : chunk);
        }));
    }

    private static ListValue Slice(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "slice", 1, "slices", "fill_with");
        List<JinjaValue> items = Iteration.List(run, input);
        int slices = Parameters.Int(run, given[0], 1);
        if (slices < 1)
        {
            throw run.Error("'slice' needs at least one slice");
        }

        run.Make(slices);
        (int size, int longer) = Math.DivRem(items.Count, slices);
        return new([.. Enumerable.Range(0, slices).Select(i =>
        {
            int start = (i * size) + Math.Min(i, longer);
            IEnumerable<JinjaValue> part = items.Skip(start).Take(size + (i < longer ? 1 : 0));
            return new ListValue([.. i >= longer && given[1] is not (null or NoneValue) ? part.Append(given[1]!) : part]);
        })]);
    }

    private static ListValue DictSort(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "dictsort", 0, "case_sensitive", "by", "reverse");
        DictValue dict = input as DictValue ?? throw run.Error($"'dictsort' needs a dict, not a value of type {input.TypeName}");
        string by = given[1] is null ? "key" : Parameters.Text(run, given[1]!);
        if (by is not ("key" or "value"))
        {
            throw run.Error("'dictsort' sorts by 'key' or by 'value'");
        }

        List<JinjaValue> items = [.. new ViewValue(dict, DictPart.Items).Items];
        Sorting.Sort(run, items, item => Sorting.Folded(((ListValue)item)[by == "key" ? 0 : 1], Parameters.Truth(given[0])), Parameters.Truth(given[2]));
        return new(items);
    }

    private static ListValue Sort(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "sort", 0, "reverse", "case_sensitive", "attribute");
        List<JinjaValue> items = Iteration.List(run, input);
        JinjaValue?[] paths = given[2] is TextValue names ? [.. names.Value.Split(',').Select(name => new TextValue(name))] : [given[2]];
        bool caseSensitive = Parameters.Truth(given[1]);
        Sorting.Sort(
            run,
            items,
            item => new ListValue([.. paths.Select(path => Sorting.Folded(Sorting.AttributeOf(run, item, path), caseSensitive))]),
            Parameters.Truth(given[0]));
        return new(items);
    }

    private static IteratorValue Unique(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "unique", 0, "case_sensitive", "attribute");
        return new(run, Distinct());

        IEnumerable<JinjaValue> Distinct()
        {
            HashSet<object> seen = [];
            foreach (JinjaValue item in Iteration.Of(run, input))
            {
                JinjaValue key = Sorting.Folded(Sorting.AttributeOf(run, item, given[1]), Parameters.Truth(given[0]));
                if (seen.Add(DictValue.KeyOf(key) ?? throw run.Error($"'unique' cannot compare values of type {key.TypeName}")))
                {
                    yield return item;
                }
            }
        }
    }

    private static JinjaValue Extreme(Rendering run, string name, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, name, 0, "case_sensitive", "attribute");
        JinjaValue? best = null;
        JinjaValue? bestKey = null;
        foreach (JinjaValue item in Iteration.Of(run, input))
        {
            JinjaValue key = Sorting.Folded(Sorting.AttributeOf(run, item, given[1]), Parameters.Truth(given[0]));
            if (bestKey is null || Relations.Ordered(run, name == "min" ? "<" : ">", key, bestKey))
            {
                (best, bestKey) = (item, key);
            }
        }

        return best ?? new UndefinedValue("no item was given, as the sequence is empty");
    }

    private static JinjaValue Sum(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "sum", 0, "attribute", "start");
        JinjaValue sum = given[1] ?? new IntegerValue(0);
        if (sum is TextValue)
        {
            throw run.Error("'sum' does not add text; 'join' does");
        }

        foreach (JinjaValue item in Iteration.Of(run, input))
        {
            sum = Operators.Apply(run, "+", sum, Sorting.AttributeOf(run, item, given[0]));
        }

        return sum;
    }

    private static ListValue GroupBy(Rendering run, JinjaValue input, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "groupby", 1, "attribute", "default", "case_sensitive");
        bool caseSensitive = Parameters.Truth(given[2]);
        List<JinjaValue> items = Iteration.List(run, input);
        JinjaValue KeyOf(JinjaValue item) => Sorting.AttributeOf(run, item, given[0], given[1]);
        Sorting.Sort(run, items, item => Sorting.Folded(KeyOf(item), caseSensitive), reverse: false);
        List<JinjaValue> groups = [];
        List<JinjaValue> group = [];
        foreach (JinjaValue item in items)
        {
            if (group.Count > 0 && !Relations.Equal(run, Sorting.Folded(KeyOf(group[0]), caseSensitive), Sorting.Folded(KeyOf(item), caseSensitive)))
            {
                groups.Add(Group());
                group = [];
            }

            group.Add(item);
        }

        if (group.Count > 0)
        {
            groups.Add(Group());
        }

        return new(groups);

        ListValue Group() => new([KeyOf(group[0]), new ListValue(group)], isTuple: true, names: ["grouper", "list"]);
    }
}
