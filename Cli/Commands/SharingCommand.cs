using System.CommandLine;
using System.Globalization;
using KvIL.Sharing;
using KvIL.Tensors;
using Spectre.Console;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil sharing</c>: the nine configurations for a number of layers and stores, with what each costs.</summary>
internal static class SharingCommand
{
    // m + b of the published checkpoints, and the chunk of the default strategy.
    private const int Passes = 9;

    public static Command Create(CommandContext context)
    {
        Option<int> layers = CommonOptions.Integer("--layers", "Layers of the model.", 22, 1, LayerTypes.MaxLayers);
        Option<int> stores = CommonOptions.Integer("--kv-layers", "Layers that own a store; half of the layers unless said.", 0, 1, LayerTypes.MaxLayers, showDefault: false);
        Option<int> heads = CommonOptions.Integer("--kv-heads", "KV heads of a layer.", 4, 1, 1 << 16);
        Option<int> dim = CommonOptions.Integer("--head-dim", "Channels of a head.", 64, 1, 1 << 16);
        Option<DType> type = CommonOptions.Choice("--type", "Element type of cached keys and values.", DType.F16, ("f16", DType.F16), ("f32", DType.F32));
        Option<bool> quarters = new("--quarters") { Description = "Adds the positions at a quarter and at three quarters of a block." };
        Option<bool> pin = new("--pin-first") { Description = "Gives layer 0 a store of its own in every configuration." };
        Option<bool> json = CommonOptions.Json("Prints one JSON object in place of the table.");
        Option<string[]> equalBytes = new("--equal-bytes")
        {
            HelpName = "MODEL",
            AllowMultipleArgumentsPerToken = true,
            Description = "Evaluates models instead: sharing, eviction and both at equal bytes.",
        };
        Option<string?> set = new("--set") { HelpName = "FILE.jsonl", Description = "Prompts and answers for --equal-bytes; those of the demo model unless given." };
        Option<int> limit = CommonOptions.Integer("--limit", "Only the first N prompts of --equal-bytes.", int.MaxValue, 1, showDefault: false);
        Option<int> window = CommonOptions.Integer("--window", "Observation window of --equal-bytes.", 16, 1);
        Option<int> threads = CommonOptions.Threads();
        Command command = new("sharing", "Shows the configurations of cross-layer sharing: maps, bytes and prefill passes.")
        {
            layers, stores, heads, dim, type, quarters, pin, json, equalBytes, set, limit, window, threads,
        };
        command.SetAction(parse =>
        {
            if (parse.GetValue(equalBytes) is { Length: > 0 } models)
            {
                return EqualBytes.Run(
                    context, models, parse.GetValue(set) ?? DemoModel.Prompts(DemoModel.Find()), parse.GetResult(limit) is null ? null : parse.GetValue(limit),
                    parse.GetValue(window), CommonOptions.ReadDevice(parse, threads), parse.GetValue(json));
            }

            int count = parse.GetValue(layers);
            int owners = parse.GetValue(stores) is int asked and > 0 ? asked : Math.Max(1, count / 2);
            Position[] positions = parse.GetValue(quarters) ? Enum.GetValues<Position>() : [Position.Bottom, Position.Middle, Position.Top];
            SharingRow[] rows = [.. from partition in Enum.GetValues<Partition>()
                                    from position in positions
                                    select Row(new(partition, position, owners, parse.GetValue(pin)), count)];
            StoreSpec store = new(1, parse.GetValue(heads), parse.GetValue(dim), parse.GetValue(type), 0);
            SharingTable table = new(count, owners, KeyValueBytes(store) * owners, KeyValueBytes(store) * count, store.RowBytes * store.NumKvHeads * owners, rows);
            if (parse.GetValue(json))
            {
                Json.Write(context.Terminal, table);
            }
            else
            {
                Write(context.Terminal, table);
            }

            return App.Success;
        });
        return command;
    }

    private static long KeyValueBytes(StoreSpec store) => checked(2L * store.NumKvHeads * store.RowType.SizeBytes(store.HeadDim));

    private static SharingRow Row(SharingConfiguration configuration, int layers)
    {
        try
        {
            SharingMap map = configuration.Map(layers);
            return new(
                configuration.ToString(), LayerTypes.Of(map).ToShortString(), [.. Enumerable.Range(0, map.NumStores).Select(map.Owner)], map.IsCyclic,
                map.LayerPasses(Passes), map.LayerPasses(SharingMap.ExactPasses(Passes)));
        }
        catch (ArgumentException e)
        {
            throw new UsageException(e.Message);
        }
    }

    private static void Write(Terminal terminal, SharingTable sharing)
    {
        Table table = EvalTables.Plain().AddColumns("configuration", "map", "owners", "bytes a token", $"{Passes} passes", $"exact, chunk {Passes}");
        foreach (TableColumn column in table.Columns.Skip(3))
        {
            column.RightAligned();
        }

        foreach (SharingRow row in sharing.Rows)
        {
            table.AddRow(
                new Text(row.Configuration), new Text(row.Map), new Text(Owners(row.Owners)), new Text(N(sharing.BytesPerToken)),
                new Text(Passed(row.IterativePasses)), new Text(Passed(row.ExactPasses)));
        }

        terminal.Write(table);
        terminal.WriteLine(
            $"Keys and values of a token take {N(sharing.BytesPerToken)} of {N(sharing.UnsharedBytesPerToken)} bytes with {sharing.KvLayers} stores for {sharing.Layers} layers; "
            + $"with a position in each row, as KvIL stores them, {N(sharing.BytesPerTokenWithPositions)}.");
        terminal.WriteLine("The last two columns are passes over a layer in prefill, on average over the layers; 1 is a model without sharing.");
    }

    // 0-9, 20, 21
    private static string Owners(IReadOnlyList<int> owners)
    {
        List<string> ranges = [];
        for (int first = 0, next; first < owners.Count; first = next)
        {
            for (next = first + 1; next < owners.Count && owners[next] == owners[next - 1] + 1;)
            {
                next++;
            }

            ranges.Add(next - first == 1 ? $"{owners[first]}" : $"{owners[first]}-{owners[next - 1]}");
        }

        return string.Join(' ', ranges);
    }

    private static string Passed(double passes) => passes.ToString("0.00", CultureInfo.InvariantCulture);

    private static string N(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);

    private sealed record SharingRow(
        string Configuration, string Map, IReadOnlyList<int> Owners, bool Cyclic, double IterativePasses, double ExactPasses);

    private sealed record SharingTable(
        int Layers, int KvLayers, long BytesPerToken, long UnsharedBytesPerToken, long BytesPerTokenWithPositions, IReadOnlyList<SharingRow> Rows);
}
