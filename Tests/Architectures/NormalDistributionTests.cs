using FsCheck;
using FsCheck.Fluent;
using KvIL.Inference.Models;
using Xunit;

namespace KvIL.Tests.Architectures;

/// <summary>The quantiles that cut off the sparse gates of Gemma 3n.</summary>
public sealed class NormalDistributionTests
{
    [Theory]
    [InlineData(0.5, 0)]
    [InlineData(0.6, 0.25334710313579978)]
    [InlineData(0.95, 1.6448536269514722)]
    [InlineData(0.975, 1.9599639845400545)]
    [InlineData(0.9999, 3.7190164854556804)]
    public void Quantiles_are_those_of_tables(double p, double x) => Assert.Equal(x, NormalDistribution.Quantile(p), 1e-11);

    [Fact]
    public void Quantiles_are_odd_about_a_half_and_ascend() => Check.One(Properties.Config(200), Prop.ForAll(
        Gen.Choose(1, 999_998).ToArbitrary(),
        parts =>
        {
            double p = parts / 1e6, x = NormalDistribution.Quantile(p);
            Assert.Equal(-x, NormalDistribution.Quantile(1 - p), 1e-9);
            Assert.True(NormalDistribution.Quantile(p + 1e-6) > x);
        }));
}
