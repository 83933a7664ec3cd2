using KvIL.Conformance;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Inference.Files;
using KvIL.Inference.Models;
using KvIL.Inference.Runtime;
using KvIL.Tensors;
using Xunit;

namespace KvIL.Tests.Engines;

/// <summary>The loss of real evictions and the bounds on it, in double, for every layer's last query of real prompts.</summary>
/// <remarks>Ada-KV (arXiv:2407.11550), §3: <c>L ≤ θ ≤ ε_head ≤ ε</c>.</remarks>
public sealed class LossTests
{
    private const int Window = 16;

    private static readonly string[] Policies =
    [
        "sliding:sinks=4,budget=20%", "snapkv:window=16,budget=20%", "ada-snapkv:window=16,budget=20%", "ada-snapkv:window=16,alloc=pure,budget=10%",
        "pyramidkv:window=16,budget=40%", "snapkv:window=16,budget=9",
    ];

    [Theory]
    [InlineData(0, 150)]
    [InlineData(3, 90)]
    public void The_loss_is_below_its_bounds_and_the_engine_measures_both(int prompt, int tokens) => Holds(prompt, tokens, cost => cost);

    [Fact]
    public void Mutant_a_bound_without_its_factor_of_two() => Assert.ThrowsAny<Xunit.Sdk.XunitException>(
        () => Holds(0, 60, cost => cost with { Epsilon = cost.Epsilon / 2 }));

    /// <summary>Ada's allocation minimises ε over all allocations of the same total when the scores are that query's attention.</summary>
    [Fact]
    public void Adas_bound_is_never_above_uniforms_for_the_scored_query()
    {
        using Prepared p = new(prompt: 1, tokens: 120);
        foreach (int budget in (int[])[2, 5, 12, 40, 100])
        {
            // One query, not pooled, not a mean over a group: the scores are its attention, summed over the heads that share a KV head.
            double[] ada = p.Epsilons($"ada-snapkv:window=1,kernel=1,alloc=pure,budget={budget}"), uniform = p.Epsilons($"snapkv:window=1,kernel=1,budget={budget}");
            Assert.All(ada.Zip(uniform), layer => Assert.True(layer.First <= layer.Second, $"{layer.First} > {layer.Second} at {budget} rows"));
        }
    }

    [Fact]
    public void Mutant_an_allocation_that_is_not_adas() 
    {
        using Prepared p = new(prompt: 1, tokens: 120);
        double[] ada = p.Epsilons("ada-snapkv:window=1,kernel=1,alloc=pure,budget=12"), recent = p.Epsilons("sliding:budget=12");
        Assert.Contains(ada.Zip(recent), layer => layer.Second > layer.First);
    }

    private static void Holds(int prompt, int tokens, Func<EvictionCost, EvictionCost> change)
    {
        using Prepared p = new(prompt, tokens);
        foreach (string text in Policies)
        {
            using KvCache fork = p.Engine.Fork(p.Cache, 0, EvictionPolicy.Parse(text), 1, out IReadOnlyList<EvictionCost> costs);
            Assert.Equal(p.Engine.Model.Config.NumLayers, costs.Count);
            foreach (EvictionCost measured in costs)
            {
                EvictionLoss loss = p.Loss(measured.Layer, fork);
                Assert.True(loss.Loss <= loss.Theta && loss.Theta <= loss.EpsilonPerHead && loss.EpsilonPerHead <= loss.Epsilon, text);
                EvictionCost cost = change(measured);
                (double kappa, double terms) = p.Rounding(measured.Layer);
                Near(loss.Loss, cost.Loss, kappa * terms);
                Near(loss.Theta, cost.Theta, kappa * terms);
                Near(loss.EpsilonPerHead, cost.EpsilonHead, kappa * terms);
                Near(loss.Epsilon, cost.Epsilon, kappa * Math.Max(terms, 2 * loss.Norm * p.Heads));
            }
        }
    }

    private static void Near(double expected, double actual, double bound) =>
        Assert.True(Math.Abs(expected - actual) <= bound, $"{actual:R} for {expected:R}, bound {bound:E2}");

    /// <summary>A prompt in a full cache, and its last query, keys, values and output projection of each layer in double.</summary>
    private sealed class Prepared : IDisposable
    {
        private readonly EngineFixture _fixture = new();
        private readonly double[][,,] _contributions;
        private readonly double[][,,] _magnitudes;
        private readonly double[][,] _attention;
        private readonly double[] _logitMagnitude;

        public Prepared(int prompt, int tokens)
        {
            Model demo = _fixture.Model(EngineFixture.Demo);
            Engine = new(demo, new() { Chunk = 64, RowType = DType.F32, Window = Window, MeasureLoss = true, MaxTokens = tokens + 8 });
            Cache = Engine.CreateCache();
            Engine.Prefill(Cache, 0, Ids.Prompt(demo, prompt, tokens), EvictionPolicy.Full);
            int layers = demo.Config.NumLayers;
            (_contributions, _magnitudes) = (new double[layers][,,], new double[layers][,,]);
            (_attention, _logitMagnitude) = (new double[layers][,], new double[layers]);
            using Checkpoint checkpoint = Checkpoint.Open(EngineFixture.Demo);
            for (int layer = 0; layer < layers; layer++) Prepare(layer, checkpoint.Tensors[Transformer.OutputProjection(layer)]);
        }

        public Engine Engine { get; }

        public KvCache Cache { get; }

        public int Heads => Engine.Model.Config.NumQueryHeads;

        public double[] Epsilons(string policy)
        {
            using KvCache fork = Engine.Fork(Cache, 0, EvictionPolicy.Parse(policy), 1, out _);
            return [.. Enumerable.Range(0, _attention.Length).Select(layer => Loss(layer, fork).Epsilon)];
        }

        public EvictionLoss Loss(int layer, KvCache kept)
        {
            RunRows[] runs = CacheRows.Of(Engine, kept, layer, 0);
            bool[,] keeps = new bool[Heads, Cache.Tokens(0)];
            for (int i = 0; i < Heads; i++)
            {
                foreach (int position in runs[i / (Heads / runs.Length)].Positions) keeps[i, position] = true;
            }

            return new(_attention[layer], _contributions[layer], keeps);
        }

        /// <summary>κ of <see cref="Tolerance.Loss"/>, and the sum of the absolute terms of all four figures.</summary>
        public (double Kappa, double Terms) Rounding(int layer)
        {
            int n = Cache.Tokens(0), d = Engine.Model.Config.HeadDim, width = Engine.Model.Config.HiddenSize;
            double kappa = Tolerance.Loss(Tolerance.AttentionSpread(n, d, _logitMagnitude[layer]), n, d, Heads, width);
            EvictionLoss none = new(_attention[layer], _magnitudes[layer], new bool[Heads, n]);
            return (kappa, none.EpsilonPerHead);
        }

        public void Dispose()
        {
            Cache.Dispose();
            Engine.Dispose();
            _fixture.Dispose();
        }

        private void Prepare(int layer, FileTensor projection)
        {
            int n = Cache.Tokens(0), d = Engine.Model.Config.HeadDim, width = Engine.Model.Config.HiddenSize;
            RunRows[] runs = CacheRows.Of(Engine, Cache, layer, 0);
            float[] ring = CacheRows.Download<float>(Engine, Cache.Windows[layer], Window * Heads * d);
            double[,] attention = new double[Heads, n];
            for (int i = 0; i < Heads; i++)
            {
                RunRows run = runs[i / (Heads / runs.Length)];
                double Term(int j, int c) => (double)ring[((((n - 1) % Window) * Heads) + i) * d + c] * run.Key(j, d)[c] / Math.Sqrt(d);
                double[] row = WindowScores.Softmax([.. Enumerable.Range(0, n).Select(j => Enumerable.Range(0, d).Sum(c => Term(j, c)))]);
                for (int j = 0; j < n; j++) attention[i, j] = row[j];
                double largest = Enumerable.Range(0, n).Max(j => Enumerable.Range(0, d).Sum(c => Math.Abs(Term(j, c))));
                _logitMagnitude[layer] = Math.Max(_logitMagnitude[layer], largest);
            }

            double[,,] v = new double[runs.Length, n, d], vAbsolute = new double[runs.Length, n, d];
            for (int cell = 0; cell < v.Length; cell++)
            {
                (int h, int j, int c) = (cell / d / n, cell / d % n, cell % d);
                v[h, j, c] = runs[h].Value(j, d)[c];
                vAbsolute[h, j, c] = Math.Abs(v[h, j, c]);
            }

            double[,] wo = new double[width, Heads * d], woAbsolute = new double[width, Heads * d];
            int size = projection.Type!.Value.BlockBytes();
            for (int cell = 0; cell < wo.Length; cell++)
            {
                double w = Numbers.Decode(projection.Data.Slice((long)cell * size, size).AsSpan(), projection.Type.Value);
                (wo[cell / (Heads * d), cell % (Heads * d)], woAbsolute[cell / (Heads * d), cell % (Heads * d)]) = (w, Math.Abs(w));
            }

            _attention[layer] = attention;
            _contributions[layer] = EvictionLoss.Contributions(v, wo);
            _magnitudes[layer] = EvictionLoss.Contributions(vAbsolute, woAbsolute);
        }
    }
}
