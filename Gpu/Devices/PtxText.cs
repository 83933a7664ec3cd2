using System.Text.RegularExpressions;

namespace KvIL.Gpu.Devices;

/// <summary>What is changed in the PTX that ILGPU writes, before a driver or a file gets it.</summary>
internal static partial class PtxText
{
    /// <summary>The text that is loaded.</summary>
    /// <remarks>
    /// <c>bra.uni</c> on a condition keeps ptxas from unrolling; without the hint the branch means the same. <c>add</c>,
    /// <c>sub</c> and <c>mul</c> of floats get their rounding written out, because only then is a product and a sum never
    /// contracted to a fused multiply-add: scores decide what is kept, and must not depend on a compiler.
    /// Value ids count up over everything that a process compiled; numbered by first appearance the text depends on the
    /// kernel alone, and a driver's cache finds it.
    /// </remarks>
    public static string Patch(string ptx)
    {
        ptx = UniformBranch().Replace(ptx, "$1");
        ptx = FloatArithmetic().Replace(ptx, "$1.rn.$2");
        Dictionary<string, string> numbers = [];
        return ValueId().Replace(ptx, m =>
        {
            if (!numbers.TryGetValue(m.Value, out string? number))
            {
                numbers.Add(m.Value, number = numbers.Count.ToString(System.Globalization.CultureInfo.InvariantCulture));
            }

            return number;
        });
    }

    [GeneratedRegex(@"(@!?%p\d+ bra)\.uni")]
    private static partial Regex UniformBranch();

    [GeneratedRegex(@"\b(add|sub|mul)\.(f32|f64)\b")]
    private static partial Regex FloatArithmetic();

    [GeneratedRegex(@"(?<=_)(?<!sm_)\d+\b")]
    private static partial Regex ValueId();
}
