using System.CommandLine;
using System.Globalization;
using KvIL.Inference.Files.Quantization;
using KvIL.Inference.Files.Synthesis;
using KvIL.Tensors;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil synth</c>: a model of a published shape with made-up weights, to measure speed and memory with.</summary>
internal static class SynthCommand
{
    public static Command Create(CommandContext context)
    {
        Argument<string> output = new("OUT") { Description = "The GGUF file to write; an older one is replaced when the new one is complete." };
        Option<string> shape = new("--shape")
        {
            Description = $"Sizes: {string.Join(", ", SyntheticShape.All.Select(s => s.Name))}.",
            HelpName = "NAME",
            Required = true,
        };
        (string, DType)[] types = [.. Enum.GetValues<DType>().Where(Quantizer.Supports).Select(type => (Word(type), type))];
        Option<DType> type = CommonOptions.Choice("--type", "Element type of the matrices.", DType.Q8_0, types);
        Option<int> seed = CommonOptions.Integer("--seed", "Chooses the weights; equal seeds give equal files.", 0, 0);
        Option<int> layers = CommonOptions.Integer("--layers", "Layers; the shape's unless said.", 0, 1, 1000, showDefault: false);
        Option<bool> json = CommonOptions.Json("Prints one JSON object in place of the text.");
        Command command = new("synth", "Writes a model of a published shape with made-up weights.") { output, shape, type, seed, layers, json };
        command.SetAction(parse =>
        {
            int chosen = parse.GetValue(layers);
            SyntheticModel model = new(
                Find(parse.GetValue(shape)!), parse.GetValue(type), (ulong)parse.GetValue(seed), chosen == 0 ? null : chosen, context.Cancelled);
            string path = parse.GetValue(output) is { Length: > 0 } named ? named : throw new UsageException("OUT is empty; name a file.");
            model.Write(path);
            Report(context.Terminal, path, model, parse.GetValue(json));
            return App.Success;
        });
        return command;
    }

    private static SyntheticShape Find(string name)
    {
        if (SyntheticShape.Find(name) is { } shape)
        {
            return shape;
        }

        string complaint = $"There is no shape '{name}'";
        throw new UsageException(Suggestions.Nearest(name, SyntheticShape.All.Select(known => known.Name)) is string meant
            ? $"{complaint}; did you mean '{meant}'?"
            : $"{complaint}; kvil synth --help lists them.");
    }

    private static void Report(Terminal terminal, string path, SyntheticModel model, bool json)
    {
        (DType Type, int Count)[] types = [.. model.Types];
        if (json)
        {
            Json.Write(terminal, new
            {
                Path = path,
                Bytes = new FileInfo(path).Length,
                Matrices = types.Select(pair => new { Type = pair.Type.ToString(), pair.Count }),
                model.Fallbacks,
            });
            return;
        }

        string counts = string.Join(", ", types.Select(pair => $"{N(pair.Count)} {pair.Type}"));
        terminal.WriteLine($"{Terminal.Visible(path)}: {ByteSize.Show(new FileInfo(path).Length)}, matrices: {counts}");
        if (model.Fallbacks > 0)
        {
            terminal.WriteLine(
                $"{N(model.Fallbacks)} matrices have rows that are no whole blocks of {model.Type.BlockElements()}, which {model.Type} needs: "
                + "they have the type that llama.cpp's quantiser gives them");
        }
    }

    private static string Word(DType type) => type.ToString().ToLowerInvariant();

    private static string N(int count) => count.ToString("#,0", CultureInfo.InvariantCulture);
}
