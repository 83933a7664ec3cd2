namespace KvIL.Conformance.Theorems;

/// <summary>Comparisons within what rounding may do (Higham 2002, §3.1).</summary>
internal static class Near
{
    /// <summary><c>γ_n = n u / (1 − n u)</c> of the subject's arithmetic; the law's own double error is no larger.</summary>
    public static double Gamma(this EvictionMath m, double n) => 2 * n * m.UnitRoundoff / (1 - (n * m.UnitRoundoff));

    /// <summary>|expected − actual| ≤ slack.</summary>
    public static void Equal(string what, double expected, double actual, double slack) =>
        Expect.True(Math.Abs(expected - actual) <= slack, $"{what}: expected {expected:R}, got {actual:R}, slack {slack:E1}");

    /// <summary>less ≤ more + slack; NaN is neither.</summary>
    public static void AtMost(string what, double less, double more, double slack) =>
        Expect.True(less <= more + slack, $"{what}: {less:R} exceeds {more:R}, slack {slack:E1}");

    /// <summary>Tables of one shape whose entries are within slack.</summary>
    public static void Equal(string what, double[,] expected, double[,] actual, double slack)
    {
        (int rows, int columns) = (expected.GetLength(0), expected.GetLength(1));
        Expect.True(
            actual.GetLength(0) == rows && actual.GetLength(1) == columns,
            $"{what}: expected [{rows}, {columns}], got [{actual.GetLength(0)}, {actual.GetLength(1)}]");
        for (int x = 0; x < expected.Length; x++)
        {
            (int i, int j) = (x / columns, x % columns);
            Expect.True(
                Math.Abs(expected[i, j] - actual[i, j]) <= slack,
                $"{what} [{i}, {j}]: expected {expected[i, j]:R}, got {actual[i, j]:R}, slack {slack:E1}");
        }
    }

    /// <summary>Equal lists of integers.</summary>
    public static void Same(string what, IReadOnlyList<int> expected, IReadOnlyList<int> actual) => Expect.True(
        expected.SequenceEqual(actual), $"{what}: expected [{string.Join(' ', expected)}], got [{string.Join(' ', actual)}]");

    /// <summary>Equal lists of integers of every head.</summary>
    public static void Same(string what, int[][] expected, int[][] actual)
    {
        Expect.True(expected.Length == actual.Length, $"{what}: expected {expected.Length} heads, got {actual.Length}");
        for (int h = 0; h < expected.Length; h++) Same($"{what}, head {h}", expected[h], actual[h]);
    }
}
