using System.Globalization;
using KvIL.Bench;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
int threads = args.Length > 1 ? int.Parse(args[1]) : Math.Min(2, Environment.ProcessorCount);
switch (args.FirstOrDefault())
{
    case "cpu":
        return CpuBench.Run(threads);
    default:
        Console.Error.WriteLine("usage: bench cpu [THREADS]   first numbers of the CPU engine, as shares of what the machine can do");
        return 2;
}
