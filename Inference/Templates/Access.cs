using KvIL.Inference.Files;
using KvIL.Inference.Templates.Builtins;
using KvIL.Inference.Templates.Values;

namespace KvIL.Inference.Templates;

/// <summary><c>a.b</c> and <c>a[b]</c>: the first prefers a method to an item, the second an item to a method.</summary>
internal static class Access
{
    public static JinjaValue Attribute(Rendering run, JinjaValue target, string name) =>
        Member(run, target, name) ?? OwnItem(run, target, new TextValue(name)) ?? Missing(target, ModelFileException.Quote(name));

    public static JinjaValue Item(Rendering run, JinjaValue target, JinjaValue key)
    {
        JinjaValue? found = OwnItem(run, target, key) ?? (key is TextValue name ? Member(run, target, name.Value) : null);
        return found ?? Missing(target, key is TextValue text ? ModelFileException.Quote(text.Value) : Short(run, key));
    }

    private static JinjaValue? OwnItem(Rendering run, JinjaValue target, JinjaValue key)
    {
        switch (target)
        {
            case UndefinedValue undefined:
                throw run.Error(undefined.Problem);
            case DictValue dict:
                return dict.Find(key);
            case ISequence sequence when PythonNumber.Whole(key) is { } index:
                run.Read(target is TextValue text ? text.Value.Length : 1);
                System.Numerics.BigInteger at = index.Sign < 0 ? index + sequence.Count : index;
                return at.Sign >= 0 && at < sequence.Count ? sequence[(int)at] : null;
            default:
                return null;
        }
    }

    private static JinjaValue? Member(Rendering run, JinjaValue target, string name) => target switch
    {
        UndefinedValue undefined => throw run.Error(undefined.Problem),
        NamespaceValue space => space.Attributes.Find(name),
        LoopValue loop => loop.Attribute(name),
        ListValue list when list.Names.Contains(name) => list[Array.IndexOf([.. list.Names], name)],
        MacroValue macro when name == "name" => new TextValue(macro.Name),
        _ => Methods.Find(target, name),
    };

    private static UndefinedValue Missing(JinjaValue target, string key) =>
        new($"a value of type {target.TypeName} has no item or attribute {key}, and what is not there cannot be used further");

    private static string Short(Rendering run, JinjaValue key) => key is IntegerValue or FloatValue or BooleanValue or NoneValue
        ? Printer.Str(run, key)
        : $"of type {key.TypeName}";
}
