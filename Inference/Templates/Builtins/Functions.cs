using System.Numerics;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>The functions that every template has.</summary>
internal static class Functions
{
    private const int MostRange = 100_000; // as in Jinja's sandbox

    /// <summary>Defines them.</summary>
    public static void Define(Scope scope)
    {
        Add("range", Range);
        Add("dict", (run, arguments) => Dict(run, "dict", arguments));
        Add("namespace", (run, arguments) => new NamespaceValue(Dict(run, "namespace", arguments)));
        Add("raise_exception", (run, arguments) =>
            throw run.Raised(Printer.Str(run, arguments.Bind(run, "raise_exception", 1, "message")[0]!)));
        Add("strftime_now", (run, arguments) =>
            new TextValue(Strftime.Format(run, run.Now, Parameters.Text(run, arguments.Bind(run, "strftime_now", 1, "format")[0]!))));
        Add("cycler", Cycler);
        Add("joiner", Joiner);

        void Add(string name, Func<Rendering, Arguments, JinjaValue> call) => scope.Set(name, new CallableValue(name, call));
    }

    private static RangeValue Range(Rendering run, Arguments arguments)
    {
        JinjaValue?[] given = arguments.Bind(run, "range", 1, "start", "stop", "step");
        BigInteger At(int i) => PythonNumber.Whole(given[i]!) ?? throw run.Error($"'range' needs whole numbers, not {given[i]!.TypeName}");
        BigInteger start = given[1] is null ? 0 : At(0);
        BigInteger stop = given[1] is null ? At(0) : At(1);
        BigInteger step = given[2] is null ? 1 : At(2);
        if (step.IsZero)
        {
            throw run.Error("the step of a range cannot be zero");
        }

        BigInteger count = BigInteger.Max(0, PythonNumber.FloorDivide(stop - start + step - step.Sign, step));
        return count <= MostRange
            ? new(start, step, (int)count) { Stop = stop }
            : throw run.Error($"a range has more than {MostRange} numbers");
    }

    private static DictValue Dict(Rendering run, string function, Arguments arguments)
    {
        DictValue dict = new();
        if (arguments.Positional.Count > 1)
        {
            throw run.Error($"'{function}' takes one dict and names, got {arguments.Positional.Count} values");
        }

        foreach (JinjaValue source in arguments.Positional)
        {
            IEnumerable<(JinjaValue, JinjaValue)> items = source is DictValue other ? other.Items
                : Iteration.List(run, source).Select(pair => Iteration.List(run, pair) is [JinjaValue key, JinjaValue value]
                    ? (key, value) : throw run.Error($"'{function}' needs pairs of a key and a value"));
            foreach ((JinjaValue key, JinjaValue value) in items)
            {
                run.Make(1);
                _ = dict.Set(key, value) ? true : throw run.Error($"a value of type {key.TypeName} cannot be a key of a dict");
            }
        }

        foreach ((string name, JinjaValue value) in arguments.Named)
        {
            dict.Set(name, value);
        }

        return dict;
    }

    private static NamespaceValue Cycler(Rendering run, Arguments arguments)
    {
        IReadOnlyList<JinjaValue> items = arguments.Positional.Count > 0 ? arguments.Positional : throw run.Error("'cycler' needs at least one item");
        DictValue members = new();
        int at = 0;
        void Show() => members.Set("current", items[at]);
        Show();
        members.Set("next", new CallableValue("next", (_, _) =>
        {
            JinjaValue current = items[at];
            at = (at + 1) % items.Count;
            Show();
            return current;
        }));
        members.Set("reset", new CallableValue("reset", (_, _) =>
        {
            at = 0;
            Show();
            return NoneValue.Instance;
        }));
        return new(members);
    }

    private static CallableValue Joiner(Rendering run, Arguments arguments)
    {
        JinjaValue separator = arguments.Bind(run, "joiner", 0, "sep")[0] ?? new TextValue(", ");
        bool used = false;
        return new("joiner", (_, _) =>
        {
            JinjaValue text = used ? separator : TextValue.Empty;
            used = true;
            return text;
        });
    }
}
