using System.Collections.Immutable;
using KvIL.Backends;
using KvIL.Conformance;
using KvIL.Conformance.Laws;
using KvIL.Conformance.Oracle;
using KvIL.Conformance.Statements;
using KvIL.Conformance.Theorems;
using KvIL.Conformance.Theorems.Sharing;
using KvIL.Conformance.Theory;
using KvIL.Inference;

namespace KvIL.Cli.Verification;

/// <summary>Runs laws and theorems on the cases of consecutive seeds.</summary>
/// <param name="open">Makes the backend of a device.</param>
/// <param name="seed">Seed of the first case.</param>
/// <param name="cancelled">Ends it.</param>
internal sealed class Verifier(Func<string, IBackend> open, int seed, CancellationToken cancelled)
{
    private const int CatalogueCasesOneIn = 50;

    /// <summary>The laws of the backends.</summary>
    public IReadOnlyList<Law> Laws { get; init; } = LawCatalogue.All;

    /// <summary>The theorems: any list of statements does. Laws of the catalogues get fewer cases, because there are many of them.</summary>
    public ImmutableArray<IStatement> Theorems { get; init; } =
    [
        .. AdaTheorems.All,
        .. EvictionLaws.All.Select(law => new EvictionLawOn(law, new EvictionMath()) { OneIn = CatalogueCasesOneIn }),
        .. SharingLaws.All.Select(law => new SharingLawOn(law, new SharingMath(), CatalogueCasesOneIn)),
    ];

    /// <summary>Every law on one device.</summary>
    public DeviceLaws RunLaws(string device, int cases, Action<double> progress)
    {
        List<StatementResult> results = [];
        try
        {
            using IBackend subject = open(device);
            using OracleBackend oracle = new();
            using LawContext context = new(subject, oracle);
            foreach (Law law in Laws)
            {
                results.Add(new LawOn(law, context).Run(seed, cases, cancelled));
                progress((double)results.Count / Laws.Count);
            }

            return new(device, null, results);
        }
        catch (Exception e) when (e is RequestException or DeviceFaultException or InsufficientDeviceMemoryException)
        {
            return new(device, e.Message, results);
        }
    }

    /// <summary>Every theorem.</summary>
    public IReadOnlyList<StatementResult> RunTheorems(int cases, Action<double> progress)
    {
        List<StatementResult> results = [];
        foreach (IStatement theorem in Theorems)
        {
            results.Add(theorem.Run(seed, cases, cancelled));
            progress((double)results.Count / Theorems.Length);
        }

        return results;
    }

    /// <summary>What no theorem says: how often Ada's split is better.</summary>
    public AdaAgainstUniform Compare(int cases) => AdaAgainstUniform.Measure(seed, cases, cancelled);
}
