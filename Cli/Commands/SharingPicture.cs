using System.Globalization;
using KvIL.Inference.Files;
using KvIL.Sharing;
using KvIL.Tensors;
using Spectre.Console;

namespace KvIL.Cli.Commands;

/// <summary>Which layer reads which store, for <c>kvil inspect</c>.</summary>
/// <param name="Map">The map as a text, repeated layers counted.</param>
/// <param name="Cyclic">Whether a layer reads above itself.</param>
/// <param name="StrictlyPast">Whether every layer sees only keys before its token.</param>
/// <param name="TrainedPasses">Passes that the checkpoint was trained with; null where it does not say.</param>
/// <param name="Layers">The layers, bottom first.</param>
/// <param name="Stores">The stores, lowest owner first.</param>
/// <param name="UnsharedBytesPerToken">Bytes of a token if every layer had its own store.</param>
internal sealed record SharingInfo(
    string Map, bool Cyclic, bool StrictlyPast, int? TrainedPasses, IReadOnlyList<SharedLayerInfo> Layers, IReadOnlyList<StoreInfo> Stores,
    TypedBytes UnsharedBytesPerToken)
{
    public static SharingInfo Of(ModelConfig config, SharingMap map)
    {
        System.Collections.Immutable.ImmutableArray<int?> retained = map.Retentions([.. config.Layers.Select(layer => layer.Window)]);
        return new(
            LayerTypes.Of(map).ToShortString(), map.IsCyclic, config.StrictlyPast, config.TrainedPasses,
            [.. Enumerable.Range(0, map.NumLayers).Select(layer => new SharedLayerInfo(
                layer, map.Sources[layer], map.Stores[layer], map.Sources[layer] == layer ? "own" : map.ReadsAbove(layer) ? "above" : "below"))],
            [.. Enumerable.Range(0, map.NumStores).Select(store => new StoreInfo(
                store, map.Owner(store), map.Readers(store), retained[store], config.NumKvHeadsOf(map.Owner(store)), config.HeadDimOf(map.Owner(store)),
                Bytes(config, [map.Owner(store)])))],
            Bytes(config, Enumerable.Range(0, config.NumLayers)));
    }

    /// <summary>Bytes of a token in the stores that these layers write.</summary>
    public static TypedBytes Bytes(ModelConfig config, IEnumerable<int> layers)
    {
        long Of(DType type) => layers.Sum(layer => checked(new StoreSpec(1, config.NumKvHeadsOf(layer), config.HeadDimOf(layer), type, 0).RowBytes * config.NumKvHeadsOf(layer)));
        return new(Of(DType.F16), Of(DType.F32));
    }
}

/// <summary>What a layer reads; the kind is own, below or above.</summary>
internal sealed record SharedLayerInfo(int Layer, int Reads, int Store, string Kind);

/// <summary>A store; <paramref name="Holds"/> is how many tokens its readers need, null for all.</summary>
internal sealed record StoreInfo(int Store, int Owner, IReadOnlyList<int> Readers, int? Holds, int KvHeads, int HeadDim, TypedBytes BytesPerToken);

/// <summary>The map as a picture: layers from top to bottom, stores from left to right.</summary>
internal static class SharingPicture
{
    private const int MostDrawn = 24;

    public static void Write(Terminal terminal, SharingInfo sharing, TypedBytes bytes)
    {
        bool draws = sharing.Stores.Count <= MostDrawn;
        Table layers = EvalTables.Plain().AddColumns("layer", "reads", "kind");
        if (draws) layers.AddColumn("stores, ● written, ○ read");
        foreach (SharedLayerInfo layer in sharing.Layers.Reverse())
        {
            IEnumerable<string> cells = [N(layer.Layer), N(layer.Reads), layer.Kind, .. draws ? (string[])[Draw(sharing, layer)] : []];
            layers.AddRow(cells.Select(text => new Text(text)));
        }

        terminal.Write(layers);
        Table stores = EvalTables.Plain().AddColumns("store", "owner", "readers", "KV heads", "holds", "a token, F16", "F32");
        foreach (StoreInfo store in sharing.Stores)
        {
            stores.AddRow(
                new Text(N(store.Store)), new Text(N(store.Owner)), new Text(N(store.Readers.Count)), new Text($"{store.KvHeads} of {store.HeadDim}"),
                new Text(store.Holds is int window ? $"{N(window)} tokens" : "all tokens"), new Text($"{N(store.BytesPerToken.F16)} B"), new Text($"{N(store.BytesPerToken.F32)} B"));
        }

        terminal.Write(stores);
        terminal.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{sharing.Map}: a token takes {bytes.F16:#,0} B of {sharing.UnsharedBytesPerToken.F16:#,0} B without sharing in F16, {(double)bytes.F16 / sharing.UnsharedBytesPerToken.F16:0.#%}"));
        if (sharing.Cyclic)
        {
            terminal.WriteLine("Layers that read above see keys strictly before their token; a prompt goes through such slices token by token, or in passes (kvil run --prefill).");
        }

        if (sharing.StrictlyPast)
        {
            terminal.WriteLine("Every layer sees only keys strictly before its token (force_nodiag).");
        }
    }

    private static string Draw(SharingInfo sharing, SharedLayerInfo layer) => string.Concat(sharing.Stores.Select(store =>
        store.Owner == layer.Layer ? (layer.Store == store.Store ? "● " : "◐ ") : layer.Store == store.Store ? "○ " : "· ")).TrimEnd();

    private static string N(long value) => value.ToString("#,0", CultureInfo.InvariantCulture);
}
