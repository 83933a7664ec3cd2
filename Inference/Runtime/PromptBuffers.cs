using System.Collections.Immutable;
using KvIL.Backends;
using KvIL.Inference.Files;
using KvIL.Tensors;

namespace KvIL.Inference.Runtime;

/// <summary>Indices, rotations and hidden states of a whole prompt on the device.</summary>
internal sealed class PromptBuffers : IDisposable
{
    private readonly List<IBuffer> _owned = [];
    private readonly Engine _engine;
    private readonly LengthRotations _lengthRotations;
    private readonly IBuffer _positions;
    private readonly IBuffer _sequences;
    private readonly IBuffer[] _rotations;
    private readonly IBuffer[] _hidden;

    /// <summary>Uploads a prompt.</summary>
    /// <param name="engine">The engine.</param>
    /// <param name="sequence">Its sequence.</param>
    /// <param name="firstPosition">Position of the first token.</param>
    /// <param name="length">Tokens of the whole text, for rotations that depend on them.</param>
    /// <param name="ids">The tokens.</param>
    /// <param name="remembersQueries">Whether each layer leaves all its queries.</param>
    public PromptBuffers(Engine engine, int sequence, int firstPosition, int length, ReadOnlySpan<int> ids, bool remembersQueries)
    {
        _engine = engine;
        Count = ids.Length;
        Tokens = Allocate(new(DType.I32, Count));
        _positions = Allocate(new(DType.I32, Count));
        _sequences = Allocate(new(DType.I32, Count));
        ImmutableArray<RopeConfig> ropes = engine.Model.Transformer.Ropes;
        _lengthRotations = new(engine.Model.Backend, ropes, Count);
        _rotations = new IBuffer[ropes.Length];
        foreach ((int rope, IBuffer buffer) in _lengthRotations.Buffers)
        {
            _rotations[rope] = buffer;
        }

        for (int rope = 0; rope < ropes.Length; rope++)
        {
            _rotations[rope] ??= Allocate(new(DType.F32, Count, ropes[rope].RotaryDim));
        }

        _hidden = [.. Enumerable.Range(0, engine.HiddenBuffers).Select(_ => Allocate(new(DType.F32, Count, engine.Model.Transformer.StreamWidth)))];
        engine.Queue.Upload(ids, Tokens);
        int[] positions = [.. Enumerable.Range(firstPosition, Count)];
        engine.Queue.Upload<int>(positions, _positions);
        _lengthRotations.Fill(0, positions, length);
        _lengthRotations.Upload(engine.Queue, Count);
        engine.Queue.Upload<int>([.. Enumerable.Repeat(sequence, Count)], _sequences);
        if (remembersQueries)
        {
            IBuffer[] rings = [.. Enumerable.Range(0, engine.RingsOfPrompt).Select(layer => Allocate(engine.PromptSpec(layer)))];
            Queries = [.. Enumerable.Range(0, engine.Model.Config.NumLayers).Select(layer => rings[layer % rings.Length])];
        }
    }

    /// <summary>Tokens of the prompt.</summary>
    public int Count { get; }

    /// <summary>The tokens.</summary>
    public IBuffer Tokens { get; }

    /// <summary>Where each layer leaves all its queries; null when nobody wants them.</summary>
    public IReadOnlyList<IBuffer>? Queries { get; }

    /// <summary>Tokens <paramref name="first"/> to <paramref name="end"/> − 1, in pieces that a plan can take.</summary>
    public IEnumerable<PromptChunk> Chunks(int first, int end)
    {
        for (; first < end; first += _engine.Options.Chunk)
        {
            int n = Math.Min(_engine.Options.Chunk, end - first);
            yield return new(
                first, n, _positions.Rows(first, n), _sequences.Rows(first, n), [.. _rotations.Select(rotation => rotation.Rows(first, n))], Queries);
        }
    }

    /// <summary>Hidden states that enter a layer, or leave the last one.</summary>
    public IBuffer Hidden(int layer, PromptChunk chunk) => _hidden[_engine.HiddenBuffer(layer)].Rows(chunk.First, chunk.Count);

    public void Dispose()
    {
        _lengthRotations.Dispose();
        _owned.ForEach(buffer => buffer.Dispose());
    }

    private IBuffer Allocate(TensorSpec spec)
    {
        IBuffer buffer = _engine.Model.Backend.Allocate(spec, MemoryKind.Activations);
        _owned.Add(buffer);
        return buffer;
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
