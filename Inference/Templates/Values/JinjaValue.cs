namespace KvIL.Inference.Templates.Values;

/// <summary>A value that a template computes with; it behaves as Python's value of the same name does.</summary>
internal abstract class JinjaValue
{
    /// <summary>Python's name of the type.</summary>
    public abstract string TypeName { get; }

    /// <summary>Whether it counts as true.</summary>
    public virtual bool Truth => true;
}

/// <summary>What a name or a field that is not there gives: empty text, no items, false; anything else with it fails.</summary>
/// <param name="problem">What an attempt to use it says, a clause.</param>
internal sealed class UndefinedValue(string problem) : JinjaValue
{
    public string Problem => problem;

    public override string TypeName => "Undefined";

    public override bool Truth => false;
}

/// <summary><c>none</c></summary>
internal sealed class NoneValue : JinjaValue
{
    public static NoneValue Instance { get; } = new();

    public override string TypeName => "NoneType";

    public override bool Truth => false;
}

/// <summary><c>true</c> and <c>false</c>; in arithmetic 1 and 0.</summary>
internal sealed class BooleanValue : JinjaValue
{
    private BooleanValue(bool value) => Value = value;

    public static BooleanValue True { get; } = new(true);

    public static BooleanValue False { get; } = new(false);

    public bool Value { get; }

    public override string TypeName => "bool";

    public override bool Truth => Value;

    public static BooleanValue Of(bool value) => value ? True : False;
}

/// <summary>A whole number of any size.</summary>
internal sealed class IntegerValue(System.Numerics.BigInteger value) : JinjaValue
{
    public System.Numerics.BigInteger Value => value;

    public override string TypeName => "int";

    public override bool Truth => !value.IsZero;
}

/// <summary>A number with a fraction: a double.</summary>
internal sealed class FloatValue(double value) : JinjaValue
{
    public double Value => value;

    public override string TypeName => "float";

    public override bool Truth => value != 0;
}
