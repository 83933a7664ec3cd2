using System.Diagnostics;
using System.Runtime.InteropServices;
using KvIL.Backends;
using KvIL.Conformance.Oracle;
using KvIL.Plans;
using KvIL.Tensors;

namespace KvIL.Conformance;

/// <summary>Runs scenarios on one backend: uploads, enqueues, downloads, and checks that nothing outside the results changed.</summary>
/// <remarks>
/// Every tensor but a weight lies inside a larger one, between canaries, bound through <see cref="IBuffer.Rows"/>: a read outside
/// meets NaN, a write outside is reported. Inputs that are no state must come back with the same bits.
/// </remarks>
public sealed class PlanRunner(IBackend backend) : IDisposable
{
    private readonly IQueue _queue = backend.CreateQueue();

    // The oracle's own results come back unrounded.
    private readonly bool _downloadsDoubles = backend is OracleBackend;

    private readonly Stopwatch _compiling = new();
    private readonly Stopwatch _running = new();

    /// <summary>Where it runs.</summary>
    public IBackend Backend => backend;

    /// <summary>Time spent in compiling plans so far.</summary>
    public TimeSpan CompileTime => _compiling.Elapsed;

    /// <summary>Time spent in running plans so far, from the enqueue to the end of the work.</summary>
    public TimeSpan RunTime => _running.Elapsed;

    /// <summary>Runs a scenario.</summary>
    /// <returns>The value of every output, and of every state under the slot that was its input.</returns>
    /// <exception cref="LawViolation">Something outside the results was written.</exception>
    /// <exception cref="UnsupportedOpException">The backend says that it does not have an op of the plan.</exception>
    public PlanResults Run(Scenario scenario)
    {
        ArgumentNullException.ThrowIfNull(scenario);
        Plan plan = scenario.Plan;
        if (plan.Ops.FirstOrDefault(op => !backend.Supports(op)) is { } missing)
        {
            throw new UnsupportedOpException($"{backend.Name} does not have {missing.Name}.");
        }

        Dictionary<Slot, Placed> placed = [];
        try
        {
            foreach ((Slot slot, HostValue value) in scenario.Inputs) placed[slot] = Place(value);
            foreach (Slot slot in plan.Outputs) placed[slot] = Place(Blank(slot, scenario));
            Bindings bindings = new(plan);
            foreach ((Slot slot, Placed at) in placed) bindings[slot] = at.Bound;
            foreach ((Symbol symbol, int value) in scenario.Symbols) bindings[symbol] = value;
            using IExecutable executable = Timed(_compiling, () => backend.Compile(plan));
            Timed(_running, () =>
            {
                _queue.Enqueue(executable, bindings);
                _queue.Synchronize();
                return true;
            });
            return Collect(plan, placed);
        }
        finally
        {
            foreach (Placed at in placed.Values) at.Dispose();
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _queue.Dispose();

    private static T Timed<T>(Stopwatch clock, Func<T> work)
    {
        clock.Start();
        try
        {
            return work();
        }
        finally
        {
            clock.Stop();
        }
    }

    private PlanResults Collect(Plan plan, Dictionary<Slot, Placed> placed)
    {
        HashSet<Slot> written = [.. plan.Ops.Select(op => op.Writes.Root).Where(plan.Inputs.Contains), .. plan.Outputs];
        Dictionary<Slot, HostValue> results = [];
        foreach ((Slot slot, Placed at) in placed)
        {
            if (at.Before is HostTensor { IsWeight: true }) continue;
            HostValue after = at.Before switch
            {
                HostTensor tensor => Inside(slot, tensor, at.Owned),
                HostStore store => Download(store, (IStore)at.Owned),
                _ => throw new InvalidOperationException(),
            };
            if (written.Contains(slot)) results[slot] = after;
            else Expect.Same($"input {slot.Name}, which is no state,", at.Before, after);
        }

        return new(results);
    }

    // What an output holds before it is written.
    private static HostValue Blank(Slot slot, Scenario scenario)
    {
        if (slot.Spec is StoreSpec store) return HostStore.Unwritten(store, scenario.FreshStores[slot]);
        int[] symbols = new int[scenario.Plan.Symbols.Length];
        foreach ((Symbol symbol, int value) in scenario.Symbols) symbols[symbol.Id] = value;
        Shape shape = slot.Tensor.Shape;
        TensorSpec spec = slot.Tensor with
        {
            Shape = new Shape([.. Enumerable.Range(0, shape.Rank).Select(axis => (Dim)shape[axis].Value(symbols))]),
        };
        int count = (int)spec.Shape.MaxElements;
        return spec.Type == DType.I32
            ? HostTensor.Downloaded(spec, [], Canary.Integers(count))
            : HostTensor.Downloaded(spec, Canary.Reals(count), []);
    }

    private Placed Place(HostValue value) => value switch
    {
        HostTensor { IsWeight: true } weight => PlaceWeight(weight),
        HostTensor tensor => PlaceTensor(tensor),
        HostStore store => PlaceStore(store),
        _ => throw new ArgumentException($"unknown value {value}.", nameof(value)),
    };

    private Placed PlaceWeight(HostTensor weight)
    {
        // Two bytes beyond the start: blocks of quantised weights lie at no aligned address in a file either.
        int offset = weight.Blocks is null ? 0 : 2;
        byte[] bytes = GC.AllocateArray<byte>(offset + (int)weight.Tensor.SizeBytes, pinned: true);
        weight.Blocks?.CopyTo(bytes, offset);
        if (weight.Blocks is null) Encode(weight, bytes);
        nint address = Marshal.UnsafeAddrOfPinnedArrayElement(bytes, offset);
        IBuffer imported = backend.Import(weight.Tensor, new HostMemory(address, bytes.Length - offset, bytes));
        return new(weight, imported, imported);
    }

    private static void Encode(HostTensor weight, byte[] bytes)
    {
        int size = weight.Tensor.Type.BlockBytes();
        for (int i = 0; i < weight.Reals.Length; i++)
        {
            Numbers.Encode(weight.Reals[i], weight.Tensor.Type, bytes.AsSpan(i * size, size));
        }
    }

    // One row of canaries before the tensor and one behind.
    private Placed PlaceTensor(HostTensor tensor)
    {
        int rows = tensor.Tensor.Shape[0].Max, guard = tensor.RowElements;
        IBuffer owned = backend.Allocate(Guarded(tensor), MemoryKind.Activations);
        if (tensor.Tensor.Type == DType.I32)
        {
            _queue.Upload<int>([.. Canary.Integers(guard), .. tensor.Integers, .. Canary.Integers(guard)], owned);
        }
        else
        {
            _queue.Upload<float>(Floats([.. Canary.Reals(guard), .. tensor.Reals, .. Canary.Reals(guard)]), owned);
        }

        return new(tensor, owned, owned.Rows(1, rows));
    }

    private Placed PlaceStore(HostStore store)
    {
        IStore owned = backend.Allocate(store.Store);
        UploadRows(store.Keys, store.Store.RowType, owned.Keys);
        UploadRows(store.Values, store.Store.RowType, owned.Values);
        _queue.Upload<int>(store.Positions, owned.Positions);
        _queue.Upload<int>(MemoryMarshal.Cast<long, int>(store.Starts), owned.Starts);
        _queue.Upload<int>(store.Lengths, owned.Lengths);
        _queue.Upload<int>(store.Capacities, owned.Capacities);
        return new(store, owned, owned);
    }

    private void UploadRows(double[] rows, DType type, IBuffer buffer)
    {
        if (type == DType.F16) _queue.Upload<Half>(Array.ConvertAll(rows, x => (Half)x), buffer);
        else _queue.Upload<float>(Floats(rows), buffer);
    }

    private HostTensor Inside(Slot slot, HostTensor before, IBuffer owned)
    {
        int guard = before.RowElements;
        HostTensor all = Download(Guarded(before), owned);
        double[] reals = all.Reals.Length == 0 ? [] : all.Reals[guard..^guard];
        int[] integers = all.Integers.Length == 0 ? [] : all.Integers[guard..^guard];
        bool intact = all.Reals.Take(guard).Concat(all.Reals.TakeLast(guard)).All(double.IsNaN)
            && all.Integers.Take(guard).Concat(all.Integers.TakeLast(guard)).All(x => x == Canary.Integer);
        return intact
            ? HostTensor.Downloaded(before.Tensor, reals, integers)
            : throw new LawViolation($"{(slot.Name.Length > 0 ? slot.Name : "an output")}: something was written outside the tensor.");
    }

    private HostTensor Download(TensorSpec spec, IBuffer buffer)
    {
        int count = (int)spec.Shape.MaxElements;
        return spec.Type == DType.I32
            ? HostTensor.Downloaded(spec, [], Get<int>(buffer, count))
            : HostTensor.Downloaded(spec, GetReals(buffer, spec.Type, count), []);
    }

    private HostStore Download(HostStore before, IStore store)
    {
        DType type = before.Store.RowType;
        int rows = before.Positions.Length, runs = before.Store.Runs, cells = before.Keys.Length;
        return new(
            before.Store,
            GetReals(store.Keys, type, cells),
            GetReals(store.Values, type, cells),
            Get<int>(store.Positions, rows),
            MemoryMarshal.Cast<int, long>(Get<int>(store.Starts, 2 * runs)).ToArray(),
            Get<int>(store.Lengths, runs),
            Get<int>(store.Capacities, runs));
    }

    private double[] GetReals(IBuffer buffer, DType type, int count) => (_downloadsDoubles, type) switch
    {
        (true, _) => Get<double>(buffer, count),
        (_, DType.F16) => Array.ConvertAll(Get<Half>(buffer, count), x => (double)x),
        _ => Array.ConvertAll(Get<float>(buffer, count), x => (double)x),
    };

    private T[] Get<T>(IBuffer buffer, int count)
        where T : unmanaged
    {
        T[] destination = GC.AllocateArray<T>(count, pinned: true);
        _queue.Download<T>(buffer, destination);
        _queue.Synchronize();
        return destination;
    }

    private static TensorSpec Guarded(HostTensor tensor)
    {
        Shape shape = tensor.Tensor.Shape;
        Dim[] dims = [shape[0].Max + 2, .. Enumerable.Range(1, shape.Rank - 1).Select(axis => shape[axis])];
        return new(tensor.Tensor.Type, dims);
    }

    private static float[] Floats(double[] values) => Array.ConvertAll(values, x => (float)x);

    // A value on the device: the buffer to release, and the one to bind.
    private sealed record Placed(HostValue Before, IBuffer Owned, IBuffer Bound) : IDisposable
    {
        public void Dispose() => Owned.Dispose();
    }
}

/// <summary>A backend says that it does not have an op: a law of it cannot be run there, which breaks nothing.</summary>
public sealed class UnsupportedOpException(string message) : NotSupportedException(message);

/// <summary>What a run left behind.</summary>
public sealed class PlanResults(IReadOnlyDictionary<Slot, HostValue> values)
{
    /// <summary>The floating elements of an output or state.</summary>
    public double[] Reals(Slot slot) => ((HostTensor)values[slot]).Reals;

    /// <summary>The integer elements of an output.</summary>
    public int[] Integers(Slot slot) => ((HostTensor)values[slot]).Integers;

    /// <summary>A store.</summary>
    public HostStore Store(Slot slot) => (HostStore)values[slot];
}
