using System.Runtime.InteropServices;
using KvIL.Backends;
using KvIL.Conformance;
using KvIL.Conformance.Oracle;
using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Laws;

/// <summary>What no comparison with another backend can show about the oracle.</summary>
public sealed class OracleBackendTests : IDisposable
{
    private readonly OracleBackend _oracle = new();
    private readonly PlanRunner _runner;

    public OracleBackendTests() => _runner = new(_oracle);

    public void Dispose()
    {
        _runner.Dispose();
        _oracle.Dispose();
    }

    [Theory]
    [InlineData(HeadAllocation.Uniform, 0, new[] { 2, 2, 2 })]
    [InlineData(HeadAllocation.Pure, 0, new[] { 4, 1, 1 })]
    [InlineData(HeadAllocation.Blend, 20, new[] { 4, 1, 1 })] // quotas 3.6, 1.2, 1.2
    [InlineData(HeadAllocation.Blend, 50, new[] { 3, 2, 1 })] // quotas 3, 1.5, 1.5: the tie goes to the lower head
    [InlineData(HeadAllocation.Blend, 100, new[] { 2, 2, 2 })]
    [InlineData(HeadAllocation.Floor, 50, new[] { 4, 1, 1 })]
    public void Allocation_of_figure_1_of_the_AdaKV_paper(HeadAllocation rule, int share, int[] expected)
    {
        double[] attention = [.32, .01, .18, .08, .22, .19, .89, .01, .05, .02, .01, .02, .68, .01, .08, .04, .09, .10];
        Assert.Equal(expected, Allocate(attention, [6, 6, 6], 6, rule, share));
    }

    [Theory]
    [InlineData(HeadAllocation.Uniform, 0, new[] { 1, 4, 3 })] // dealt in rounds: the first head is full after one
    [InlineData(HeadAllocation.Blend, 50, new[] { 0, 6, 2 })] // ideal shares 1, 3.5, 3.5; quotas 0.5, 5.75, 1.75
    [InlineData(HeadAllocation.Floor, 50, new[] { 0, 7, 1 })] // reserves ⌊0.5⌋, ⌊1.75⌋, ⌊1.75⌋
    public void Allocation_over_heads_of_different_lengths(HeadAllocation rule, int share, int[] expected)
    {
        double[] scores = [.. Enumerable.Repeat(1.0, 9), .. Enumerable.Repeat(3.0, 9), .. Enumerable.Repeat(2.0, 9)];
        Assert.Equal(expected, Allocate(scores, [1, 9, 9], 8, rule, share));
    }

    [Fact]
    public void Bytes_are_those_of_the_specs_and_come_back()
    {
        StoreSpec spec = new(1, 2, 8, DType.F16, 10);
        using (_oracle.Allocate(spec))
        using (_oracle.Allocate(new TensorSpec(DType.F32, 3, 5), MemoryKind.Activations))
        {
            Assert.Equal((10 * ((2 * 8 * 2) + 4)) + (2 * 16), _oracle.Memory.Current(MemoryKind.Cache));
            Assert.Equal(60, _oracle.Memory.Current(MemoryKind.Activations));
        }

        Assert.Equal(0, _oracle.Memory.Current(MemoryKind.Cache));
        Assert.Equal(0, _oracle.Memory.Current(MemoryKind.Activations));
        Assert.Equal(60, _oracle.Memory.Peak(MemoryKind.Activations));
    }

    [Fact]
    public void Half_rows_are_rounded_on_upload_and_float_tensors_are_not()
    {
        double third = 1.0 / 3;
        using IStore store = _oracle.Allocate(new StoreSpec(1, 1, 1, DType.F16, 1));
        using IBuffer tensor = _oracle.Allocate(new TensorSpec(DType.F32, 1), MemoryKind.Activations);
        Assert.Equal((double)(Half)third, RoundTrip(store.Keys, third));
        Assert.Equal(third, RoundTrip(tensor, third));
    }

    [Fact]
    public void Starts_are_64_bit_low_word_first()
    {
        using IStore store = _oracle.Allocate(new StoreSpec(1, 1, 1, DType.F32, 1));
        using IQueue queue = _oracle.CreateQueue();
        int[] words = new int[2];
        queue.Upload<long>([(7L << 32) + 5], store.Starts);
        queue.Download<int>(store.Starts, words);
        Assert.Equal([5, 7], words);
    }

    [Fact]
    public void A_weight_shorter_than_its_tensor_is_refused()
    {
        byte[] bytes = GC.AllocateArray<byte>(7, pinned: true);
        HostMemory memory = new(Marshal.UnsafeAddrOfPinnedArrayElement(bytes, 0), bytes.Length, bytes);
        Assert.Throws<ArgumentException>(() => _oracle.Import(new TensorSpec(DType.F16, 4), memory));
    }

    [Fact]
    public void An_index_outside_its_table_is_a_device_fault_at_the_next_synchronize()
    {
        Scenario s = new("outside");
        Slot table = s.Input("table", HostTensor.Weight(DType.F32, [1, 2], 2, 1));
        s.Output(s.Builder.Embed(table, s.Input("tokens", HostTensor.I32(1_000_000))));
        Assert.Throws<DeviceFaultException>(() => _runner.Run(s));
    }

    [Fact]
    public void A_plan_with_an_unbound_or_small_buffer_is_refused_at_enqueue()
    {
        PlanBuilder b = new();
        Symbol n = b.Symbol("n", 4);
        Slot x = b.Input("x", new TensorSpec(DType.F32, n, 2));
        Slot y = b.Output(b.Add(x, x));
        Plan plan = b.Build("add");
        using IBuffer small = _oracle.Allocate(new TensorSpec(DType.F32, 2, 2), MemoryKind.Activations);
        using IQueue queue = _oracle.CreateQueue();
        Bindings bindings = new(plan) { [x] = small, [n] = 2 };
        Assert.Throws<ArgumentException>(() => queue.Enqueue(_oracle.Compile(plan), bindings));
        bindings[y] = small;
        queue.Enqueue(_oracle.Compile(plan), bindings);
        bindings[n] = 3;
        Assert.Throws<ArgumentException>(() => queue.Enqueue(_oracle.Compile(plan), bindings));
    }

    private double RoundTrip(IBuffer buffer, double value)
    {
        using IQueue queue = _oracle.CreateQueue();
        double[] result = new double[1];
        queue.Upload<double>([value], buffer);
        queue.Download<double>(buffer, result);
        return result[0];
    }

    private int[] Allocate(double[] scores, int[] lengths, int total, HeadAllocation rule, int share)
    {
        int heads = lengths.Length;
        HostStore store = HostStore.Unwritten(new StoreSpec(1, heads, 1, DType.F32, 0), 1) with { Lengths = lengths };
        Scenario s = new("allocate");
        Slot counts = s.Output(s.Builder.AllocateHeads(
            s.Input("scores", HostTensor.F32(scores, heads, scores.Length / heads)), s.Input("store", store),
            sequence: 0, total, sinks: 0, window: 0, rule, new Ratio(share, 100)));
        return _runner.Run(s).Integers(counts);
    }
}
