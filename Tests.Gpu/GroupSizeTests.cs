using ILGPU;
using ILGPU.Runtime.CPU;
using KvIL.Gpu;
using KvIL.Gpu.Devices;
using KvIL.Plans;
using KvIL.Tensors;
using KvIL.Tests.Gpu.Support;
using Xunit;

namespace KvIL.Tests.Gpu;

/// <summary>Sums run over virtual lanes, so a device with other groups gives the same bits; and no thread relies on another being behind it.</summary>
public sealed class GroupSizeTests
{
    [Fact]
    public void Results_have_the_same_bits_at_any_group_size()
    {
        Random random = new(11);
        HostStore store = HostStore.Random(random, DType.F32, 1, 1, 20, [37], slack: 0);
        PlanBuilder b = new();
        Slot window = b.Input("window", new TensorSpec(DType.F32, 1, 2, 40)), storeSlot = b.Input("store", store.Spec with { Rows = 0 });
        Slot q = b.Input("q", new TensorSpec(DType.F32, 1, 40)), weight = b.Input("weight", new TensorSpec(DType.F32, 40));
        Slot matrix = b.Input("matrix", new TensorSpec(DType.F32, 3, 40)), zero = b.Input("zero", new TensorSpec(DType.I32, 1));
        Slot position = b.Input("position", new TensorSpec(DType.I32, 1));
        Slot scores = b.Output(b.WindowScores(window, storeSlot, 0, store.Tokens(0), 37, 0.2f));
        Slot attention = b.Output(b.Attend(q, storeSlot, position, zero, 0.2f));
        Slot normed = b.Output(b.RmsNorm(q, weight, 1e-6f));
        Slot product = b.Output(b.Linear(q, matrix));
        Plan plan = b.Build("reductions");
        Given given = new()
        {
            Inputs =
            {
                [window] = Draw.Normals(random, 80),
                [storeSlot] = store,
                [q] = Draw.Normals(random, 40),
                [weight] = Draw.Normals(random, 40),
                [matrix] = Draw.Normals(random, 120),
                [zero] = new int[1],
                [position] = new[] { store.Tokens(0) },
            },
        };

        Results[] results = [.. new[] { 2, 4, 8 }.Select(threads =>
        {
            using GpuBackend backend = Emulated(threads);
            return PlanRun.On(backend, plan, given);
        })];
        foreach (Slot slot in (ReadOnlySpan<Slot>)[scores, attention, normed, product])
        {
            Assert.Contains(results[0].Floats(slot), x => x != 0);
            Assert.All(results[1..], other => Assert.Equal(Bits(results[0].Floats(slot)), Bits(other.Floats(slot))));
        }
    }

    private static int[] Bits(float[] values) => Array.ConvertAll(values, BitConverter.SingleToInt32Bits);

    private static GpuBackend Emulated(int threads)
    {
        Context context = Context.Create(builder => builder.Profiling().CPU(new CPUDevice(threads, 1, 1)));
        return new(new IlgpuDevice(context, context.GetCPUDevice(0).CreateAccelerator(context), $"emulated with {threads} threads"));
    }
}
