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
           bench sharing [THREADS] [--context 2048] [--prompt 128] [--steps 1] [--kv-layers 11,6,3] [--gib 4] [--type q8_0] [--only CONFIGURATION,...]
             bytes, largest batch, decoding and prefill of the nine configurations of cross-layer sharing
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

if (args is ["sharing", ..])
{
    return RunSharing(args[1..]) ? 0 : Refuse();
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

static int Refuse()
{
    Console.Error.WriteLine(Usage);
    return 2;
}

static bool RunSharing(string[] args)
{
    int threads = Math.Min(2, Environment.ProcessorCount), context = 2048, prompt = 128, steps = 1;
    double gib = 4;
    int[] kvLayers = [11, 6, 3];
    DType type = DType.Q8_0;
    string[] only = [];
    for (int i = 0; i < args.Length; i++)
    {
        string value = i + 1 < args.Length ? args[i + 1] : "";
        bool known = args[i] switch
        {
            "--context" => int.TryParse(value, out context) && context > steps + 1,
            "--prompt" => int.TryParse(value, out prompt) && prompt > 0,
            "--steps" => int.TryParse(value, out steps) && steps > 0,
            "--gib" => double.TryParse(value, out gib) && gib > 0,
            "--only" => (only = value.Split(',')).Length > 0,
            "--type" => Enum.TryParse(value, ignoreCase: true, out type),
            "--kv-layers" => value.Split(',').All(n => int.TryParse(n, out int layers) && layers > 0) && (kvLayers = [.. value.Split(',').Select(int.Parse)]).Length > 0,
            _ => i == 0 && int.TryParse(args[0], out threads) && threads > 0,
        };
        if (!known) return false;
        i += args[i].StartsWith("--", StringComparison.Ordinal) ? 1 : 0;
    }

    SharingBench.Run(threads, context, prompt, steps, (long)(gib * (1L << 30)), kvLayers, type, only);
    return true;
}
