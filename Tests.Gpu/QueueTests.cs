using System.Runtime.InteropServices;
using KvIL.Backends;
using KvIL.Gpu;
using KvIL.Plans;
using KvIL.Tensors;
using KvIL.Tests.Gpu.Support;
using Xunit;

namespace KvIL.Tests.Gpu;

/// <summary>Memory, queues, bindings and devices.</summary>
public sealed class QueueTests(Devices devices) : IClassFixture<Devices>
{
    [Fact]
    public void Bytes_are_counted_as_Reference_counts_them()
    {
        foreach (IBackend backend in (ReadOnlySpan<IBackend>)[devices.Reference, devices.Gpu])
        {
            StoreSpec store = new(2, 3, 20, DType.F16, 17);
            TensorSpec tensor = new(DType.F32, 5, 7);
            backend.Memory.ResetPeaks();
            long cache = backend.Memory.Current(MemoryKind.Cache);
            long weights = backend.Memory.Current(MemoryKind.Weights);
            byte[] bytes = new byte[tensor.SizeBytes];
            GCHandle pin = GCHandle.Alloc(bytes, GCHandleType.Pinned);
            using (IStore held = backend.Allocate(store))
            using (IBuffer buffer = backend.Allocate(tensor, MemoryKind.Activations))
            using (IBuffer weight = backend.Import(tensor, new HostMemory(pin.AddrOfPinnedObject(), bytes.Length, bytes)))
            using (buffer.Rows(1, 2))
            {
                Assert.Equal(cache + store.SizeBytes, backend.Memory.Current(MemoryKind.Cache));
                Assert.Equal(140, backend.Memory.Current(MemoryKind.Activations));
                Assert.Equal(weights + 140, backend.Memory.Current(MemoryKind.Weights));
            }

            pin.Free();
            Assert.Equal(cache, backend.Memory.Current(MemoryKind.Cache));
            Assert.Equal(0, backend.Memory.Current(MemoryKind.Activations));
            Assert.Equal(weights, backend.Memory.Current(MemoryKind.Weights));
            Assert.Equal(140, backend.Memory.Peak(MemoryKind.Activations));
        }
    }

    [Fact]
    public void A_quantised_weight_counts_as_the_F32_that_is_held()
    {
        TensorSpec table = new(DType.Q8_0, 2, 64);
        byte[] bytes = new byte[table.SizeBytes];
        GCHandle pin = GCHandle.Alloc(bytes, GCHandleType.Pinned);
        long before = devices.Gpu.Memory.Current(MemoryKind.Weights);
        using (IBuffer weight = devices.Gpu.Import(table, new HostMemory(pin.AddrOfPinnedObject(), bytes.Length, bytes)))
        {
            Assert.Equal(table, weight.Spec);
            Assert.Equal(before + (2 * 64 * sizeof(float)), devices.Gpu.Memory.Current(MemoryKind.Weights));
        }

        pin.Free();
        Assert.Equal(before, devices.Gpu.Memory.Current(MemoryKind.Weights));
    }

    [Fact]
    public void Scratch_is_the_arena_of_the_largest_plan_and_goes_with_the_queue()
    {
        long before = devices.Gpu.Memory.Current(MemoryKind.Scratch);
        (Plan plan, Slot x, _, Slot y) = Twice();
        using IExecutable executable = devices.Gpu.Compile(plan);
        IQueue queue = devices.Gpu.CreateQueue();
        long own = devices.Gpu.Memory.Current(MemoryKind.Scratch) - before;
        using IBuffer input = devices.Gpu.Allocate(x.Tensor, MemoryKind.Activations), output = devices.Gpu.Allocate(y.Tensor, MemoryKind.Activations);
        Bindings bindings = new(plan) { [x] = input, [y] = output };
        queue.Enqueue(executable, bindings);
        queue.Enqueue(executable, bindings);
        Assert.Equal(before + own + executable.ScratchBytes, devices.Gpu.Memory.Current(MemoryKind.Scratch));
        queue.Dispose();
        Assert.Equal(before, devices.Gpu.Memory.Current(MemoryKind.Scratch));
    }

    [Fact]
    public void One_executable_serves_every_value_of_a_symbol_and_buffers_may_go_while_work_is_queued()
    {
        (Plan plan, Slot x, Symbol n, Slot y) = Twice();
        using IExecutable executable = devices.Gpu.Compile(plan);
        using IQueue queue = devices.Gpu.CreateQueue();
        using IBuffer kept = devices.Gpu.Allocate(y.Tensor, MemoryKind.Activations);
        for (int value = 0; value <= 4; value++)
        {
            IBuffer input = devices.Gpu.Allocate(x.Tensor, MemoryKind.Activations);
            queue.Upload<float>(Enumerable.Repeat((float)value, 12).ToArray(), input);
            queue.Enqueue(executable, new Bindings(plan) { [x] = input, [y] = kept, [n] = value });
            input.Dispose();
        }

        float[] results = new float[12];
        queue.Download<float>(kept, results);
        queue.Synchronize();
        Assert.All(results, r => Assert.Equal(16f, r));
    }

    [Fact]
    public void Enqueuing_allocates_nothing()
    {
        (Plan plan, Slot x, Symbol n, Slot y) = Twice();
        CountingDevice device = new();
        using GpuBackend backend = new(device);
        using IExecutable executable = backend.Compile(plan);
        using IQueue queue = backend.CreateQueue();
        using IBuffer input = backend.Allocate(x.Tensor, MemoryKind.Activations), output = backend.Allocate(y.Tensor, MemoryKind.Activations);
        Bindings bindings = new(plan) { [x] = input, [y] = output, [n] = 4 };
        queue.Enqueue(executable, bindings);
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 100; i++) queue.Enqueue(executable, bindings);
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Equal(202, device.Launches);
        Assert.Equal(101, device.Copies);
    }

    [Fact]
    public void Small_uploads_survive_the_reuse_of_their_source_and_the_wrap_of_the_staging_memory()
    {
        using IQueue queue = devices.Gpu.CreateQueue();
        TensorSpec spec = new(DType.I32, 3, 5000);
        IBuffer[] buffers = [.. Enumerable.Range(0, 20).Select(_ => devices.Gpu.Allocate(spec, MemoryKind.Activations))];
        int[] source = new int[5000];
        for (int i = 0; i < buffers.Length; i++)
        {
            Array.Fill(source, i);
            queue.Upload<int>(source, buffers[i].Rows(1, 1));
        }

        for (int i = 0; i < buffers.Length; i++)
        {
            int[] all = new int[15000];
            queue.Download<int>(buffers[i], all);
            queue.Synchronize();
            Assert.Equal(0, all[4999]);
            Assert.All(all[5000..10000], v => Assert.Equal(i, v));
            Assert.Equal(0, all[10000]);
            buffers[i].Dispose();
        }
    }

    [Fact]
    public void A_missing_wrong_small_or_disposed_binding_is_refused()
    {
        (Plan plan, Slot x, Symbol n, Slot y) = Twice();
        using IExecutable executable = devices.Gpu.Compile(plan);
        using IQueue queue = devices.Gpu.CreateQueue();
        using IBuffer full = devices.Gpu.Allocate(y.Tensor, MemoryKind.Activations);
        using IBuffer small = devices.Gpu.Allocate(new TensorSpec(DType.F32, 1, 3), MemoryKind.Activations);
        using IBuffer integers = devices.Gpu.Allocate(new TensorSpec(DType.I32, 4, 3), MemoryKind.Activations);
        using IBuffer foreign = devices.Reference.Allocate(x.Tensor, MemoryKind.Activations);
        IBuffer gone = devices.Gpu.Allocate(x.Tensor, MemoryKind.Activations);
        gone.Dispose();
        Assert.Throws<ArgumentException>(() => queue.Enqueue(executable, new Bindings(plan) { [y] = full, [n] = 4 }));
        foreach (IBuffer wrong in (ReadOnlySpan<IBuffer>)[small, integers, foreign])
        {
            ArgumentException e = Assert.Throws<ArgumentException>(() => queue.Enqueue(executable, new Bindings(plan) { [x] = wrong, [y] = full, [n] = 4 }));
            Assert.Contains("x: expected F32[n, 3]", e.Message, StringComparison.Ordinal);
        }

        Assert.Throws<ObjectDisposedException>(() => queue.Enqueue(executable, new Bindings(plan) { [x] = gone, [y] = full, [n] = 4 }));
        Assert.Throws<ArgumentException>(() => queue.Upload<float>(new float[4], small));
        Assert.Throws<ArgumentException>(() => queue.Download<float>(small, new float[4]));
        queue.Enqueue(executable, new Bindings(plan) { [x] = small, [y] = full, [n] = 1 });
        queue.Synchronize();
    }

    [Fact]
    public void A_store_cannot_be_compacted_into_itself()
    {
        PlanBuilder b = new();
        StoreSpec spec = new(1, 1, 4, DType.F32, 0);
        Slot store = b.Input("store", spec), counts = b.Input("counts", new TensorSpec(DType.I32, 1)), rows = b.Input("rows", new TensorSpec(DType.I32, 1));
        Slot next = b.Output(b.Compact(store, counts, rows, 0, 0));
        Plan plan = b.Build("compact");
        using IExecutable executable = devices.Gpu.Compile(plan);
        using IQueue queue = devices.Gpu.CreateQueue();
        using IStore held = devices.Gpu.Allocate(spec with { Rows = 2 });
        using IBuffer one = devices.Gpu.Allocate(counts.Tensor, MemoryKind.Activations);
        Bindings bindings = new(plan) { [store] = held, [next] = held, [counts] = one, [rows] = one };
        Assert.Throws<ArgumentException>(() => queue.Enqueue(executable, bindings));
    }

    [Fact]
    public void Supports_is_false_where_Compile_refuses()
    {
        PlanBuilder b = new();
        Slot q = b.Input("q", new TensorSpec(DType.F32, 1, 4096)), store = b.Input("store", new StoreSpec(1, 1, 4096, DType.F32, 0));
        Slot index = b.Input("index", new TensorSpec(DType.I32, 1));
        b.Output(b.Attend(q, store, index, index, 1));
        Plan plan = b.Build("wide");
        Assert.False(devices.Gpu.Supports(plan.Ops[0]));
        NotSupportedException e = Assert.Throws<NotSupportedException>(() => devices.Gpu.Compile(plan));
        Assert.Contains("Attend", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_is_not_there_is_named_in_one_sentence()
    {
        foreach (GpuKind kind in (ReadOnlySpan<GpuKind>)[GpuKind.Cuda, GpuKind.OpenCL])
        {
            int count = GpuDevices.List().Count(device => device.Kind == kind);
            string message = Assert.Throws<GpuUnavailableException>(() => GpuBackend.Create(kind, count)).Message;
            Assert.StartsWith(count == 0 ? $"No {kind} device: " : $"No {kind} device {count}: this machine has {count}", message, StringComparison.OrdinalIgnoreCase);
        }

        Assert.DoesNotContain(GpuDevices.List(), device => device.Name == "CPUAccelerator");
        GpuUnavailableException e = Assert.Throws<GpuUnavailableException>(() => GpuBackend.Create(GpuKind.Emulated, 1));
        Assert.Equal("No Emulated device 1: this machine has 1, numbered from 0.", e.Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => GpuBackend.Create(GpuKind.Cuda, -1));
        Assert.Equal("emulated:0", devices.Gpu.Name);
    }

    // y = 2 (x + x), through one intermediate slot.
    private static (Plan Plan, Slot X, Symbol N, Slot Y) Twice()
    {
        PlanBuilder b = new();
        Symbol n = b.Symbol("n", 4);
        Slot x = b.Input("x", new TensorSpec(DType.F32, n, 3));
        Slot sum = b.Add(x, x);
        Slot y = b.Output(b.Add(sum, sum));
        return (b.Build("twice"), x, n, y);
    }
}
