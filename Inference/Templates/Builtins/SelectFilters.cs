using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>Filters that apply a test or a filter to each item, when the item is asked for.</summary>
internal static class SelectFilters
{
    public static IReadOnlyDictionary<string, Builtin> All { get; } = new Dictionary<string, Builtin>
    {
        ["map"] = Map,
        ["select"] = (run, input, arguments) => Select(run, "select", input, arguments, ofAttribute: false, wanted: true),
        ["reject"] = (run, input, arguments) => Select(run, "reject", input, arguments, ofAttribute: false, wanted: false),
        ["selectattr"] = (run, input, arguments) => Select(run, "selectattr", input, arguments, ofAttribute: true, wanted: true),
        ["rejectattr"] = (run, input, arguments) => Select(run, "rejectattr", input, arguments, ofAttribute: true, wanted: false),
    };

    // map(attribute='a.b', default=x), or map('filter', arguments of the filter).
    private static IteratorValue Map(Rendering run, JinjaValue input, Arguments arguments)
    {
        return new(run, Items());

        IEnumerable<JinjaValue> Items()
        {
            if (!input.Truth)
            {
                yield break;
            }

            Func<JinjaValue, JinjaValue> map;
            if (arguments.Positional.Count == 0)
            {
                JinjaValue?[] given = arguments.Bind(run, "map", 0, "attribute", "default");
                JinjaValue path = given[0] ?? throw run.Error("'map' needs the name of a filter or an attribute");
                map = item => Sorting.AttributeOf(run, item, path, given[1]);
            }
            else
            {
                string filter = Parameters.Text(run, arguments.Positional[0]);
                Arguments rest = arguments with { Positional = [.. arguments.Positional.Skip(1)] };
                map = item => Filters.Apply(run, filter, item, rest);
            }

            foreach (JinjaValue item in Iteration.Of(run, input))
            {
                yield return map(item);
            }
        }
    }

    private static IteratorValue Select(Rendering run, string name, JinjaValue input, Arguments arguments, bool ofAttribute, bool wanted)
    {
        return new(run, Items());

        IEnumerable<JinjaValue> Items()
        {
            if (!input.Truth)
            {
                yield break;
            }

            JinjaValue? attribute = !ofAttribute ? null : arguments.Positional.Count > 0 ? arguments.Positional[0]
                : throw run.Error($"'{name}' needs the name of an attribute");
            Queue<JinjaValue> rest = new(arguments.Positional.Skip(ofAttribute ? 1 : 0));
            string? test = rest.TryDequeue(out JinjaValue? given) ? Parameters.Text(run, given) : null;
            Arguments operands = new([.. rest], arguments.Named);
            foreach (JinjaValue item in Iteration.Of(run, input))
            {
                JinjaValue value = Sorting.AttributeOf(run, item, attribute);
                if ((test is null ? value.Truth : Tests.Apply(run, test, value, operands)) == wanted)
                {
                    yield return item;
                }
            }
        }
    }
}
