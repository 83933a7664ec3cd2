using System.Runtime.CompilerServices;

namespace KvIL.Reference.Threading;

/// <summary>Work that falls into independent items; no item's result may depend on another's.</summary>
internal interface IJob
{
    /// <summary>Does item <paramref name="index"/> on worker <paramref name="worker"/>, whose scratch nobody else uses meanwhile.</summary>
    void Run(int index, int worker);
}

/// <summary>A fixed set of threads that share the items of one job at a time; running a job allocates nothing.</summary>
/// <remarks>
/// Items are handed out by a counter, so which thread does an item is a matter of chance, and what it computes is not:
/// results do not depend on the number of threads. Threads spin briefly between jobs, since the kernels of a
/// decode step follow each other within microseconds, and sleep after that.
/// </remarks>
internal sealed unsafe class Workers : IDisposable
{
    private const int SpinsBeforeSleep = 2_000;

    private readonly Lock _runLock = new();
    private readonly object _sleep = new();
    private readonly Thread[] _threads;
    private int _generation;
    private int _sleeping;
    private int _next;
    private int _count;
    private int _running;
    private void* _job;
    private delegate*<void*, int, int, void> _invoke;
    private volatile Exception? _failure;
    private volatile bool _stopping;

    /// <summary>Workers for <paramref name="count"/> threads, the caller's included.</summary>
    public Workers(int count)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 1);
        Count = count;
        _threads = new Thread[count - 1];
        for (int i = 0; i < _threads.Length; i++)
        {
            int worker = i + 1;
            _threads[i] = new Thread(() => Loop(worker)) { IsBackground = true, Name = $"KvIL worker {worker}" };
            _threads[i].Start();
        }
    }

    /// <summary>Number of threads that take part, and so of distinct worker numbers.</summary>
    public int Count { get; }

    /// <summary>Runs items 0 to <paramref name="items"/> - 1 and returns when all are done.</summary>
    /// <param name="job">The job; stays on the caller's stack.</param>
    /// <param name="items">Number of items.</param>
    /// <param name="parallel">False runs all of them here: for work smaller than waking a thread.</param>
    public void Run<TJob>(TJob job, int items, bool parallel = true) where TJob : struct, IJob
    {
        if (!parallel || _threads.Length == 0 || items < 2)
        {
            for (int i = 0; i < items; i++)
            {
                job.Run(i, 0);
            }

            return;
        }

        lock (_runLock)
        {
            _job = Unsafe.AsPointer(ref job);
            _invoke = &Invoke<TJob>;
            _count = items;
            _next = 0;
            _failure = null;
            Volatile.Write(ref _running, _threads.Length);
            Interlocked.Increment(ref _generation); // publishes the fields above
            WakeSleepers();
            Drain(0);
            SpinWait spin = default;
            while (Volatile.Read(ref _running) != 0)
            {
                spin.SpinOnce(sleep1Threshold: -1);
            }

            if (_failure is Exception failure)
            {
                throw new InvalidOperationException("A kernel failed.", failure);
            }
        }
    }

    public void Dispose()
    {
        _stopping = true;
        Interlocked.Increment(ref _generation);
        WakeSleepers();
        foreach (Thread thread in _threads)
        {
            thread.Join();
        }
    }

    private static void Invoke<TJob>(void* job, int index, int worker) where TJob : struct, IJob =>
        Unsafe.AsRef<TJob>(job).Run(index, worker);

    private void Drain(int worker)
    {
        try
        {
            for (int i = Interlocked.Increment(ref _next) - 1; i < _count; i = Interlocked.Increment(ref _next) - 1)
            {
                _invoke(_job, i, worker);
            }
        }
        catch (Exception e)
        {
            _failure = e;
            Volatile.Write(ref _next, _count);
        }
    }

    private void Loop(int worker)
    {
        int seen = 0;
        while (true)
        {
            WaitFor(seen);
            seen = Volatile.Read(ref _generation);
            if (_stopping)
            {
                return;
            }

            Drain(worker);
            Interlocked.Decrement(ref _running);
        }
    }

    private void WaitFor(int seen)
    {
        for (int spins = 0; spins < SpinsBeforeSleep; spins++)
        {
            if (Volatile.Read(ref _generation) != seen)
            {
                return;
            }

            Thread.SpinWait(8);
        }

        lock (_sleep)
        {
            Interlocked.Increment(ref _sleeping); // a full fence: the generation read below cannot move before it
            while (Volatile.Read(ref _generation) == seen)
            {
                Monitor.Wait(_sleep);
            }

            Interlocked.Decrement(ref _sleeping);
        }
    }

    private void WakeSleepers()
    {
        if (Volatile.Read(ref _sleeping) != 0)
        {
            lock (_sleep)
            {
                Monitor.PulseAll(_sleep);
            }
        }
    }
}
