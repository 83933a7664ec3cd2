using KvIL.Conformance.Laws;
using KvIL.Conformance.Oracle;
using KvIL.Ops;
using KvIL.Tests.Quantization;

namespace KvIL.Tests.Laws;

/// <summary>Backends that read quantised weights wrongly.</summary>
internal static partial class Mutants
{
    private static IEnumerable<Mutant> Quantized => DequantizationMutants.All.SelectMany<DequantizationMutant, Mutant>(mutant =>
    [
        new($"Linear: {mutant.Name}", typeof(LinearOp), QuantizedLaws.LinearAgrees, OracleOps.Execute, mutant.Dequantize),
        new($"Embed: {mutant.Name}", typeof(EmbedOp), QuantizedLaws.EmbedIsExact, OracleOps.Execute, mutant.Dequantize),
    ]);
}
