using KvIL.Backends;
using KvIL.Inference.Files;
using KvIL.Inference.Models;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Inference.Runtime;

/// <summary>The model as one plan for each layer, so that a prompt can go through a layer whole before the next one starts.</summary>
/// <remarks>
/// A store can then be evicted as soon as the last layer that reads it has seen the prompt: only one store is ever full.
/// The price is the hidden state of the whole prompt, twice.
/// </remarks>
internal sealed class LayerwisePass : IDisposable
{
    private readonly Engine _engine;
    private readonly bool _remembersPrompt;
    private readonly Stage _embed;
    private readonly Stage[] _layers;
    private readonly Stage _head;

    public LayerwisePass(Engine engine, bool remembersPrompt)
    {
        (_engine, _remembersPrompt) = (engine, remembersPrompt);
        _embed = new(engine, "embed", b =>
        {
            Transformer transformer = engine.Model.Transformer;
            Symbol n = b.Symbol("n", engine.Options.Chunk);
            Slot positions = b.Input("positions", new TensorSpec(DType.I32, n));
            b.Output(transformer.Embed(b, b.Input("tokens", new TensorSpec(DType.I32, n))));
            foreach ((Slot rotation, RopeConfig rope) in transformer.Rotations(b, positions).Zip(transformer.Ropes))
            {
                if (!rope.IsOfHost)
                {
                    b.Output(rotation);
                }
            }
        });
        _layers = [.. Enumerable.Range(0, engine.Model.Config.NumLayers).Select(layer => new Stage(engine, $"layer {layer}", b => BuildLayer(b, layer)))];
        _head = new(engine, "head", b =>
        {
            Symbol n = b.Symbol("n", 1);
            Slot x = b.Input("x", new TensorSpec(DType.F32, n, engine.Model.Transformer.StreamWidth));
            b.Output(engine.Model.Transformer.Logits(b, x, b.Input("rows", new TensorSpec(DType.I32, n))));
        });
    }

    /// <summary>Bytes of scratch of the largest stage.</summary>
    public long ScratchBytes => Math.Max(Math.Max(_embed.ScratchBytes, _head.ScratchBytes), _layers.Max(layer => layer.ScratchBytes));

    public void Embed(IBuffer tokens, IBuffer positions, IBuffer x, IReadOnlyList<IBuffer> rotations, int n)
    {
        _embed.Bind("tokens", tokens);
        _embed.Bind("positions", positions);
        _embed.BindOutput(0, x);
        int output = 1;
        for (int rope = 0; rope < rotations.Count; rope++)
        {
            if (_engine.Model.Transformer.Ropes[rope].IsOfHost)
            {
                _embed.Bind($"rotation.{rope}", rotations[rope]);
            }
            else
            {
                _embed.BindOutput(output++, rotations[rope]);
            }
        }

        _embed.Enqueue(n);
    }

    public void Layer(int layer, KvCache cache, PromptChunk chunk, IBuffer x, IBuffer y)
    {
        Stage stage = _layers[layer];
        stage.Bind("x", x);
        stage.Bind("positions", chunk.Positions);
        stage.Bind("sequences", chunk.Sequences);
        for (int rope = 0; rope < chunk.Rotations.Count; rope++)
        {
            stage.Bind($"rotation.{rope}", chunk.Rotations[rope]);
        }

        stage.Bind("store", cache.Store(_engine.Model.Transformer.Map.Stores[layer]));
        if (cache.Windows.Length > 0)
        {
            stage.Bind("queries", cache.Windows[layer]);
        }

        if (chunk.Queries is { } queries)
        {
            stage.Bind("prompt_queries", queries[layer]);
        }

        stage.BindOutput(0, y);
        stage.Enqueue(chunk.Count);
    }

    public void Head(IBuffer x, IBuffer rows, IBuffer logits)
    {
        _head.Bind("x", x);
        _head.Bind("rows", rows);
        _head.BindOutput(0, logits);
        _head.Enqueue(1);
    }

    public void Dispose()
    {
        _embed.Dispose();
        _head.Dispose();
        foreach (Stage layer in _layers)
        {
            layer.Dispose();
        }
    }

    private void BuildLayer(PlanBuilder b, int layer)
    {
        Transformer transformer = _engine.Model.Transformer;
        Symbol n = b.Symbol("n", _engine.Options.Chunk);
        Slot x = b.Input("x", new TensorSpec(DType.F32, n, transformer.StreamWidth));
        Slot[] stores = new Slot[transformer.Map.NumStores];
        stores[transformer.Map.Stores[layer]] = b.Input("store", _engine.StoreSpec);
        Slot[] windows = [];
        if (_engine.WindowSpec is TensorSpec spec)
        {
            windows = new Slot[transformer.Config.NumLayers];
            windows[layer] = b.Input("queries", spec);
        }

        LayerState state = new(
            b.Input("positions", new TensorSpec(DType.I32, n)),
            b.Input("sequences", new TensorSpec(DType.I32, n)),
            [.. Enumerable.Range(0, transformer.Ropes.Length).Select(rope => transformer.RotationInput(b, rope, n))],
            stores,
            windows);
        if (_remembersPrompt)
        {
            Slot[] prompts = new Slot[transformer.Config.NumLayers];
            prompts[layer] = b.Input("prompt_queries", _engine.PromptSpec);
            state = state with { Prompts = prompts };
        }

        b.Output(transformer.Layer(b, layer, x, state));
    }

    /// <summary>One compiled plan with its bindings.</summary>
    private sealed class Stage : IDisposable
    {
        private readonly Engine _engine;
        private readonly Plan _plan;
        private readonly IExecutable _executable;
        private readonly Bindings _bindings;

        public Stage(Engine engine, string name, Action<PlanBuilder> build)
        {
            PlanBuilder b = new();
            build(b);
            (_engine, _plan) = (engine, b.Build(name));
            _executable = engine.Model.Backend.Compile(_plan);
            _bindings = new Bindings(_plan).BindByName(engine.Model.Weights);
        }

        public long ScratchBytes => _executable.ScratchBytes;

        public void Bind(string name, IBuffer buffer) => _bindings[_plan.Inputs.Single(slot => slot.Name == name)] = buffer;

        public void BindOutput(int index, IBuffer buffer) => _bindings[_plan.Outputs[index]] = buffer;

        public void Enqueue(int n)
        {
            _bindings[_plan.Symbols[0]] = n;
            _engine.Queue.Enqueue(_executable, _bindings);
        }

        public void Dispose() => _executable.Dispose();
    }
}

/// <summary>Consecutive tokens of a prompt that go through a layer at once.</summary>
/// <param name="First">Index of the first in the prompt.</param>
/// <param name="Count">How many.</param>
/// <param name="Positions">Their positions.</param>
/// <param name="Sequences">Their sequence, once each.</param>
/// <param name="Rotations">Their rotations, by rope.</param>
/// <param name="Queries">Where each layer leaves all queries of the prompt; null when nobody wants them.</param>
internal sealed record PromptChunk(
    int First, int Count, IBuffer Positions, IBuffer Sequences, IReadOnlyList<IBuffer> Rotations, IReadOnlyList<IBuffer>? Queries);
