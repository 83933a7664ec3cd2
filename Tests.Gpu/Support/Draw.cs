namespace KvIL.Tests.Gpu.Support;

/// <summary>Random data.</summary>
internal static class Draw
{
    public static float Normal(Random random) =>
        (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));

    public static float[] Normals(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => Normal(random))];

    /// <summary>Numbers with 7 bits, which every float type holds.</summary>
    public static float[] Coarse(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(-127, 128) / 64f)];

    /// <summary>Scores with ties, signed zeros, subnormals, infinities and NaN.</summary>
    public static float[] Scores(Random random, int count, bool special)
    {
        float[] few = [0f, -0f, 0.25f, 0.5f, -1f, 1e-42f, -1e-42f, float.NaN, float.PositiveInfinity, float.NegativeInfinity];
        return [.. Enumerable.Range(0, count).Select(_ => special ? few[random.Next(few.Length)] : random.Next(8) / 8f + (random.Next(2) * random.NextSingle()))];
    }

    public static int[] Lengths(Random random, int runs, int least, int most) =>
        [.. Enumerable.Range(0, runs).Select(_ => random.Next(least, most + 1))];
}
