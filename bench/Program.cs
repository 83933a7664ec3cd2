using System.Globalization;
using KvIL.Bench;
using KvIL.Inference.Files.Synthesis;
using KvIL.Tensors;

CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
const string Usage = """
    usage: bench cpu [THREADS] [--types f32,f16,q8_0,q4_0,q4_1] [--shape smollm2-135m] [--layers N] [--no-eviction]
             first numbers of the CPU engine, as shares of what the machine can do
           bench evict [THREADS]
             the Ada-SnapKV step of one layer beside its matrix product alone
    """;
string[] types = ["f32", "f16", "q8_0", "q4_0", "q4_1"];
string shape = "smollm2-135m";
int? layers = null;
bool eviction = true;
int threads = Math.Min(2, Environment.ProcessorCount);
if (args is ["evict", ..] && (args.Length == 1 || (args.Length == 2 && int.TryParse(args[1], out threads) && threads > 0)))
{
    EvictionBench.Run(threads);
    return 0;
}

if (args.FirstOrDefault() != "cpu")
{
    Console.Error.WriteLine(Usage);
    return 2;
}

for (int i = 1; i < args.Length; i++)
{
    switch (args[i])
    {
        case "--types" when i + 1 < args.Length: types = args[++i].Split(','); break;
        case "--shape" when i + 1 < args.Length: shape = args[++i]; break;
        case "--layers" when i + 1 < args.Length && int.TryParse(args[i + 1], out int n): (layers, i) = (n, i + 1); break;
        case "--no-eviction": eviction = false; break;
        case { } number when int.TryParse(number, out threads) && threads > 0: break;
        default:
            Console.Error.WriteLine(Usage);
            return 2;
    }
}

DType[] parsed = [.. types.Select(type => Enum.Parse<DType>(type, ignoreCase: true))];
SyntheticShape sizes = SyntheticShape.Find(shape) ?? throw new ArgumentException($"There is no shape {shape}.");
return CpuBench.Run(threads, sizes, layers, parsed, eviction);
