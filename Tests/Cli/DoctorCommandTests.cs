using System.Text.Json;
using KvIL.Backends;
using KvIL.Cli;
using KvIL.Cli.Commands;
using KvIL.Conformance;
using KvIL.Inference;
using KvIL.Plans;
using KvIL.Reference;
using KvIL.Tensors;
using KvIL.Tests.Engines;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary><c>kvil doctor</c>: what it says of a sound machine, and that no fault of a device passes it.</summary>
public sealed class DoctorCommandTests
{
    private static readonly Machine TwoDevices = new(
        new(3, ["AVX", "FMA"], 256, 512),
        [new("cpu", "3 threads", ".NET", 5L << 30), new("cuda:0", "A card", "CUDA 12.4, SM_90", 80L << 30)],
        ["No OpenCL device: none."],
        []);

    // A process of its own: the emulation of a GPU ends its process on a wrong index.
    [Fact]
    public void Everything_present_works_and_whatever_is_missing_has_its_sentence()
    {
        ToolRun run = Tool.Launch("doctor", "--json");
        Assert.Equal("", run.Error);
        JsonElement json = JsonDocument.Parse(run.Out).RootElement;
        Assert.All(json.GetProperty("devices").EnumerateArray(), device => Assert.True(device.GetProperty("ok").GetBoolean(), run.Out));
        Assert.Equal(App.Success, run.Code);
        Assert.True(json.GetProperty("ok").GetBoolean());
        Assert.Empty(json.GetProperty("broken").EnumerateArray());

        string[] names = [.. json.GetProperty("devices").EnumerateArray().Select(device => device.GetProperty("name").GetString()!)];
        string[] absent = [.. json.GetProperty("absent").EnumerateArray().Select(sentence => sentence.GetString()!)];
        Assert.Equal("cpu", names[0]);
        Assert.Equal(Environment.ProcessorCount, json.GetProperty("cpu").GetProperty("threads").GetInt32());
        if (json.GetProperty("gpu_backend").GetBoolean())
        {
            Assert.Contains("ilgpu-cpu", names);
            Assert.True(names.Contains("cuda:0") != absent.Any(sentence => sentence.StartsWith("No CUDA device: ", StringComparison.Ordinal)), run.Out);
            Assert.True(names.Contains("opencl:0") != absent.Any(sentence => sentence.StartsWith("No OpenCL device: ", StringComparison.Ordinal)), run.Out);
        }
        else
        {
            Assert.Equal(["cpu"], names);
            Assert.Contains("no GPU backend", Assert.Single(absent), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void The_text_has_the_devices_their_memory_and_what_is_missing()
    {
        (int code, string text) = Show(DoctorCommand.Diagnose(TwoDevices, _ => new ReferenceBackend(1), CancellationToken.None));
        Assert.Equal(App.Success, code);
        Assert.Contains("AVX, FMA: vectors of 256 bits, of 512 in its product", text, StringComparison.Ordinal);
        Assert.Matches(@"(?m)^  cpu +3 threads +\.NET +5\.00 GiB +\d+\.\d ms +\d+\.\d ms +ok\r?$", text);
        Assert.Matches(@"(?m)^  cuda:0 +A card +CUDA 12\.4, SM_90 +80\.0 GiB +\d+\.\d ms +\d+\.\d ms +ok\r?$", text);
        Assert.Contains("No OpenCL device: none.", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_does_not_open_is_named_and_the_others_are_checked()
    {
        Diagnosis diagnosis = DoctorCommand.Diagnose(
            TwoDevices, name => name == "cpu" ? new ReferenceBackend(1) : throw new RequestException("It is asleep."), CancellationToken.None);
        (int code, string text) = Show(diagnosis);
        Assert.Equal(App.Failure, code);
        Assert.Equal([true, false], diagnosis.Devices.Select(device => device.Ok));
        Assert.Contains("cuda:0: It is asleep.", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_driver_that_fails_is_a_failure()
    {
        Machine machine = TwoDevices with { Broken = ["Cuda devices could not be listed: out of order."] };
        (int code, string text) = Show(DoctorCommand.Diagnose(machine, _ => new ReferenceBackend(1), CancellationToken.None));
        Assert.Equal(App.Failure, code);
        Assert.Contains("could not be listed", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("tokens", -1, "score")]
    [InlineData("w", -1, "score")]
    [InlineData("total", 1, "rows of head")]
    [InlineData("sinks", 1, "rows of head")]
    public void A_wrong_number_in_the_decision_is_found(string symbol, int change, string difference) =>
        AssertFound(difference, new(new ReferenceBackend(1))
        {
            Before = (_, bindings) => TamperedBackend.Rebind(bindings, symbol, value => value + change),
        });

    [Theory]
    [InlineData("doctor-eviction", 0, "score")]
    [InlineData("doctor-product", 0, "product")]
    public void A_result_off_in_its_fourth_digit_is_found(string plan, int output, string difference) =>
        AssertFound(difference, new(new ReferenceBackend(1))
        {
            After = (queue, bindings) => EditOutput<float>(queue, bindings, plan, output, values => values[3] *= 1.0005f),
        });

    [Fact]
    public void A_row_that_goes_to_another_head_is_found() =>
        AssertFound("rows of head", new(new ReferenceBackend(1))
        {
            After = (queue, bindings) => EditOutput<int>(queue, bindings, "doctor-eviction", 1, rows => (rows[0], rows[1]) = (rows[0] + 1, rows[1] - 1)),
        });

    [Theory]
    [InlineData("cuda:7", "No C(uda|UDA) device|no GPU backend")]
    [InlineData("opencl:9", "No OpenCL device|no GPU backend")]
    public void A_device_that_this_machine_lacks_is_one_sentence(string device, string pattern) =>
        Tool.Refuses(App.Failure, pattern, "run", Tool.Model, "-p", "x", "--device", device);

    private static void EditOutput<T>(IQueue queue, Bindings bindings, string plan, int output, Action<T[]> change) where T : unmanaged
    {
        if (bindings.Plan.Name == plan)
        {
            IBuffer buffer = bindings.Buffers[bindings.Plan.Outputs[output].Id]!;
            TamperedBackend.Edit(queue, buffer, (int)((TensorSpec)buffer.Spec).Shape.MaxElements, change);
        }
    }

    private static void AssertFound(string difference, TamperedBackend backend)
    {
        using (backend)
        {
            Assert.StartsWith(difference, DeviceCheck.Run(backend).Difference ?? "", StringComparison.Ordinal);
        }
    }

    private static (int Code, string Text) Show(Diagnosis diagnosis)
    {
        using StringWriter output = new();
        int code = DoctorCommand.Show(new() { Out = output, Error = TextWriter.Null }, diagnosis, json: false);
        return (code, output.ToString());
    }
}
