namespace KvIL.Inference.Templates.Values;

/// <summary>A function, a method of a value, or a macro.</summary>
/// <param name="name">Its name, for messages.</param>
/// <param name="call">What it does.</param>
internal class CallableValue(string name, Func<Rendering, Arguments, JinjaValue> call) : JinjaValue
{
    public string Name => name;

    public override string TypeName => "function";

    public JinjaValue Call(Rendering run, Arguments arguments) => call(run, arguments);
}

/// <summary>A macro of the template.</summary>
internal sealed class MacroValue(string name, Func<Rendering, Arguments, JinjaValue> call) : CallableValue(name, call)
{
    public override string TypeName => "Macro";
}

/// <summary>What a call passes on.</summary>
/// <param name="Positional">Values without names.</param>
/// <param name="Named">Values by name, in the order given.</param>
internal sealed record Arguments(IReadOnlyList<JinjaValue> Positional, IReadOnlyList<(string Name, JinjaValue Value)> Named)
{
    public static Arguments None { get; } = new([], []);

    /// <summary>The values of the parameters, null for those not given.</summary>
    /// <param name="run">For errors.</param>
    /// <param name="function">Whose parameters, for errors.</param>
    /// <param name="least">How many of them must be given.</param>
    /// <param name="parameters">Their names in order.</param>
    public JinjaValue?[] Bind(Rendering run, string function, int least, params ReadOnlySpan<string> parameters)
    {
        if (Positional.Count > parameters.Length)
        {
            throw run.Error($"'{function}' takes at most {parameters.Length} arguments, got {Positional.Count}");
        }

        JinjaValue?[] values = new JinjaValue?[parameters.Length];
        for (int i = 0; i < Positional.Count; i++)
        {
            values[i] = Positional[i];
        }

        foreach ((string name, JinjaValue value) in Named)
        {
            int at = parameters.IndexOf(name);
            if (at < 0 || values[at] is not null)
            {
                throw run.Error($"'{function}' {(at < 0 ? "has no argument" : "is given twice the argument")} {Files.ModelFileException.Quote(name)}");
            }

            values[at] = value;
        }

        int missing = Array.IndexOf(values, null, 0, least);
        return missing < 0 ? values : throw run.Error($"'{function}' needs the argument '{parameters[missing]}'");
    }
}
