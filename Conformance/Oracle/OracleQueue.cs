using KvIL.Backends;
using KvIL.Ops;
using KvIL.Plans;

namespace KvIL.Conformance.Oracle;

/// <summary>Runs everything at once; a fault waits for <see cref="Synchronize"/>, as the contract has it.</summary>
internal sealed class OracleQueue(MemoryAccount memory, Action<Op, OracleFrame> execute) : IQueue
{
    private DeviceFaultException? _fault;
    private long _arenaBytes;

    public void Upload<T>(ReadOnlySpan<T> source, IBuffer destination)
        where T : unmanaged => ((OracleTensor)destination).Write(source);

    public void Enqueue(IExecutable executable, Bindings bindings)
    {
        ArgumentNullException.ThrowIfNull(executable);
        ArgumentNullException.ThrowIfNull(bindings);
        OracleFrame frame = new(executable.Plan, bindings);
        GrowArena(executable.ScratchBytes);
        foreach (Op op in executable.Plan.Ops)
        {
            if (_fault is not null) return;
            try
            {
                execute(op, frame);
            }
            catch (Exception e) when (e is IndexOutOfRangeException or ArgumentOutOfRangeException)
            {
                _fault = new DeviceFaultException($"oracle: {op.Name} of plan {executable.Plan.Name} left its tensors.", e);
            }
        }
    }

    public void Download<T>(IBuffer source, Memory<T> destination)
        where T : unmanaged => ((OracleTensor)source).Read(destination.Span);

    public void Synchronize()
    {
        DeviceFaultException? fault = _fault;
        _fault = null;
        if (fault is not null) throw fault;
    }

    public void Dispose() => GrowArena(0);

    // The arena is as large as the largest plan so far; 0 gives it back.
    private void GrowArena(long bytes)
    {
        long wanted = bytes == 0 ? 0 : Math.Max(_arenaBytes, bytes);
        memory.Add(MemoryKind.Scratch, wanted - _arenaBytes);
        _arenaBytes = wanted;
    }
}
