using KvIL.Conformance;
using KvIL.Conformance.Generators;
using KvIL.Conformance.Laws;
using KvIL.Conformance.Oracle;
using KvIL.Plans;
using KvIL.Reference;
using KvIL.Tensors;
using KvIL.Tests.Laws;
using Xunit;
using Held = KvIL.Conformance.Generators.EvictionCase;

namespace KvIL.Tests.Engines;

/// <summary>Window scores of whole panels of queries over many blocks of rows: what models have and the small cases of the laws do not.</summary>
public sealed class WindowSweepTests
{
    private static readonly Law<WideCase> s_agrees = new("WindowScores_agrees_with_the_oracle", "WindowScoresOp", (laws, c) => WindowScoresLaws.Agrees.Holds(laws, c.Rows));

    [Fact]
    public void Wide_scores_agree_with_the_oracle()
    {
        using ReferenceBackend subject = new(2);
        using OracleBackend oracle = new();
        using LawContext context = new(subject, oracle);
        BackendLawTests.ForAll(s_agrees, context, 40);
    }

    [Fact]
    public void Threads_change_no_bit_of_wide_scores() => Assert.All(Enumerable.Range(0, 12), seed =>
    {
        Held c = WideCase.Generate(new Random(seed)).Rows;
        double[] expected = Scores(c, 1);
        Assert.All((int[])[2, 3, 5], threads => Assert.Equal(expected, Scores(c, threads)));
    });

    /// <summary>A NaN key that a query sees leaves its heads without numbers; one beyond the model's window, in a block of its own, is never looked at.</summary>
    [Theory]
    [InlineData(null, double.NaN)]
    [InlineData(50, 0)]
    public void A_NaN_key_counts_where_it_is_seen(int? sees, double expected)
    {
        StoreCase store = new(1, 1, 2, 8, 300, false, DType.F32, 1, 32, ValueKind.Normal, 1) { Sees = sees };
        double[] scores = Scores(WideCase.Of(store).Rows, 1, held => held.Keys[held.Starts[0] * 8] = double.NaN);
        Assert.Equal(expected, scores[0]);
        Assert.Equal(sees is null, double.IsNaN(scores[299]));
    }

    private static double[] Scores(Held c, int threads, Action<HostStore>? change = null)
    {
        using ReferenceBackend backend = new(threads);
        using PlanRunner runner = new(backend);
        HostStore store = c.Store.Store();
        change?.Invoke(store);
        Scenario s = new("window-sweep");
        Slot y = s.Output(s.Builder.WindowScores(
            s.Input("window", c.Store.QueryWindow()),
            s.Input("store", store),
            s.Bind("sequence", c.Sequence),
            s.Bind("tokens", c.Seen),
            s.Bind("queries", c.Store.Window, max: c.Store.Window),
            s.Bind("len", c.Columns),
            c.Store.Rule));
        return runner.Run(s).Reals(y);
    }
}

/// <summary>A store with the window and the rows of a model's.</summary>
internal sealed record WideCase(Held Rows) : ICase<WideCase>
{
    public static WideCase Generate(Random random)
    {
        Held small = Held.Generate(random);
        int window = random.Of(16, 31, 32, 32, 33, 64, 70);
        return new(small with
        {
            Sequence = 0,
            Store = small.Store with
            {
                Sequences = 1,
                Group = random.Of(1, 4, 5),
                HeadDim = random.Of(8, 20),
                Length = window + random.Of(0, 1, 31, 95, 96, 200, 259),
                Window = window,
                Seed = (random.Next(1 << 20) * window) + random.Of(0, window - 1), // the law takes Seed mod window, and one more, of the queries
                Sees = random.Of<int?>(null, null, 1, 40, 100, 150),
                Cap = random.Of<float?>(null, null, 4),
            },
        });
    }

    public static WideCase Of(StoreCase store) =>
        new(new Held(store, 0, 0, 50, KvIL.Eviction.HeadAllocation.Uniform, 0, ValueKind.Normal, KvIL.Eviction.PoolKind.Max, 1, 0, 0));

    public IEnumerable<WideCase> Shrink() => Rows.Shrink().Select(smaller => new WideCase(smaller));
}
