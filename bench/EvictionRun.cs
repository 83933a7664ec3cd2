using KvIL.Backends;
using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Reference;
using KvIL.Reference.Memory;
using KvIL.Tensors;

namespace KvIL.Bench;

/// <summary>One layer's rows with made-up contents, its eviction step, and what was measured on it.</summary>
internal sealed unsafe class EvictionRun : IDisposable
{
    private readonly ReferenceBackend _backend;
    private readonly IQueue _queue;
    private readonly IBuffer _queries;
    private readonly IExecutable _executable;
    private readonly HostStore _store;
    private readonly IStore _fresh;
    private readonly Bindings _bindings;

    public EvictionRun(EvictionPolicy policy, DType rowType, LayerShape shape, int tokens, int threads)
    {
        RowType = rowType;
        _backend = new(threads);
        _queue = _backend.CreateQueue();
        Random random = new(1);
        StoreSpec spec = new(1, shape.KvHeads, shape.HeadDim, rowType, 0);
        TensorSpec window = new(DType.F32, 1, policy.Window, shape.QueryHeads * shape.HeadDim);
        _queries = _backend.Allocate(window, MemoryKind.Cache);
        _queue.Upload<float>([.. Draw(random, policy.Window * shape.QueryHeads * shape.HeadDim)], _queries);
        StoreReader reader = new(window, new(DType.F16, shape.QueryHeads * shape.HeadDim, shape.QueryHeads * shape.HeadDim), 1 / MathF.Sqrt(shape.HeadDim));
        EvictionProgram program = EvictionProgram.ByScore(policy, spec, [reader], tokens, tokens, EvictionExtras.None);
        _executable = _backend.Compile(program.Plan);
        _store = Fill(spec, tokens, random);
        int rows = StoreRows.Of(policy, tokens, 1)[0];
        _fresh = _backend.Allocate(spec with { Rows = (long)rows * shape.KvHeads });
        _bindings = new(program.Plan)
        {
            [program.From] = _store,
            [program.To!] = _fresh,
            [program.Windows[0]] = _queries,
            [program.Tokens] = tokens,
            [program.Length] = tokens,
            [program.Total] = rows * shape.KvHeads,
            [program.Window] = policy.Window,
            [program.Queries] = policy.Window,
        };
    }

    public DType RowType { get; }

    /// <summary>The keys, <c>[kv_heads · tokens, head_dim]</c>.</summary>
    public byte* Keys => _store.Key(0);

    /// <summary>Seconds of a step, one for each round.</summary>
    public List<double> Seconds { get; } = [];

    /// <summary>Seconds of each op in the fastest round.</summary>
    public Dictionary<string, double> Ops { get; private set; } = [];

    public void Measure()
    {
        Dictionary<string, double> ops = [];
        _backend.Watch = (op, time) => ops[op.Name] = time.TotalSeconds;
        Seconds.Add(ModelRun.Time(() => _queue.Enqueue(_executable, _bindings), repeats: 1));
        Ops = Seconds[^1] == Seconds.Min() ? ops : Ops;
    }

    public void Dispose()
    {
        _fresh.Dispose();
        _store.Dispose();
        _executable.Dispose();
        _queries.Dispose();
        _queue.Dispose();
        _backend.Dispose();
    }

    // Head h lies at rows h · tokens to (h + 1) · tokens - 1.
    private HostStore Fill(StoreSpec spec, int tokens, Random random)
    {
        int rows = tokens * spec.NumKvHeads;
        HostStore store = (HostStore)_backend.Allocate(spec with { Rows = rows });
        float[] block = [.. Draw(random, spec.HeadDim * 1024)];
        Half[] halves = [.. block.Select(x => (Half)x)];
        for (int first = 0; first < rows; first += 1024)
        {
            foreach (IBuffer vectors in (IBuffer[])[store.Keys.Rows(first, 1024), store.Values.Rows(first, 1024)])
            {
                if (spec.RowType == DType.F32)
                {
                    _queue.Upload<float>(block, vectors);
                }
                else
                {
                    _queue.Upload<Half>(halves, vectors);
                }
            }
        }

        _queue.Upload<int>([.. Enumerable.Range(0, rows).Select(row => row % tokens)], store.Positions);
        _queue.Upload<long>([.. Enumerable.Range(0, spec.NumKvHeads).Select(head => (long)head * tokens)], store.Starts);
        _queue.Upload<int>([.. Enumerable.Repeat(tokens, spec.NumKvHeads)], store.Lengths);
        _queue.Upload<int>([.. Enumerable.Repeat(tokens, spec.NumKvHeads)], store.Capacities);
        return store;
    }

    private static IEnumerable<float> Draw(Random random, int count) => Enumerable.Range(0, count).Select(_ => (float)(random.NextDouble() - 0.5));
}
