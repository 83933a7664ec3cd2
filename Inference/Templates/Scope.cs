using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates;

/// <summary>Variables: those set here, and those of the scopes around, which cannot be set from here.</summary>
internal sealed class Scope(Scope? outer)
{
    private readonly Dictionary<string, JinjaValue> _values = [];

    public void Set(string name, JinjaValue value) => _values[name] = value;

    public JinjaValue? Find(string name)
    {
        for (Scope? scope = this; scope is not null; scope = scope.Outer)
        {
            if (scope._values.TryGetValue(name, out JinjaValue? value))
            {
                return value;
            }
        }

        return null;
    }

    private Scope? Outer => outer;
}
