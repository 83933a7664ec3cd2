using KvIL.Eviction.Scores;

namespace KvIL.Reference.Kernels;

/// <summary>A rotation of half-split vectors by an angle per frequency, in double, each channel rounded once.</summary>
internal readonly unsafe struct RopeTurn(Rotary rotary)
{
    private readonly Rotary _rotary = rotary;
    private readonly double[] _waves = new double[2 * rotary.Frequencies.Length];

    /// <summary>F: channels f and f + F turn together.</summary>
    public int Frequencies => _rotary.Frequencies.Length;

    /// <summary>Another of the same frequencies, with angles of its own.</summary>
    public RopeTurn Own() => new(_rotary);

    /// <summary>Sets the angles to <c>places · ω_f</c>.</summary>
    public void To(int places)
    {
        for (int f = 0; f < Frequencies; f++)
        {
            (_waves[Frequencies + f], _waves[f]) = Math.SinCos(places * _rotary.Frequencies[f]);
        }
    }

    /// <summary>Channel f of the vector turned, in double, as (f, f + F).</summary>
    public (double First, double Second) Turned(double a, double b, int f)
    {
        (double cos, double sin) = (_waves[f], _waves[Frequencies + f]);
        return ((a * cos) - (b * sin), (b * cos) + (a * sin));
    }

    /// <summary>Turns a vector and multiplies what turned by <paramref name="factor"/>.</summary>
    public void Apply(float* x, double factor)
    {
        for (int f = 0; f < Frequencies; f++)
        {
            (double a, double b) = Turned(x[f], x[Frequencies + f], f);
            (x[f], x[Frequencies + f]) = ((float)(a * factor), (float)(b * factor));
        }
    }

    /// <summary>A vector at <paramref name="position"/> as it was before RoPE: <c>R(−p) x / m</c>.</summary>
    public void Back(int position, float* x)
    {
        To(-position);
        Apply(x, 1 / _rotary.Factor);
    }
}
