using KvIL.Inference.Files;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates.Builtins;

/// <summary>What stands after <c>|</c>: finds a filter by its name.</summary>
internal static class Filters
{
    private static readonly Dictionary<string, Builtin> All = new(
        [.. TextFilters.All, .. ListFilters.All, .. SelectFilters.All, .. ValueFilters.All]);

    public static bool Knows(string name) => All.ContainsKey(name);

    /// <summary>Runs a filter.</summary>
    /// <exception cref="TemplateException">There is no filter of the name, or it cannot take the value.</exception>
    public static JinjaValue Apply(Rendering run, string name, JinjaValue input, Arguments arguments)
    {
        if (!All.TryGetValue(name, out Builtin? filter))
        {
            throw run.Error($"there is no filter {ModelFileException.Quote(name)}");
        }

        run.Read(input is TextValue text ? text.Value.Length : 1);
        return filter(run, input, arguments);
    }
}
