using System.Collections.Immutable;
using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Inference.Models;
using KvIL.Ops;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Inference.Runtime;

/// <summary>What evicting costs one layer's last prompt query.</summary>
/// <param name="Layer">The layer.</param>
/// <param name="Loss">L: L1 distance between the layer's attention output before and after.</param>
/// <param name="Theta">θ, the tightest bound.</param>
/// <param name="EpsilonHead">ε_head, with one constant per head.</param>
/// <param name="Epsilon">ε, the bound that Ada-KV's allocation minimises.</param>
public sealed record EvictionCost(int Layer, double Loss, double Theta, double EpsilonHead, double Epsilon);

/// <summary>Where the ranks of an eviction come from.</summary>
internal enum Ranking
{
    /// <summary>From positions.</summary>
    Recency,

    /// <summary>From the policy's scores.</summary>
    Scores,

    /// <summary>Nothing is ranked yet: the scores go to the host.</summary>
    ScoresOnly,

    /// <summary>From scores that the host gives.</summary>
    GivenScores,

    /// <summary>From scores and counts that the host gives, which together name rows.</summary>
    GivenRows,
}

/// <summary>What an eviction plan is compiled for.</summary>
/// <param name="Policy">Names the plan, without its budget; null where ranks do not depend on it.</param>
/// <param name="Store">The store, which says which layers read it.</param>
/// <param name="Ranking">Where the ranks come from.</param>
/// <param name="Extras">What is done beside.</param>
/// <param name="WholePrompt">Whether the queries are all those of a prompt, instead of the last ones that each layer remembers.</param>
internal sealed record EvictionKey(EvictionPolicy? Policy, int Store, Ranking Ranking, EvictionExtras Extras, bool WholePrompt);

/// <summary>What one eviction is asked to do.</summary>
internal sealed record EvictionArguments(KvCache Cache, int Store, int Sequence, int LongestRun, int Total, int Sinks, int Window, int Slack)
{
    /// <summary>The fresh store; null where only scores are wanted.</summary>
    public IStore? Fresh { get; init; }

    /// <summary>How many of the last queries score.</summary>
    public int Queries { get; init; }

    /// <summary>All queries of the prompt, by layer; null for those that the cache remembers.</summary>
    public IReadOnlyList<IBuffer>? Prompt { get; init; }

    /// <summary>Scores given, <c>[kv_heads, longest run]</c>.</summary>
    public float[]? Scores { get; init; }

    /// <summary>Rows of each head, given; null where the heads compete for them.</summary>
    public int[]? Counts { get; init; }

    /// <summary>Positions that are kept whatever their score.</summary>
    public ImmutableArray<int> Protected { get; init; } = [];
}

/// <summary>An <see cref="EvictionProgram"/> compiled for one store of a model.</summary>
internal sealed class EvictionExecutable : IDisposable
{
    private readonly Engine _engine;
    private readonly EvictionProgram _program;
    private readonly IExecutable _executable;
    private readonly Bindings _bindings;
    private readonly ImmutableArray<int> _readers;
    private readonly int _heads;
    private readonly Dictionary<Slot, IBuffer> _own = []; // small results and inputs that live as long as the plan

    public EvictionExecutable(Engine engine, EvictionKey key)
    {
        _engine = engine;
        Transformer transformer = engine.Model.Transformer;
        _readers = transformer.Map.Readers(key.Store);
        StoreSpec store = engine.StoreSpec(key.Store);
        _heads = store.NumKvHeads;
        EvictionPolicy policy = key.Policy ?? EvictionPolicy.Full;
        bool turns = (policy.Needs & (ScoreNeeds.PreRopeKeys | ScoreNeeds.PreRopeQueries)) != 0 || key.Extras.HasFlag(EvictionExtras.Rerotate);
        if (policy.Vote == ReaderVote.Owner && !_readers.Contains(transformer.Map.Owner(key.Store)))
        {
            throw new RequestException($"Layer {transformer.Map.Owner(key.Store)} reads another store than its own, so it cannot vote for what its own keeps; use vote=max.");
        }

        ImmutableArray<StoreReader> readers = [.. _readers.Select(layer => new StoreReader(
            (key.WholePrompt ? null : engine.WindowSpec(layer)) ?? engine.PromptSpec(layer), transformer.Weights[Transformer.OutputProjection(layer)], transformer.Rule(layer), turns ? transformer.Rotary(layer) : null,
            layer == transformer.Map.Owner(key.Store)))];
        int tokens = engine.Options.MaxTokens;
        _program = key.Ranking switch
        {
            Ranking.Recency => EvictionProgram.ByRecency(store, readers, tokens, tokens, key.Extras),
            Ranking.Scores => EvictionProgram.ByScore(policy, store, readers, tokens, tokens, key.Extras),
            Ranking.ScoresOnly => EvictionProgram.ScoresOnly(policy, store, readers, tokens, tokens),
            Ranking.GivenScores => EvictionProgram.ByGivenScores(policy, store, readers, tokens, tokens, key.Extras),
            _ => EvictionProgram.ByGivenScores(policy, store, readers, tokens, tokens, key.Extras | EvictionExtras.GivenCounts),
        };
        _executable = Compile(engine.Model.Backend, policy);
        _bindings = new(_program.Plan);
        for (int i = 0; i < _program.OutputProjections.Length; i++)
        {
            _bindings[_program.OutputProjections[i]] = engine.Model.Weights[Transformer.OutputProjection(_readers[i])];
        }

        Slot?[] own = [.. _program.Losses, .. _program.Preferences, _program.Scores, _program.Compared, _program.Counts, _program.Rows, _program.ProtectedPositions];
        foreach (Slot slot in own.OfType<Slot>())
        {
            _bindings[slot] = _own[slot] = engine.Model.Backend.Allocate(slot.Tensor, MemoryKind.Activations);
        }
    }

    public Plan Plan => _program.Plan;

    public long ScratchBytes => _executable.ScratchBytes;

    public long ResultBytes => _own.Values.Sum(buffer => buffer.Spec.SizeBytes);

    public void Enqueue(EvictionArguments a)
    {
        _bindings[_program.From] = a.Cache.Store(a.Store);
        if (_program.To is Slot to)
        {
            _bindings[to] = a.Fresh!;
        }

        for (int i = 0; i < _program.Windows.Length; i++)
        {
            _bindings[_program.Windows[i]] = a.Prompt?[_readers[i]] ?? a.Cache.Windows[_readers[i]];
        }

        _bindings[_program.Sequence] = a.Sequence;
        _bindings[_program.Tokens] = a.Cache.Position(a.Sequence);
        _bindings[_program.Length] = a.LongestRun;
        _bindings[_program.Total] = a.Total;
        _bindings[_program.Sinks] = a.Sinks;
        _bindings[_program.Window] = a.Window;
        _bindings[_program.Queries] = _program.Windows.IsEmpty ? 0 : a.Queries;
        _bindings[_program.Slack] = a.Slack;
        _bindings[_program.Protected] = a.Protected.Length;
        if (_program.ProtectedPositions is Slot positions)
        {
            _engine.Queue.Upload<int>(a.Protected.AsSpan(), _own[positions]);
        }

        if (a.Scores is not null)
        {
            _engine.Queue.Upload<float>(a.Scores, _own[_program.Scores!]);
        }

        if (a.Counts is not null)
        {
            _engine.Queue.Upload<int>(a.Counts, _own[_program.Counts!]);
        }

        _engine.Queue.Enqueue(_executable, _bindings);
    }

    /// <summary>Loss and bounds of the last run, by reading layer.</summary>
    public IReadOnlyList<EvictionCost> Costs() => [.. _program.Losses.Select((loss, i) =>
    {
        float[] figures = Download<float>(loss, 4);
        return new EvictionCost(_readers[i], figures[0], figures[1], figures[2], figures[3]);
    })];

    /// <summary>Scores of the last run, <c>[kv_heads, longest run]</c>.</summary>
    public float[] Scores(int longestRun) => Download<float>(_program.Scores!, _heads * longestRun);

    /// <summary>Scores by which heads were compared in the last run; null where they are <see cref="Scores"/>.</summary>
    public float[]? Compared(int longestRun) =>
        _program.Compared is Slot compared ? Download<float>(compared, _heads * longestRun) : null;

    /// <summary>CAKE's preference for the store in the last run: the largest of its readers'.</summary>
    public float Preference() => _program.Preferences.Max(preference => Download<float>(preference, 1)[0]);

    /// <summary>Rows kept in the last run, by KV head, ascending.</summary>
    public int[][] Rows(int total)
    {
        int[] counts = Download<int>(_program.Counts!, _heads);
        int[] rows = Download<int>(_program.Rows!, total);
        int first = 0;
        return [.. counts.Select(count => rows[first..(first += count)])];
    }

    public void Dispose()
    {
        _executable.Dispose();
        foreach (IBuffer buffer in _own.Values)
        {
            buffer.Dispose();
        }
    }

    private IExecutable Compile(IBackend backend, EvictionPolicy policy) => _program.Plan.Ops.FirstOrDefault(op => !backend.Supports(op)) is Op op
        ? throw new RequestException(
            $"The policy {policy.Name} takes a step in C# on the CPU ({op.Name}), which {backend.Name} cannot run; use --device cpu, or a policy such as ada-snapkv.")
        : backend.Compile(_program.Plan);

    private T[] Download<T>(Slot slot, int count)
        where T : unmanaged
    {
        T[] values = new T[count];
        _engine.Queue.Download<T>(_own[slot], values);
        _engine.Queue.Synchronize();
        return values;
    }
}
