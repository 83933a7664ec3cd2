using Xunit;

namespace KvIL.Tests.Engines;

/// <summary>Comparison of what an engine holds with the definition, element by element.</summary>
internal static class Near
{
    /// <summary>Every element lies within the definition's own bound.</summary>
    public static void Row(Approximation expected, int row, int firstColumn, ReadOnlySpan<float> actual, string what)
    {
        for (int c = 0; c < actual.Length; c++)
        {
            double distance = Math.Abs(actual[c] - expected[row, firstColumn + c]), bound = expected.Error(row, firstColumn + c);
            if (!(distance <= bound)) Assert.Fail($"{what}, row {row}, channel {c}: {actual[c]:R} is {distance:E2} from the definition, bound {bound:E2}");
        }
    }

    /// <summary>The rows that a cache holds are the definition's of their positions.</summary>
    public static void Rows(Definition expected, RunRows[][] actual, int headDim)
    {
        for (int store = 0; store < actual.Length; store++)
        {
            for (int head = 0; head < actual[store].Length; head++)
            {
                RunRows run = actual[store][head];
                float[] keys = run.Widened(run.Keys, headDim), values = run.Widened(run.Values, headDim);
                for (int row = 0; row < run.Length; row++)
                {
                    Row(expected.Keys[store], run.Positions[row], head * headDim, keys.AsSpan(row * headDim, headDim), $"key of store {store}, head {head}");
                    Row(expected.Values[store], run.Positions[row], head * headDim, values.AsSpan(row * headDim, headDim), $"value of store {store}, head {head}");
                }
            }
        }
    }
}
