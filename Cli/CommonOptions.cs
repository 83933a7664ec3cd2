using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;
using KvIL.Tensors;

namespace KvIL.Cli;

/// <summary>Options that several commands have, and how values are read.</summary>
internal static class CommonOptions
{
    // More threads than any machine has cores; each costs a stack.
    private const int MostThreads = 1024;

    public static Argument<string> Model() => new("MODEL")
    {
        Description = "A GGUF file; a directory with config.json, *.safetensors and, for text, tokenizer.json; or a llama2.c file.",
    };

    public static Option<int> Threads() => Integer(
        "--threads", "Threads; one per processor unless said. The results do not depend on it.", 0, 1, MostThreads, showDefault: false);

    public static Option<int> Chunk() => Integer("--chunk", "Most tokens of the prompt that go through a layer at once.", 512, 1);

    public static Option<string> Device() => new("--device")
    {
        Description = "Where to compute: cpu, cuda, cuda:N, opencl, ilgpu-cpu (an emulation, very slow) or auto.",
        HelpName = "NAME",
        DefaultValueFactory = _ => "cpu",
    };

    public static Option<DType> RowType(DType otherwise) => Choice(
        "--kv", "Element type of cached keys and values.", otherwise, ("f16", DType.F16), ("f32", DType.F32));

    public static Option<bool> Json(string description) => new("--json") { Description = description };

    public static Option<long?> MemoryLimit() => new("--memory-limit")
    {
        Description = "Most bytes of weights, cache and scratch together, such as 512MiB or 2G; more is refused before it is allocated.",
        HelpName = "BYTES",
        CustomParser = result => ByteSize.Parse(Text(result))
            ?? Refuse<long?>(result, "a number of bytes above 0, such as 2000000000, 512MiB or 2G"),
    };

    public static Option<int> Integer(
        string name, string description, int otherwise, int least, int most = int.MaxValue, bool showDefault = true) => new(name)
    {
        Description = description,
        HelpName = "N",
        DefaultValueFactory = showDefault ? _ => otherwise : null,
        CustomParser = result =>
            int.TryParse(Text(result), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value) && value >= least && value <= most
                ? value
                : Refuse<int>(result, most == int.MaxValue ? $"a whole number of at least {least}" : $"a whole number from {least} to {most}"),
    };

    public static Option<double?> Number(string name, string description) => new(name)
    {
        Description = description,
        HelpName = "X",
        CustomParser = result =>
            double.TryParse(Text(result), NumberStyles.Float, CultureInfo.InvariantCulture, out double value)
                ? value
                : Refuse<double?>(result, "a number"),
    };

    /// <summary>The device that the options name.</summary>
    public static Device ReadDevice(ParseResult parse, Option<int> threads, Option<string>? device = null) =>
        ReadDevice(device is null ? "cpu" : parse.GetValue(device)!, parse.GetValue(threads));

    /// <summary>The device of that name.</summary>
    public static Device ReadDevice(string name, int threads)
    {
        try
        {
            return KvIL.Device.Parse(name, threads);
        }
        catch (ArgumentException e) when (e.ParamName is string parameter)
        {
            throw new UsageException(e.Message.Replace($" (Parameter '{parameter}')", "", StringComparison.Ordinal));
        }
    }

    /// <summary>The directory that was named.</summary>
    public static string ReadModel(ParseResult parse, Argument<string> model) =>
        parse.GetValue(model) is { Length: > 0 } path ? path : throw new UsageException("MODEL is empty; name a model's file or directory.");

    public static Option<T> Choice<T>(string name, string description, T otherwise, params (string Word, T Value)[] choices) => new(name)
    {
        Description = description,
        HelpName = string.Join('|', choices.Select(c => c.Word)),
        DefaultValueFactory = _ => otherwise,
        CustomParser = result => Array.FindIndex(choices, c => c.Word == Text(result)) is >= 0 and int at
            ? choices[at].Value
            : Refuse<T>(result, string.Join(" or ", choices.Select(c => c.Word))),
    };

    private static string Text(ArgumentResult result) => result.Tokens[0].Value;

    private static T Refuse<T>(ArgumentResult result, string expected)
    {
        string option = result.Parent is OptionResult { Option.Name: string name } ? name : "the option";
        result.AddError($"Expected {option} to be {expected}, got '{Text(result)}'");
        return default!;
    }
}
