using KvIL.Backends;
using KvIL.Inference.Files;
using KvIL.Inference.Models;
using KvIL.Plans;
using KvIL.Sharing;
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
    private readonly (int First, Stage Stage)[] _opens; // one for each cyclic slice
    private readonly Dictionary<int, IBuffer> _zeros; // by store
    private readonly IBuffer _change;
    private readonly float[] _changed = new float[1];

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
        _opens = [.. engine.Model.Transformer.Map.Slices.Where(slice => slice.IsCyclic).Select(slice => (slice.First, new Stage(engine, "open", b => BuildOpen(b, slice))))];
        _zeros = engine.Model.Transformer.Map.Slices.Where(slice => slice.IsCyclic).SelectMany(Written).ToDictionary(store => store, store =>
            engine.Model.Backend.Allocate(new TensorSpec(DType.F32, engine.Options.Chunk, Width(engine.StoreSpec(store))), MemoryKind.Activations));
        foreach (IBuffer zeros in _zeros.Values)
        {
            engine.Queue.Upload<float>(new float[zeros.Spec.SizeBytes / sizeof(float)], zeros);
        }

        _layers = [.. Enumerable.Range(0, engine.Model.Config.NumLayers).Select(layer => new Stage(engine, $"layer {layer}", b => BuildLayer(b, layer)))];
        _head = new(engine, "head", b =>
        {
            Symbol n = b.Symbol("n", engine.Options.Chunk), m = b.Symbol("m", Math.Max(1, engine.Options.MaxLogitRows));
            Slot x = b.Input("x", new TensorSpec(DType.F32, n, engine.Model.Transformer.StreamWidth));
            b.Output(engine.Model.Transformer.Logits(b, x, b.Input("rows", new TensorSpec(DType.I32, m))));
        });
        _change = engine.Model.Backend.Allocate(new(DType.F32, 1), MemoryKind.Activations);
    }

    /// <summary>Bytes of scratch of the largest stage.</summary>
    public long ScratchBytes => Math.Max(Math.Max(_embed.ScratchBytes, _head.ScratchBytes), _layers.Max(layer => layer.ScratchBytes));

    /// <summary>Bytes of buffers that are no prompt's.</summary>
    public long OwnBytes => _zeros.Values.Sum(zeros => zeros.Spec.SizeBytes) + _change.Spec.SizeBytes;

    public void Embed(IBuffer tokens, PromptChunk chunk, IBuffer x)
    {
        IReadOnlyList<IBuffer> rotations = chunk.Rotations;
        _embed.Bind("tokens", tokens);
        _embed.Bind("positions", chunk.Positions);
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

        _embed.Enqueue(chunk.Count);
    }

    /// <summary>Gives every store that a cyclic slice writes a row of zeros for each token, for the passes to replace.</summary>
    public void Open(LayerSlice slice, KvCache cache, PromptChunk chunk)
    {
        Stage stage = _opens.Single(open => open.First == slice.First).Stage;
        stage.Bind("positions", chunk.Positions);
        stage.Bind("sequences", chunk.Sequences);
        foreach (int store in Written(slice))
        {
            stage.Bind($"store.{store}", cache.Store(store));
            stage.Bind($"zeros.{store}", _zeros[store]);
        }

        stage.Enqueue(chunk.Count);
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

        SharingMap map = _engine.Model.Transformer.Map;
        foreach (int store in Used(map, layer))
        {
            stage.Bind($"store.{store}", cache.Store(store));
        }

        if (cache.Windows.Length > 0)
        {
            stage.Bind("queries", cache.Windows[layer]);
        }

        if (chunk.Queries is { } queries)
        {
            stage.Bind("prompt_queries", queries[layer]);
        }

        stage.BindOutput(0, y);
        if (stage.Outputs > 1)
        {
            stage.BindOutput(1, _change);
        }

        stage.Enqueue(chunk.Count);
    }

    /// <summary>By how much the last run of a layer changed the rows that layers below it read; null for a layer that writes none of these.</summary>
    public float? Change(int layer)
    {
        if (_layers[layer].Outputs < 2) return null;
        _engine.Queue.Download<float>(_change, _changed);
        _engine.Queue.Synchronize();
        return _changed[0];
    }

    /// <summary>Logits of the chosen rows of x.</summary>
    public void Head(IBuffer x, int n, IBuffer rows, int m, IBuffer logits)
    {
        _head.Bind("x", x);
        _head.Bind("rows", rows);
        _head.BindOutput(0, logits);
        _head.Enqueue(n, m);
    }

    public void Dispose()
    {
        _embed.Dispose();
        _head.Dispose();
        foreach (Stage stage in _layers.Concat(_opens.Select(open => open.Stage)))
        {
            stage.Dispose();
        }

        foreach (IBuffer zeros in _zeros.Values)
        {
            zeros.Dispose();
        }

        _change.Dispose();
    }

    private void BuildLayer(PlanBuilder b, int layer)
    {
        Transformer transformer = _engine.Model.Transformer;
        Symbol n = b.Symbol("n", _engine.Options.Chunk);
        Slot x = b.Input("x", new TensorSpec(DType.F32, n, transformer.StreamWidth));
        Slot[] stores = new Slot[transformer.Map.NumStores];
        foreach (int store in Used(transformer.Map, layer))
        {
            stores[store] = b.Input($"store.{store}", _engine.StoreSpec(store));
        }

        Slot[] windows = [];
        if (_engine.WindowSpec(layer) is TensorSpec spec)
        {
            windows = new Slot[transformer.Config.NumLayers];
            windows[layer] = b.Input("queries", spec);
        }

        LayerState state = new(
            b.Input("positions", new TensorSpec(DType.I32, n)),
            b.Input("sequences", new TensorSpec(DType.I32, n)),
            [.. Enumerable.Range(0, transformer.Ropes.Length).Select(rope => transformer.RotationInput(b, rope, n))],
            stores,
            windows) { Replaces = transformer.Map.Slices.Any(slice => slice.IsCyclic && layer >= slice.First && layer < slice.End) };
        if (_remembersPrompt)
        {
            Slot[] prompts = new Slot[transformer.Config.NumLayers];
            prompts[layer] = b.Input("prompt_queries", _engine.PromptSpec(layer));
            state = state with { Prompts = prompts };
        }

        b.Output(transformer.Layer(b, layer, x, state));
        if (state.Change is Slot change)
        {
            b.Output(change);
        }
    }

    private void BuildOpen(PlanBuilder b, LayerSlice slice)
    {
        Symbol n = b.Symbol("n", _engine.Options.Chunk);
        Slot positions = b.Input("positions", new TensorSpec(DType.I32, n)), sequences = b.Input("sequences", new TensorSpec(DType.I32, n));
        foreach (int store in Written(slice))
        {
            StoreSpec spec = _engine.StoreSpec(store);
            Slot zeros = b.Input($"zeros.{store}", new TensorSpec(DType.F32, n, Width(spec)));
            b.Append(b.Input($"store.{store}", spec), zeros, zeros, positions, sequences);
        }
    }

    private static int Width(StoreSpec spec) => spec.NumKvHeads * spec.HeadDim;

    // Stores that a layer reads or writes.
    private static IEnumerable<int> Used(SharingMap map, int layer) =>
        new[] { map.Stores[layer], map.StoreOf(layer) }.Where(store => store >= 0).Distinct();

    private IEnumerable<int> Written(LayerSlice slice) =>
        Enumerable.Range(slice.First, slice.Length).Select(_engine.Model.Transformer.Map.StoreOf).Where(store => store >= 0);

    /// <summary>One compiled plan with its bindings.</summary>
    private sealed class Stage : IDisposable
    {
        private readonly Engine _engine;
        private readonly Plan _plan;
        private readonly IExecutable _executable;
        private readonly Bindings _bindings;
        private readonly Dictionary<string, Slot> _inputs;

        public Stage(Engine engine, string name, Action<PlanBuilder> build)
        {
            PlanBuilder b = new();
            build(b);
            (_engine, _plan) = (engine, b.Build(name));
            _executable = engine.Model.Backend.Compile(_plan);
            _bindings = new Bindings(_plan).BindByName(engine.Model.Weights);
            _inputs = _plan.Inputs.ToDictionary(slot => slot.Name);
        }

        public long ScratchBytes => _executable.ScratchBytes;

        public void Bind(string name, IBuffer buffer) => _bindings[_inputs[name]] = buffer;

        public void BindOutput(int index, IBuffer buffer) => _bindings[_plan.Outputs[index]] = buffer;

        public int Outputs => _plan.Outputs.Length;

        public void Enqueue(params ReadOnlySpan<int> sizes)
        {
            for (int i = 0; i < sizes.Length; i++)
            {
                _bindings[_plan.Symbols[i]] = sizes[i];
            }

            _engine.Queue.Enqueue(_executable, _bindings);
        }

        public void Dispose() => _executable.Dispose();
    }
}
