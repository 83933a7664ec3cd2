using KvIL.Conformance.Generators;
using KvIL.Conformance.Oracle;
using KvIL.Conformance.Theory;
using KvIL.Conformance.Theory.Scores;
using KvIL.Eviction;
using KvIL.Eviction.Scores;
using LeverageRule = KvIL.Eviction.Scores.LeverageScore;

namespace KvIL.Conformance.Laws;

/// <summary>What the error bounds of scores need to know about a case.</summary>
internal sealed class ScoreTerms
{
    private readonly HostStore _store;
    private readonly double[] _spreads;

    public ScoreTerms(ScoreCase c)
    {
        (Case, _store) = (c, c.Store.Store());
        HostTensor ring = c.Store.QueryWindow();
        (int d, int heads) = (c.Store.HeadDim, c.Store.QueryHeads);
        double[,,] queries = new double[heads, c.Queries, d];
        double largest = 0;
        _spreads = new double[heads];
        for (int x = 0; x < heads * c.Queries; x++)
        {
            (int i, int t) = (x / c.Queries, x % c.Queries);
            int slot = (c.Sequence * c.Store.Window) + ((c.Tokens - c.Queries + t) % c.Store.Window), run = _store.Run(c.Sequence, i / c.Store.Group);
            ReadOnlySpan<double> q = ring.Reals.AsSpan(((slot * heads) + i) * d, d);
            for (int k = 0; k < d; k++) queries[i, t, k] = q[k];
            _spreads[i] = Math.Max(_spreads[i], AttentionTerms.Spread(_store, run, q, c.Store.Rule));
            for (int j = 0; j < _store.Lengths[run]; j++) largest = Math.Max(largest, Length(q) * Length(_store.Key(run, j)));
        }

        RealSpread = 2 * Tolerance.Real(d + 8) * (1 + largest);
        Layer = new(
            [.. Enumerable.Range(0, c.Store.KvHeads).Select(h => Head(_store.Run(c.Sequence, h)))], queries, c.Tokens, c.Sinks, c.Window, c.Store.Rule, c.Rotary);
    }

    public ScoreCase Case { get; }

    /// <summary>The rows and queries as definitions take them.</summary>
    public LayerRows Layer { get; }

    /// <summary>λ of attention in double.</summary>
    public double RealSpread { get; }

    /// <summary>λ of the group of each KV head.</summary>
    public double[] Spreads => EachHead(h => _spreads.AsSpan(h * Case.Store.Group, Case.Store.Group).ToArray().Max());

    /// <summary>The same for products that are neither scaled, capped nor masked.</summary>
    private double PlainSpread(int kvHead)
    {
        double[][] keys = Keys(kvHead);
        double largest = Queries(kvHead).SelectMany(q => keys.Select(k => q.Zip(k, (a, b) => Math.Abs(a * b)).Sum())).DefaultIfEmpty().Max();
        return Tolerance.AttentionSpread(keys.Length, Case.Store.HeadDim, largest);
    }

    /// <summary>Length of the sum of the unit keys of each KV head.</summary>
    public double[] Anchors => EachHead(h => Keys(h).Length * Arrays.Norm(Arrays.Mean([.. Keys(h).Select(Arrays.Unit)])));

    /// <summary>How far logits of expected attention are off in each KV head.</summary>
    public double[] ExpectedLogits => EachHead(h =>
    {
        double largest = Queries(h).Select(Arrays.Norm).DefaultIfEmpty().Max() * Keys(h).Max(Arrays.Norm) * Case.Rotary.Factor;
        return Tolerance.ExpectedLogit(Case.Queries, Case.Store.HeadDim, largest);
    });

    /// <summary>A rank may differ by the rows of its block whose spreads are too near to tell.</summary>
    public Func<int, int, double, double> Ranks(LagKvScore rule)
    {
        LagKv raw = new(Case.Sinks, rule.Lag, CrossScoring: true);
        double[][] means = Layer.OfHeads((head, _) => raw.Candidates(head.Length).Count == 0 ? [] : Arrays.Row(raw.Of(head), 0));
        double[] largest = EachHead(h => LargestRatio(h, rule.Lag, ProtectedRows.Sinks(Case.Lengths[h], Case.Sinks, 0)));
        return (h, j, s) =>
        {
            int length = Case.Lengths[h], begin = ProtectedRows.Sinks(length, Case.Sinks, 0), row = j - begin;
            if (length < Case.Sinks + (2 * rule.Lag) || row < 0 || row >= means[h].Length) return Tolerance.Rounded(1, s);
            double[] block = means[h][(row / rule.Lag * rule.Lag)..((row / rule.Lag * rule.Lag) + rule.Lag)];
            double near = Tolerance.Real(4 * (Case.Store.HeadDim + rule.Lag + 8)) * (1 + largest[h]);
            int ties = block.Count(y => Math.Abs(y - means[h][row]) <= near) - 1;
            return Tolerance.Rounded(1, s) + (ties / (double)rule.Lag);
        };
    }

    public Func<int, int, double, double> NonCausal(NonCausalAttentionScore rule)
    {
        double[][] raw = RowScoreOps.NonCausal(rule, Layer);
        double error = Enumerable.Range(0, raw.Length).Where(h => raw[h].Length > 0)
            .Select(h => raw[h].Max() * (Math.Exp(PlainSpread(h) + Tolerance.Gamma(12)) - 1)).DefaultIfEmpty().Max() + (rule.Chunk * Tolerance.Tiny);
        double deviation = Deviation(raw);
        return (_, _, s) => Tolerance.ZNormalised(error, deviation, s);
    }

    public Func<int, int, double, double> Leverage(LeverageRule rule)
    {
        double[][] raw = RowScoreOps.Leverage(rule, Layer);
        double jitter = rule.Jitter.Numerator / (double)rule.Jitter.Denominator;
        double error = Enumerable.Range(0, raw.Length).Where(h => raw[h].Length > 0).Select(h =>
        {
            double[] norms = [.. Keys(h).Select(Arrays.Norm)];
            return Tolerance.Leverage(jitter, norms.Length, Case.Store.HeadDim, Arrays.Norm(norms), norms.Max());
        }).DefaultIfEmpty().Max();
        double deviation = Deviation(raw);
        return (_, _, s) => Tolerance.ZNormalised(error, deviation, s);
    }

    /// <summary>The logarithm of the factor that CapKV's scores are within, in each KV head.</summary>
    public double[] Capacities(CapKvScore rule) => EachHead(h => Capacity(h, rule));

    private double Capacity(int kvHead, CapKvScore rule)
    {
        ScoreInputs head = Layer.Inputs(kvHead);
        ExpectedAttention expected = new(Case.Sinks, rule.Future);
        double cancellation = Enumerable.Range(0, Case.Store.Group).Max(i =>
        {
            double anchor = Arrays.Norm(Arrays.Mean(expected.MeanTurned(head, i)));
            double length = Queries(kvHead).Select(Arrays.Norm).DefaultIfEmpty().Max() * Case.Rotary.Factor;
            return length == 0 ? 1 : length / anchor;
        });
        double trace = Case.Store.HeadDim + (1.000001 * Arrays.Vectors(head.Values, 0).Sum(v => Arrays.Dot(v, v)));
        return Tolerance.Capacity(rule.Tau.Numerator / (double)rule.Tau.Denominator, cancellation, head.Length, Case.Store.HeadDim, trace);
    }

    /// <summary>How far each direction of QFilter is off, and whether its sign is in doubt.</summary>
    public Func<int, int, double, double> Filter()
    {
        (double Error, bool InDoubt)[] directions = [.. Enumerable.Range(0, Layer.KvHeads).Select(Direction)];
        double[][] norms = [.. Enumerable.Range(0, Layer.KvHeads).Select(h => Keys(h).Select(Arrays.Norm).ToArray())];
        return (h, j, s) => Tolerance.Absolute(directions[h].Error * norms[h][j], s) + (directions[h].InDoubt ? 2 * Math.Abs(s) : 0);
    }

    private (double Error, bool InDoubt) Direction(int kvHead)
    {
        (double[][] queries, int d) = (Queries(kvHead), Case.Store.HeadDim);
        if (queries.All(q => q.All(y => y == 0))) return (0, false);
        (double[] values, double[][] vectors) = Arrays.Eigen(Arrays.Table(d, d, (a, b) => queries.Sum(q => q[a] * q[b])));
        double[] sorted = [.. values.OrderDescending()];
        double error = Tolerance.Direction(queries.Length, d, values.Sum(), sorted[0], sorted[1]);
        double[] first = vectors[Array.IndexOf(values, sorted[0])];
        double along = Math.Abs(Arrays.Dot(Arrays.Mean(queries), first)), uncertain = (error + Tolerance.Real(queries.Length + d)) * queries.Average(Arrays.Norm);
        return (error + Tolerance.Real(d + 2), along <= uncertain);
    }

    // max |x̂|: spreads are sums of d such ratios, each with a few roundings, and weights change by no more than spreads do.
    private double LargestRatio(int kvHead, int lag, int begin)
    {
        double[][][] both = [Keys(kvHead)[begin..], Arrays.Vectors(Layer.Runs[kvHead].Values, 0)[begin..]];
        double Ratio(double[] x, double[][] next) => x.Select((y, c) =>
            Math.Abs(y - next.Min(row => row[c])) / (next.Max(row => row[c]) - next.Min(row => row[c]))).Max();
        return both.Max(rows =>
        {
            double[][][] blocks = [.. rows.Chunk(lag).Where(block => block.Length == lag)];
            return blocks.Zip(blocks.Skip(1)).SelectMany(pair => pair.First.Select(x => Ratio(x, pair.Second))).DefaultIfEmpty().Max();
        });
    }

    private double[] EachHead(Func<int, double> value) =>
        [.. Enumerable.Range(0, Case.Store.KvHeads).Select(h => Case.Lengths[h] == 0 ? 0 : value(h))];

    private static double Deviation(double[][] raw) => Math.Max(Math.Sqrt(Arrays.Variance([.. raw.SelectMany(x => x)])), 1e-6);

    private double[][] Keys(int kvHead) => Arrays.Vectors(Layer.Runs[kvHead].Keys, 0);

    private double[][] Queries(int kvHead) =>
        [.. Enumerable.Range(kvHead * Case.Store.Group, Case.Store.Group).SelectMany(i => Arrays.Vectors(Layer.Queries, i))];

    private static double Length(ReadOnlySpan<double> x)
    {
        double sum = 0;
        foreach (double y in x) sum += y * y;
        return Math.Sqrt(sum);
    }

    private LayerRows.Head Head(int run) => new(
        LayerRows.Rows(_store.Lengths[run], Case.Store.HeadDim, (j, c) => _store.Key(run, j)[c]),
        LayerRows.Rows(_store.Lengths[run], Case.Store.HeadDim, (j, c) => _store.Value(run, j)[c]),
        [.. Enumerable.Range(0, _store.Lengths[run]).Select(j => _store.Position(run, j))]);
}
