using System.Collections.Immutable;
using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Models;
using KvIL.Plans;

namespace KvIL.Inference.Runtime;

/// <summary>What evicting costs one layer's last prompt query.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Loss">L: L1 distance between the layer's attention output before and after.</param>
/// <param name="Theta">θ, the tightest bound.</param>
/// <param name="EpsilonHead">ε_head, with one constant per head.</param>
/// <param name="Epsilon">ε, the bound that Ada-KV's allocation minimises.</param>
public sealed record EvictionCost(int Layer, double Loss, double Theta, double EpsilonHead, double Epsilon);

/// <summary>What one eviction is asked to do.</summary>
internal readonly record struct EvictionArguments(
    KvCache Cache, int Store, int Sequence, IStore Fresh, int LongestRun, int Total, int Sinks, int Window, int Slack);

/// <summary>An <see cref="EvictionProgram"/> compiled for one store of a model.</summary>
internal sealed class EvictionExecutable : IDisposable
{
    private readonly Engine _engine;
    private readonly EvictionProgram _program;
    private readonly IExecutable _executable;
    private readonly Bindings _bindings;
    private readonly ImmutableArray<int> _readers;
    private readonly ImmutableArray<IBuffer> _losses;

    public EvictionExecutable(Engine engine, EvictionPolicy policy, int store, bool measure)
    {
        _engine = engine;
        Transformer transformer = engine.Model.Transformer;
        _readers = transformer.Map.Readers(store);
        ImmutableArray<StoreReader> readers = engine.WindowSpec is null ? []
            : [.. _readers.Select(layer => new StoreReader(engine.WindowSpec, transformer.Weights[Transformer.OutputProjection(layer)], transformer.Rule(layer)))];
        int maxTokens = engine.Options.MaxTokens;
        EvictionExtras extras = measure ? EvictionExtras.Measure : EvictionExtras.None;
        _program = policy.UsesScores
            ? EvictionProgram.ByScore(policy, engine.StoreSpec, readers, maxTokens, maxTokens, extras)
            : EvictionProgram.ByRecency(engine.StoreSpec, readers, maxTokens, maxTokens, extras);
        _executable = engine.Model.Backend.Compile(_program.Plan);
        _bindings = new(_program.Plan);
        _losses = [.. _program.Losses.Select(loss => engine.Model.Backend.Allocate(loss.Tensor, MemoryKind.Activations))];
        for (int i = 0; i < _losses.Length; i++)
        {
            _bindings[_program.Losses[i]] = _losses[i];
            _bindings[_program.OutputProjections[i]] = engine.Model.Weights[Transformer.OutputProjection(_readers[i])];
        }
    }

    public Plan Plan => _program.Plan;

    public long ScratchBytes => _executable.ScratchBytes;

    public long ResultBytes => _losses.Sum(loss => loss.Spec.SizeBytes);

    public void Enqueue(EvictionArguments a)
    {
        _bindings[_program.From] = a.Cache.Store(a.Store);
        _bindings[_program.To!] = a.Fresh;
        for (int i = 0; i < _program.Windows.Length; i++)
        {
            _bindings[_program.Windows[i]] = a.Cache.Windows[_readers[i]];
        }

        _bindings[_program.Sequence] = a.Sequence;
        _bindings[_program.Tokens] = a.Cache.Tokens(a.Sequence);
        _bindings[_program.Length] = a.LongestRun;
        _bindings[_program.Total] = a.Total;
        _bindings[_program.Sinks] = a.Sinks;
        _bindings[_program.Window] = a.Window;
        _bindings[_program.Queries] = Math.Min(a.Window, _program.Queries.Max);
        _bindings[_program.Slack] = a.Slack;
        _engine.Queue.Enqueue(_executable, _bindings);
    }

    /// <summary>Loss and bounds of the last run, by reading layer.</summary>
    public IReadOnlyList<EvictionCost> Costs()
    {
        float[] figures = new float[4];
        List<EvictionCost> costs = [];
        for (int i = 0; i < _losses.Length; i++)
        {
            _engine.Queue.Download<float>(_losses[i], figures);
            _engine.Queue.Synchronize();
            costs.Add(new(_readers[i], figures[0], figures[1], figures[2], figures[3]));
        }

        return costs;
    }

    public void Dispose()
    {
        _executable.Dispose();
        foreach (IBuffer loss in _losses)
        {
            loss.Dispose();
        }
    }
}
