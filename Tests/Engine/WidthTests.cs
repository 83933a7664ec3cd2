using System.Numerics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using System.Security.Cryptography;
using KvIL.Conformance;
using KvIL.Conformance.Laws;
using KvIL.Eviction.Scores;
using KvIL.Plans;
using KvIL.Reference;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Engines;

/// <summary>Given the same queries and keys, scores and what they decide have the same bits at every vector width; so have products of weights of any type.</summary>
public sealed class WidthTests
{
    [Theory]
    [InlineData("DOTNET_EnableAVX512", 0)]
    [InlineData("DOTNET_EnableAVX2", 1)]
    [InlineData("DOTNET_EnableHWIntrinsic", 2)]
    public void Scores_have_the_same_bits(string off, int firstOff)
    {
        string[] here = WidthChild.Lines(), there = Child.Start("widths", (off, "0"));

        // Widths are 512, AVX2 and 128: the switch turns off its own and everything above, and leaves what is below.
        bool[] Flags(string[] lines) => [.. lines[0].Split(' ').Select(bool.Parse)];
        Assert.Equal(Flags(here).Select((on, i) => on && i > firstOff), Flags(there));
        Assert.Equal(here.Skip(2), there.Skip(2));
        Assert.InRange(here.Length, 50, int.MaxValue);
    }

    /// <summary>The sum that a portable vector gives changes with the width: what the law would see if the scores were summed so.</summary>
    [Fact]
    public void Mutant_a_sum_in_the_machines_own_width()
    {
        string[] widest = Child.Start("widths"), without = Child.Start("widths", ("DOTNET_EnableAVX2", "0"));
        if (Avx2.IsSupported) Assert.NotEqual(widest[1], without[1]);
        else Assert.Equal(widest[1], without[1]); // no second width on this machine
    }
}

/// <summary>Scores, shares and rows of seeded cases, as bits.</summary>
internal static class WidthChild
{
    private const int Cases = 40;
    private const int RuleCases = 12;
    private const int WideCases = 8; // whole panels of queries, several blocks of rows

    public static void Print()
    {
        foreach (string line in Lines()) Console.WriteLine(line);
    }

    /// <summary>The widths of this process, a sum that depends on them, and for each case a hash and its bits.</summary>
    public static string[] Lines() =>
    [
        $"{Vector512.IsHardwareAccelerated} {Avx2.IsSupported} {Vector128.IsHardwareAccelerated}",
        $"{BitConverter.SingleToInt32Bits(SumInWidth())}",
        .. Enumerable.Range(0, Cases).Select(seed => Line(Conformance.Generators.EvictionCase.Generate(new Random(seed)))),
        .. Enumerable.Range(0, WideCases).Select(seed => Line(WideCase.Generate(new Random(seed)).Rows)),
        .. Enum.GetValues<DType>().Where(type => type != DType.I32).Select(Line),
        .. Enumerable.Range(0, RuleCases).SelectMany(seed => Lines(Conformance.Generators.ScoreCase.Generate(new Random(seed)))),
    ];

    // Every published score, the norms that a user's own may see, and CAKE's preference.
    private static IEnumerable<string> Lines(Conformance.Generators.ScoreCase c)
    {
        using ReferenceBackend backend = new(1);
        using PlanRunner runner = new(backend);
        ScoreRule norms = new HostScore(new SightScorer(Sight.ProjectedNorms));
        foreach (ScoreRule rule in (ScoreRule[])[.. c.Rules, norms])
        {
            (Scenario s, Slot y) = c.Plan(rule);
            yield return $"{rule.GetType().Name} {Bits(runner.Run(s), y)}";
        }

        Scenario preference = new("preference");
        Slot preferred = preference.Output(preference.Builder.LayerPreference(
            preference.Input("queries", c.Store.QueryWindow()), preference.Input("store", c.Store.Store()), c.Sequence, preference.Bind("tokens", c.Tokens),
            preference.Bind("at-hand", c.Queries, c.Store.Window), c.Store.Rule));
        yield return $"preference {Bits(runner.Run(preference), preferred)}";
    }

    private static string Bits(PlanResults results, Slot slot) =>
        Convert.ToHexString(MemoryMarshal.AsBytes<float>([.. results.Reals(slot).Select(v => (float)v)]));

    // One row and nine against a weight: a product in registers, and a tile.
    private static string Line(DType type)
    {
        int width = 3 * Math.Max(32, type.BlockElements()), outputs = 9;
        HostTensor weight = type.IsQuantized()
            ? Conformance.Generators.QuantizedCase.Weight(type, seed: 5, stream: 1, outputs, width)
            : HostTensor.Weight(type, Conformance.Generators.Draw.Values(5, 1, outputs * width, Conformance.Generators.ValueKind.Normal), outputs, width);
        using ReferenceBackend backend = new(1);
        using PlanRunner runner = new(backend);
        List<double> values = [];
        foreach (int n in (ReadOnlySpan<int>)[1, 9])
        {
            Scenario s = new("product");
            HostTensor x = HostTensor.F32(Conformance.Generators.Draw.Values(5, 2, n * width, Conformance.Generators.ValueKind.Normal), n, width);
            Slot y = s.Output(s.Builder.Linear(s.Input("x", x), s.Input("weight", weight)));
            values.AddRange(runner.Run(s).Reals(y));
        }

        return $"{type} {Convert.ToHexString(MemoryMarshal.AsBytes<float>([.. values.Select(v => (float)v)]))}";
    }

    private static string Line(Conformance.Generators.EvictionCase c)
    {
        using ReferenceBackend backend = new(1);
        using PlanRunner runner = new(backend);
        Scenario s = new("widths");
        PlanBuilder b = s.Builder;
        HostStore held = c.Store.Store();
        Slot store = s.Input("store", held);
        Dim sequence = s.Bind("sequence", c.Sequence), length = s.Bind("len", c.Columns);
        Dim sinks = s.Bind("sinks", c.Sinks), window = s.Bind("window", c.Window), total = s.Bind("total", c.Kept);
        Slot attention = s.Output(b.WindowScores(
            s.Input("queries", c.Store.QueryWindow()), store, sequence, s.Bind("tokens", c.Seen), s.Bind("w", c.Window, c.Window), length, c.Store.Rule));
        Slot scores = s.Output(b.Pool(b.GroupMean(attention, c.Store.KvHeads), store, sequence, window, c.Pool, c.Kernel));
        Slot counts = s.Output(b.AllocateHeads(scores, store, sequence, total, sinks, window, c.Rule, c.Share));
        Slot rows = s.Output(b.SelectRows(scores, counts, store, sequence, total, sinks, window));
        PlanResults results = runner.Run(s);
        byte[] bits =
        [
            .. new[] { attention, scores }.SelectMany(slot => MemoryMarshal.AsBytes<float>([.. results.Reals(slot).Select(x => (float)x)]).ToArray()),
            .. new[] { counts, rows }.SelectMany(slot => MemoryMarshal.AsBytes<int>(results.Integers(slot)).ToArray()),
        ];
        return $"{Convert.ToHexString(SHA256.HashData(bits))} {Convert.ToHexString(bits)}";
    }

    private static float SumInWidth()
    {
        Vector<float> sum = default;
        for (int i = 0; i + Vector<float>.Count <= 1024; i += Vector<float>.Count)
        {
            float[] part = [.. Enumerable.Range(i, Vector<float>.Count).Select(k => 1 / (1f + k))];
            sum += new Vector<float>(part);
        }

        return Vector.Sum(sum);
    }
}
