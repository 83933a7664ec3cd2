using KvIL.Inference.Files;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>The methods of values: <c>text.strip()</c>, <c>dict.items()</c>.</summary>
internal static class Methods
{
    // What Python's methods of these names would change.
    private static readonly string[] Changing =
        ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove", "popitem", "setdefault", "update"];

    private static readonly Dictionary<string, Builtin> OfDicts = new()
    {
        ["get"] = (run, dict, arguments) => arguments.Bind(run, "get", 1, "key", "default") is [JinjaValue key, var otherwise]
            ? ((DictValue)dict).Find(key) ?? otherwise ?? NoneValue.Instance : NoneValue.Instance,
        ["items"] = View(DictPart.Items),
        ["keys"] = View(DictPart.Keys),
        ["values"] = View(DictPart.Values),
        ["copy"] = (run, dict, arguments) => dict,
    };

    private static readonly Dictionary<string, Builtin> OfLists = new()
    {
        ["index"] = (run, list, arguments) => Iteration.List(run, list).FindIndex(Is(run, "index", arguments)) is >= 0 and int at
            ? new IntegerValue(at) : throw run.Error("the list has no such item"),
        ["count"] = (run, list, arguments) => new IntegerValue(Iteration.List(run, list).FindAll(Is(run, "count", arguments)).Count),
        ["copy"] = (run, list, arguments) => list,
    };

    private static readonly Dictionary<string, Builtin> OfFloats = new()
    {
        ["is_integer"] = (run, number, arguments) => BooleanValue.Of(double.IsInteger(((FloatValue)number).Value)),
    };

    /// <summary>The method of that name; undefined where it would change the value, null where there is none.</summary>
    public static JinjaValue? Find(JinjaValue subject, string name)
    {
        IReadOnlyDictionary<string, Builtin>? methods = subject switch
        {
            TextValue => TextMethods.All,
            DictValue => OfDicts,
            ListValue or RangeValue => OfLists,
            FloatValue => OfFloats,
            _ => null,
        };
        if (methods?.TryGetValue(name, out Builtin? method) == true)
        {
            return new CallableValue(name, (run, arguments) =>
            {
                run.Read(subject is TextValue text ? text.Value.Length : 1);
                return method(run, subject, arguments);
            });
        }

        return subject is DictValue or ListValue { IsTuple: false } && Changing.Contains(name)
            ? new UndefinedValue($"the method {ModelFileException.Quote(name)} would change a value, which a template must not")
            : null;
    }

    private static Builtin View(DictPart part) => (run, dict, arguments) =>
    {
        arguments.Bind(run, part.ToString().ToLowerInvariant(), 0);
        return new ViewValue((DictValue)dict, part);
    };

    private static Predicate<JinjaValue> Is(Rendering run, string name, Arguments arguments)
    {
        JinjaValue sought = arguments.Bind(run, name, 1, "value")[0]!;
        return item => Relations.Equal(run, item, sought);
    }
}
