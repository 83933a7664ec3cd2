using System.CommandLine;
using System.Globalization;
using KvIL.Inference.Files;
using KvIL.Inference.Files.Sharing;
using KvIL.Sharing;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil share</c>: a model as a checkpoint whose layers share keys and values, to be trained further.</summary>
internal static class ShareCommand
{
    public static Command Create(CommandContext context)
    {
        Argument<string> model = new("MODEL") { Description = "A Llama: a directory with config.json and *.safetensors in F32, F16 or BF16." };
        Argument<string> output = new("OUT") { Description = "The directory to write; it must not be there yet." };
        Option<string> share = new("--share")
        {
            HelpName = "MAP",
            Required = true,
            Description = "A configuration such as sandwich-middle:11, or the layer that each layer reads, such as 0_10x20_21, with s for a window.",
        };
        Option<OwnerWeights> init = CommonOptions.Choice(
            "--init", "An owner's projections of keys and values: the mean over the layers that read it, or its own.", OwnerWeights.Average,
            ("average", OwnerWeights.Average), ("keep", OwnerWeights.Keep));
        Option<bool> json = CommonOptions.Json("Prints one JSON object in place of the text.");
        Command command = new("share", "Writes a model as a checkpoint whose layers share keys and values.") { model, output, share, init, json };
        command.SetAction(parse =>
        {
            string path = CommonOptions.ReadModel(parse, model);
            string directory = parse.GetValue(output) is { Length: > 0 } named ? named : throw new UsageException("OUT is empty; name a directory.");
            AtomicDirectory.Check(directory);
            using Checkpoint checkpoint = Checkpoint.Open(path);
            SharingConversion conversion = new(checkpoint, parse.GetValue(share)!, parse.GetValue(init));
            context.Terminal.Spin("writing", () =>
            {
                conversion.Write(directory, context.Cancelled);
                return true;
            });
            Report(context.Terminal, directory, checkpoint, conversion, parse.GetValue(json));
            return App.Success;
        });
        return command;
    }

    private static void Report(Terminal terminal, string directory, Checkpoint checkpoint, SharingConversion conversion, bool json)
    {
        SharingMap map = conversion.Map;
        long before = checkpoint.Tensors.Values.Sum(tensor => tensor.ElementCount);
        if (json)
        {
            Json.Write(terminal, new
            {
                Path = directory, Map = map.ToString(), Layers = map.NumLayers, Stores = map.NumStores, Cyclic = map.IsCyclic, conversion.Parameters, ParametersBefore = before,
            });
            return;
        }

        terminal.WriteLine(
            $"{Terminal.Visible(directory)}: {map.NumStores} stores for {map.NumLayers} layers, {LayerTypes.Of(map).ToShortString()}; "
            + $"{N(conversion.Parameters)} parameters of {N(before)}");
        if (!map.Equals(checkpoint.Config.OwnMap())) terminal.WriteLine("It needs further training to be of use.");
    }

    private static string N(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);
}
