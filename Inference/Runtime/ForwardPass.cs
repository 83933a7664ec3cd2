using KvIL.Backends;
using KvIL.Inference.Models;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Inference.Runtime;

/// <summary>The whole model as one plan: tokens in, logits of the chosen rows out, caches extended.</summary>
internal sealed class ForwardPass : IDisposable
{
    private readonly IExecutable _executable;
    private readonly Bindings _bindings;
    private readonly Symbol _n;
    private readonly Symbol _m;
    private readonly Slot _tokens;
    private readonly Slot _positions;
    private readonly Slot _sequences;
    private readonly Slot _rows;
    private readonly Slot _logits;
    private readonly Slot[] _stores;
    private readonly Slot[] _windows;

    public ForwardPass(Engine engine)
    {
        Transformer transformer = engine.Model.Transformer;
        PlanBuilder b = new();
        _n = b.Symbol("n", engine.Options.Chunk);
        _m = b.Symbol("m", engine.Options.MaxLogitRows);
        _tokens = b.Input("tokens", new TensorSpec(DType.I32, _n));
        _positions = b.Input("positions", new TensorSpec(DType.I32, _n));
        _sequences = b.Input("sequences", new TensorSpec(DType.I32, _n));
        _rows = b.Input("rows", new TensorSpec(DType.I32, _m));
        _stores = [.. Enumerable.Range(0, transformer.Map.NumStores).Select(s => b.Input($"store.{s}", engine.StoreSpec(s)))];
        _windows = [.. Enumerable.Range(0, transformer.Config.NumLayers).Select(engine.WindowSpec).OfType<TensorSpec>().Select(
            (spec, layer) => b.Input($"queries.{layer}", spec))];
        LayerState state = new(_positions, _sequences, transformer.Rotations(b, _positions), [.. _stores], [.. _windows]);
        Slot x = transformer.Embed(b, _tokens);
        for (int layer = 0; layer < transformer.Config.NumLayers; layer++)
        {
            x = transformer.Layer(b, layer, x, state);
        }

        _logits = b.Output(transformer.Logits(b, x, _rows));
        Plan = b.Build("forward");
        _executable = engine.Model.Backend.Compile(Plan);
        _bindings = new Bindings(Plan).BindByName(engine.Model.Weights);
    }

    public Plan Plan { get; }

    public long ScratchBytes => _executable.ScratchBytes;

    public void Bind(IBuffer tokens, IBuffer positions, IBuffer sequences, IBuffer rows, IBuffer logits, LengthRotations rotations)
    {
        foreach ((int rope, IBuffer buffer) in rotations.Buffers)
        {
            _bindings[Plan.Inputs.Single(input => input.Name == $"rotation.{rope}")] = buffer;
        }

        _bindings[_tokens] = tokens;
        _bindings[_positions] = positions;
        _bindings[_sequences] = sequences;
        _bindings[_rows] = rows;
        _bindings[_logits] = logits;
    }

    public void Enqueue(IQueue queue, KvCache cache, int tokens, int logitRows)
    {
        _bindings[_n] = tokens;
        _bindings[_m] = logitRows;
        for (int store = 0; store < _stores.Length; store++)
        {
            _bindings[_stores[store]] = cache.Store(store);
        }

        for (int layer = 0; layer < _windows.Length; layer++)
        {
            _bindings[_windows[layer]] = cache.Windows[layer];
        }

        queue.Enqueue(_executable, _bindings);
    }

    public void Dispose() => _executable.Dispose();
}
