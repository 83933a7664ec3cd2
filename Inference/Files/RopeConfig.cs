using System.Collections.Immutable;

namespace KvIL.Inference.Files;

/// <summary>Rotary positions: which channels of a head are rotated, how fast, and with what factor.</summary>
/// <remarks>Su et al. 2021 (arXiv:2104.09864), §3.2.2: <c>ω_f = θ^(−2f/d)</c> for f &lt; d/2, changed by a scaling.</remarks>
/// <param name="Theta">θ, the base of the frequencies.</param>
/// <param name="RotaryDim">d: the first d channels of each head are rotated, the others pass; even.</param>
/// <param name="Scaling">How the frequencies are changed for longer contexts; null for not.</param>
public sealed record RopeConfig(double Theta, int RotaryDim, RopeScaling? Scaling = null)
{
    /// <summary>Whether <see cref="Frequencies"/> depend on the length of the sequence.</summary>
    public bool DependsOnLength => Scaling?.DependsOnLength ?? false;

    /// <summary>Whether angles are rounded to float32 before their cosine and sine are taken, as transformers does; else they are exact in double.</summary>
    /// <remarks>At position 1000 the rounding is 3e-5 radians: ten times what everything else in float32 makes of a logit. For comparison only.</remarks>
    public bool RoundsAngles { get; init; }

    /// <summary>Whether the host takes the rotations: a device's op takes exact angles of one text length.</summary>
    internal bool IsOfHost => DependsOnLength || RoundsAngles;

    /// <summary>Factor of cosine and sine, so that attention logits get its square.</summary>
    public double AttentionFactor => Scaling?.AttentionFactor ?? 1;

    /// <summary>ω of a sequence of <paramref name="length"/> tokens, radians per position, <see cref="RotaryDim"/>/2 of them.</summary>
    public ImmutableArray<double> Frequencies(int length = 0)
    {
        double[] plain = [.. Enumerable.Range(0, RotaryDim / 2).Select(f => Math.Pow(Theta, -2.0 * f / RotaryDim))];
        return [.. Scaling?.Scale(this, plain, length) ?? plain];
    }
}

/// <summary>How frequencies are changed so that a model reads texts longer than those it was trained on.</summary>
/// <remarks>The equations are those of transformers' <c>modeling_rope_utils</c>, in double.</remarks>
public abstract record RopeScaling
{
    private protected RopeScaling()
    {
    }

    /// <summary>Whether the frequencies depend on the length of the sequence.</summary>
    public virtual bool DependsOnLength => false;

    /// <summary>Factor of cosine and sine.</summary>
    public virtual double AttentionFactor => 1;

    internal abstract double[] Scale(RopeConfig rope, double[] plain, int length);
}

/// <summary><c>ω/s</c>: positions are interpolated.</summary>
/// <remarks>Chen et al. 2023 (arXiv:2306.15595).</remarks>
/// <param name="Factor">s.</param>
public sealed record LinearScaling(double Factor) : RopeScaling
{
    internal override double[] Scale(RopeConfig rope, double[] plain, int length) => [.. plain.Select(w => w / Factor)];
}

/// <summary><c>ω_f / divisor_f</c>: GGUF's tensor <c>rope_freqs.weight</c>.</summary>
/// <param name="Divisors">One for each frequency.</param>
public sealed record DividedScaling(ImmutableArray<double> Divisors) : RopeScaling
{
    internal override double[] Scale(RopeConfig rope, double[] plain, int length) => [.. plain.Zip(Divisors, (w, d) => w / d)];
}

/// <summary>Llama 3.1: slow frequencies divided, fast ones kept, those between blended.</summary>
/// <remarks>
/// With the wavelength λ = 2π/ω and <c>t = (L/λ − low) / (high − low)</c> limited to [0, 1]: <c>ω' = (1 − t) ω/s + t ω</c>.
/// </remarks>
/// <param name="Factor">s.</param>
/// <param name="LowFrequencyFactor">low.</param>
/// <param name="HighFrequencyFactor">high, above low.</param>
/// <param name="OriginalPositions">L, positions before the scaling.</param>
public sealed record Llama3Scaling(double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalPositions)
    : RopeScaling
{
    internal override double[] Scale(RopeConfig rope, double[] plain, int length) => [.. plain.Select(w =>
    {
        double turns = OriginalPositions * w / (2 * Math.PI);
        double t = Math.Clamp((turns - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor), 0, 1);
        return ((1 - t) * w / Factor) + (t * w);
    })];
}

/// <summary>YaRN: fast frequencies kept, slow ones divided, a ramp between; cosine and sine get a factor.</summary>
/// <remarks>
/// Peng et al. 2023 (arXiv:2309.00071), §3.2 to 3.4: the ramp runs over f from the frequency that turns
/// <c>BetaFast</c> times within L positions to the one that turns <c>BetaSlow</c> times, widened to whole numbers
/// when <c>Truncate</c>.
/// </remarks>
/// <param name="Factor">s.</param>
/// <param name="OriginalPositions">L, positions before the scaling.</param>
/// <param name="Attention">Factor of cosine and sine; <c>0.1 ln s + 1</c> as a rule (<see cref="DefaultAttention"/>).</param>
/// <param name="BetaFast">Turns from which a frequency is kept.</param>
/// <param name="BetaSlow">Turns up to which a frequency is divided.</param>
/// <param name="Truncate">Whether the ramp's ends are rounded outwards.</param>
public sealed record YarnScaling(
    double Factor, int OriginalPositions, double Attention, double BetaFast = 32, double BetaSlow = 1, bool Truncate = true)
    : RopeScaling
{
    /// <inheritdoc/>
    public override double AttentionFactor => Attention;

    /// <summary><c>0.1 m ln s + 1</c>; 1 for s ≤ 1.</summary>
    public static double DefaultAttention(double factor, double m = 1) => factor <= 1 ? 1 : (0.1 * m * Math.Log(factor)) + 1;

    internal override double[] Scale(RopeConfig rope, double[] plain, int length)
    {
        double At(double turns) =>
            rope.RotaryDim * Math.Log(OriginalPositions / (turns * 2 * Math.PI)) / (2 * Math.Log(rope.Theta));
        (double low, double high) = (At(BetaFast), At(BetaSlow));
        (low, high) = Truncate ? (Math.Floor(low), Math.Ceiling(high)) : (low, high);
        (low, high) = (Math.Max(low, 0), Math.Min(high, rope.RotaryDim - 1));
        high += low == high ? 0.001 : 0;
        return [.. plain.Select((w, f) =>
        {
            double ramp = Math.Clamp((f - low) / (high - low), 0, 1);
            return (w / Factor * ramp) + (w * (1 - ramp));
        })];
    }
}

/// <summary>Dynamic NTK: a base that grows with the length n of the sequence, once n is above the model's L positions.</summary>
/// <remarks>
/// <c>θ' = θ · (s n/L − (s − 1))^(d/(d − 2))</c>, n at least L. Keys keep the frequencies of the length at which they were written:
/// a prompt those of its whole length, a decoded token those of the length then.
/// </remarks>
/// <param name="Factor">s.</param>
/// <param name="OriginalPositions">L.</param>
public sealed record DynamicScaling(double Factor, int OriginalPositions) : RopeScaling
{
    /// <inheritdoc/>
    public override bool DependsOnLength => true;

    internal override double[] Scale(RopeConfig rope, double[] plain, int length)
    {
        double n = Math.Max(length, OriginalPositions);
        double exponent = rope.RotaryDim / (rope.RotaryDim - 2.0);
        double theta = rope.Theta * Math.Pow((Factor * n / OriginalPositions) - (Factor - 1), exponent);
        return [.. new RopeConfig(theta, rope.RotaryDim).Frequencies()];
    }
}

/// <summary>Proportional RoPE: a share of the frequencies of the whole head, and no rotation of the other pairs.</summary>
/// <remarks><c>ω_f/s</c> for f below share · d/2, else 0: the exponents are those of the whole head, unlike with a partial rotation. Gemma 4.</remarks>
/// <param name="Share">The share of pairs that rotate.</param>
/// <param name="Factor">s.</param>
public sealed record ProportionalScaling(double Share, double Factor = 1) : RopeScaling
{
    internal override double[] Scale(RopeConfig rope, double[] plain, int length)
    {
        int rotated = (int)(Share * rope.RotaryDim / 2);
        return [.. plain.Select((w, f) => f < rotated ? w / Factor : 0)];
    }
}

/// <summary>NTK-aware scaling with a fixed α: a larger base at every length.</summary>
/// <remarks><c>θ' = θ · α^(d/(d − 2))</c>; Hunyuan's configs have it as <c>dynamic</c> with <c>alpha</c>, though nothing in it is dynamic.</remarks>
/// <param name="Alpha">α.</param>
public sealed record AlphaScaling(double Alpha) : RopeScaling
{
    internal override double[] Scale(RopeConfig rope, double[] plain, int length) =>
        [.. new RopeConfig(rope.Theta * Math.Pow(Alpha, rope.RotaryDim / (rope.RotaryDim - 2.0)), rope.RotaryDim).Frequencies()];
}

/// <summary>LongRoPE: one divisor for each frequency, another set for sequences longer than L; cosine and sine get a factor.</summary>
/// <remarks>
/// Ding et al. 2024 (arXiv:2402.13753), as Phi-3 has it. Keys keep the divisors of the length at which they were written.
/// </remarks>
/// <param name="ShortDivisors">For sequences of at most L tokens.</param>
/// <param name="LongDivisors">For longer ones.</param>
/// <param name="OriginalPositions">L.</param>
/// <param name="Attention">Factor of cosine and sine; <c>√(1 + ln s / ln L)</c> as a rule (<see cref="DefaultAttention"/>).</param>
public sealed record LongRopeScaling(
    ImmutableArray<double> ShortDivisors, ImmutableArray<double> LongDivisors, int OriginalPositions, double Attention) : RopeScaling
{
    /// <inheritdoc/>
    public override bool DependsOnLength => true;

    /// <inheritdoc/>
    public override double AttentionFactor => Attention;

    /// <summary><c>√(1 + ln s / ln L)</c>; 1 for s ≤ 1.</summary>
    public static double DefaultAttention(double factor, int originalPositions) =>
        factor <= 1 ? 1 : Math.Sqrt(1 + (Math.Log(factor) / Math.Log(originalPositions)));

    internal override double[] Scale(RopeConfig rope, double[] plain, int length) =>
        [.. plain.Zip(length > OriginalPositions ? LongDivisors : ShortDivisors, (w, d) => w / d)];
}
