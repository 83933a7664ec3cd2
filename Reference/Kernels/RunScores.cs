using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Reference.Memory;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary>Scores <c>[kv_heads, len]</c> beside the runs that they score: which rows are candidates.</summary>
internal readonly unsafe struct RunScores(Frame f, Slot x, Slot y, HostStore store, Dim sequence, Dim sinks, Dim window)
{
    private readonly float* _x = f.F32(x);
    private readonly float* _y = f.F32(y);
    private readonly int _length = f.Value(y.Tensor.Shape[1]);
    private readonly int _firstRun = f.Value(sequence) * store.StoreSpec.NumKvHeads;
    private readonly int _sinks = f.Value(sinks);
    private readonly int _window = f.Value(window);

    /// <summary>Heads.</summary>
    public int Heads => store.StoreSpec.NumKvHeads;

    /// <summary>Run of a head.</summary>
    public int Run(int head) => _firstRun + head;

    /// <summary>Rows of a head.</summary>
    public int Rows(int head) => store.Length[_firstRun + head];

    /// <summary>First candidate of a head.</summary>
    public int Begin(int head) => ProtectedRows.Sinks(Rows(head), _sinks, _window);

    /// <summary>Candidates of a head.</summary>
    public int Candidates(int head) => ProtectedRows.Candidates(Rows(head), _sinks, _window);

    /// <summary>The candidates' scores given.</summary>
    public ReadOnlySpan<float> Given(int head) => new(_x + ((long)head * _length) + Begin(head), Candidates(head));

    /// <summary>Where the candidates' new scores go; everything else of the head becomes 0.</summary>
    public Span<float> Fresh(int head)
    {
        Span<float> all = new(_y + ((long)head * _length), _length);
        all.Clear();
        return all.Slice(Begin(head), Candidates(head));
    }

    /// <summary>Numbers, among a head's candidates, of its best, ascending.</summary>
    public int[] Best(int head, int keep)
    {
        int[] rows = new int[keep];
        SelectRows.Run(Given(head), 0, Candidates(head), Candidates(head), keep, rows);
        return rows;
    }
}
