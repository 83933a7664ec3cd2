using System.CommandLine;
using KvIL.Backends;
using KvIL.Conformance;
using KvIL.Inference;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil doctor</c>: the devices of this machine, each one checked by a small computation.</summary>
internal static class DoctorCommand
{
    public static Command Create(CommandContext context)
    {
        Option<bool> json = CommonOptions.Json("Prints one JSON object in place of the text.");
        Command command = new("doctor", "Shows the devices of this machine and checks what each one computes.") { json };
        command.SetAction(parse =>
        {
            Diagnosis diagnosis = context.Terminal.Spin("checking", () => Diagnose(Machine.Examine(), context.Cancelled));
            return Show(context.Terminal, diagnosis, parse.GetValue(json));
        });
        return command;
    }

    /// <summary>Prints a diagnosis.</summary>
    /// <returns>The exit code.</returns>
    public static int Show(Terminal terminal, Diagnosis diagnosis, bool json)
    {
        if (json)
        {
            Json.Write(terminal, diagnosis);
        }
        else
        {
            DiagnosisText.Write(terminal, diagnosis);
        }

        return diagnosis.Ok ? App.Success : App.Failure;
    }

    /// <summary>Checks every device of a machine.</summary>
    public static Diagnosis Diagnose(Machine machine, CancellationToken cancelled) =>
        Diagnose(machine, name => Device.Parse(name).CreateBackend(), cancelled);

    /// <summary>Checks every device of a machine on backends made by <paramref name="open"/>.</summary>
    public static Diagnosis Diagnose(Machine machine, Func<string, IBackend> open, CancellationToken cancelled)
    {
        List<DeviceDiagnosis> devices = [];
        foreach (DeviceInfo device in machine.Devices)
        {
            cancelled.ThrowIfCancellationRequested();
            devices.Add(Check(device, open));
        }

        bool ok = machine.Broken.Count == 0 && devices.TrueForAll(device => device.Ok);
        return new(ok, machine.Cpu, devices, machine.Absent, machine.Broken, Machine.BuiltWithGpu);
    }

    private static DeviceDiagnosis Check(DeviceInfo device, Func<string, IBackend> open)
    {
        try
        {
            using IBackend backend = open(device.Name);
            DeviceCheckResult result = DeviceCheck.Run(backend);
            return DeviceDiagnosis.Of(device, result.Difference, result.CompileTime.TotalSeconds, result.RunTime.TotalSeconds);
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            // A driver may throw anything; the other devices are checked all the same.
            string problem = e is RequestException or DeviceFaultException or InsufficientDeviceMemoryException
                ? e.Message
                : $"{e.GetType().Name}: {e.Message}";
            return DeviceDiagnosis.Of(device, problem, null, null);
        }
    }
}

/// <summary>What <c>kvil doctor --json</c> prints.</summary>
/// <param name="Ok">Whether everything present works.</param>
/// <param name="Cpu">The processor.</param>
/// <param name="Devices">Every device.</param>
/// <param name="Absent">Why there is no GPU of a kind.</param>
/// <param name="Broken">Drivers that failed before they named a device.</param>
/// <param name="GpuBackend">Whether the build has one.</param>
internal sealed record Diagnosis(
    bool Ok, CpuInfo Cpu, IReadOnlyList<DeviceDiagnosis> Devices, IReadOnlyList<string> Absent, IReadOnlyList<string> Broken, bool GpuBackend);

/// <summary>One device, and how its check went; times are null when it did not come to an end.</summary>
internal sealed record DeviceDiagnosis(
    string Name, string Hardware, string Driver, long? MemoryBytes, bool Ok, string? Problem, double? CompileSeconds, double? RunSeconds)
{
    public static DeviceDiagnosis Of(DeviceInfo device, string? problem, double? compile, double? run) =>
        new(device.Name, device.Hardware, device.Driver, device.MemoryBytes, problem is null, problem, compile, run);
}
