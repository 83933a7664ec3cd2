using System.Collections.Immutable;
using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Tensors;

namespace KvIL.Inference.Runtime;

/// <summary>The caches of a batch of sequences: one ragged store for each store of the sharing map, the last queries of each layer, and what the host knows of both.</summary>
/// <remarks>
/// The host knows totals: tokens seen, rows held over all heads, free rows of each head. How rows are divided among heads
/// is device data that it reads only to compare stores. The next position of a sequence is the number of its tokens seen, whatever was
/// evicted, unless a policy moves the kept rows to consecutive positions: then it is the number of rows.
/// </remarks>
public sealed class KvCache : IDisposable
{
    private readonly Engine _engine;
    private readonly IStore?[] _stores;
    private readonly IBuffer[] _windows;
    private readonly bool _remembers;
    private readonly int[] _tokens;
    private readonly int[] _moved; // by how many places the rows of a sequence were moved back
    private readonly int[] _movedAt; // tokens seen when they were last moved
    private readonly Occupancy[,] _occupancy; // [store, sequence]

    internal KvCache(Engine engine, bool remembers = true)
    {
        (_engine, _remembers) = (engine, remembers);
        int sequences = engine.Options.Sequences;
        _stores = new IStore?[engine.Model.Transformer.Map.NumStores];
        _tokens = new int[sequences];
        _moved = new int[sequences];
        _movedAt = new int[sequences];
        Protected = new ImmutableArray<int>[sequences];
        Array.Fill(Protected, []);
        _occupancy = new Occupancy[_stores.Length, sequences];
        Policies = new EvictionPolicy[sequences];
        Array.Fill(Policies, EvictionPolicy.Full);
        _windows = !remembers ? [.. engine.UnreadQueries()]
            : [.. Enumerable.Range(0, engine.Model.Config.NumLayers).Select(engine.WindowSpec).OfType<TensorSpec>().Select(
                spec => engine.Model.Backend.Allocate(spec, MemoryKind.Cache))];
    }

    /// <summary>Bytes of keys, values, positions, run tables and remembered queries, by the formulas of their specs.</summary>
    public long SizeBytes => _stores.Sum(store => store?.Spec.SizeBytes ?? 0) + (_remembers ? _windows.Sum(window => window.Spec.SizeBytes) : 0);

    /// <summary>Bytes of the rows held, without free capacity.</summary>
    public long RowBytes
    {
        get
        {
            long bytes = 0;
            for (int store = 0; store < _stores.Length; store++)
            {
                for (int sequence = 0; sequence < _tokens.Length; sequence++)
                {
                    bytes += _occupancy[store, sequence].Rows * _engine.StoreSpec(store).RowBytes;
                }
            }

            return bytes;
        }
    }

    /// <summary>Policy of each sequence, applied again whenever its free rows run out.</summary>
    internal EvictionPolicy[] Policies { get; }

    /// <summary>Positions of each sequence that no eviction drops, ascending.</summary>
    internal ImmutableArray<int>[] Protected { get; }

    /// <summary>Whether queries are remembered, so that policies can score by them.</summary>
    internal bool Remembers => _remembers;

    /// <summary>The last queries, by layer; empty when none are remembered.</summary>
    internal ReadOnlySpan<IBuffer> Windows => _windows;

    /// <summary>Tokens of <paramref name="sequence"/> seen so far.</summary>
    public int Tokens(int sequence) => _tokens[sequence];

    /// <summary>The position of the next token of <paramref name="sequence"/>.</summary>
    public int Position(int sequence) => _tokens[sequence] - _moved[sequence];

    /// <summary>Rows that <paramref name="store"/> holds of <paramref name="sequence"/>, over all heads.</summary>
    public long Rows(int store, int sequence) => _occupancy[store, sequence].Rows;

    /// <summary>The device store; allocated at the first reservation.</summary>
    public IStore Store(int store) =>
        _stores[store] ?? throw new InvalidOperationException($"store {store} holds nothing yet.");

    /// <summary>The last queries that a layer remembers, after RoPE: F32 <c>[sequences, window, query_heads · head_dim]</c>, position p at p mod window.</summary>
    /// <exception cref="InvalidOperationException">The engine remembers none.</exception>
    public IBuffer LastQueries(int layer) =>
        _windows.Length > 0 ? _windows[layer] : throw new InvalidOperationException("this engine remembers no queries; give it a window.");

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IStore? store in _stores)
        {
            store?.Dispose();
        }

        foreach (IBuffer window in _remembers ? _windows : [])
        {
            window.Dispose();
        }
    }

    internal ref Occupancy At(int store, int sequence) => ref _occupancy[store, sequence];

    internal bool IsAllocated(int store) => _stores[store] is not null;

    internal void AddTokens(int sequence, int count) => _tokens[sequence] += count;

    /// <summary>Takes over what the host knows of a sequence in another cache; the rows follow.</summary>
    internal void Assume(KvCache other, int sequence)
    {
        (_tokens[sequence], _moved[sequence], _movedAt[sequence]) = (other._tokens[sequence], other._moved[sequence], other._movedAt[sequence]);
        (Policies[sequence], Protected[sequence]) = (other.Policies[sequence], other.Protected[sequence]);
        for (int store = 0; store < _stores.Length; store++)
        {
            At(store, sequence) = other.At(store, sequence);
        }
    }

    /// <summary>The rows of a sequence stand at consecutive positions now, and the next token at <paramref name="position"/>.</summary>
    internal void MoveTo(int sequence, int position) =>
        (_moved[sequence], _movedAt[sequence]) = (_tokens[sequence] - position, _tokens[sequence]);

    /// <summary>Queries of a sequence that stand where the rows stand: those since the rows were last moved.</summary>
    internal int FreshQueries(int sequence) => _remembers ? _tokens[sequence] - _movedAt[sequence] : 0;

    internal void AddRows(int store, int sequence, int perHead)
    {
        ref Occupancy occupancy = ref _occupancy[store, sequence];
        occupancy.Rows += (long)perHead * _engine.StoreSpec(store).NumKvHeads;
        occupancy.Free -= perHead;
        occupancy.LongestRun += perHead;
    }

    /// <summary>Rows of the pool when one sequence takes <paramref name="rows"/> and the others what they have.</summary>
    internal long PoolRows(int store, int sequence, long rows)
    {
        for (int other = 0; other < _tokens.Length; other++)
        {
            Occupancy occupancy = _occupancy[store, other];
            rows += other == sequence ? 0 : occupancy.Rows + ((long)occupancy.Free * _engine.StoreSpec(store).NumKvHeads);
        }

        return rows;
    }

    /// <summary>Whether no sequence holds a row of the store.</summary>
    internal bool IsEmpty(int store)
    {
        for (int sequence = 0; sequence < _tokens.Length; sequence++)
        {
            if (_occupancy[store, sequence].Rows > 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Puts another store in place of the present one, which is freed.</summary>
    internal void Replace(int store, IStore next)
    {
        _stores[store]?.Dispose();
        _stores[store] = next;
    }

    /// <summary>What the host knows of one sequence in one store.</summary>
    internal struct Occupancy
    {
        /// <summary>Rows held, over all heads.</summary>
        public long Rows;

        /// <summary>Rows that every head can still take.</summary>
        public int Free;

        /// <summary>No head holds more rows than this.</summary>
        public int LongestRun;

        /// <summary>Rows over all heads to which the sequence is cut when its free rows run out.</summary>
        public long Kept;

        /// <summary>Free rows that such a cut leaves.</summary>
        public int Slack;

        /// <summary>What the rows held at the last cut had gathered, by KV head, under a policy that accumulates; else null. Later rows have 0.</summary>
        public float[][]? Sums;

        /// <summary>Tokens seen when they were gathered.</summary>
        public int SummedAt;
    }
}
