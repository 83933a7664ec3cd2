using System.Globalization;

namespace KvIL.Conformance;

/// <summary>Comparisons that report the first difference as a <see cref="LawViolation"/>.</summary>
public static class Expect
{
    /// <summary>The condition holds.</summary>
    public static void True(bool condition, FormattableString otherwise)
    {
        ArgumentNullException.ThrowIfNull(otherwise);
        if (!condition) throw new LawViolation(otherwise.ToString(CultureInfo.InvariantCulture));
    }

    /// <summary>|expected − actual| ≤ bound(i) for every element; where the truth is not finite the element is equal to it.</summary>
    public static void Within(double[] expected, double[] actual, Func<int, double> bound)
    {
        ArgumentNullException.ThrowIfNull(expected);
        ArgumentNullException.ThrowIfNull(actual);
        ArgumentNullException.ThrowIfNull(bound);
        True(expected.Length == actual.Length, $"expected {expected.Length} elements, got {actual.Length}");
        for (int i = 0; i < expected.Length; i++)
        {
            double error = Math.Abs(expected[i] - actual[i]), limit = double.IsFinite(expected[i]) ? bound(i) : 0;
            bool fits = expected[i].Equals(actual[i]) || error <= limit;
            True(fits, $"[{i}] expected {expected[i]:R}, got {actual[i]:R}: error {error:E2} > {limit:E2}");
        }
    }

    /// <summary>Equal numbers; −0 equals +0, NaN equals NaN.</summary>
    public static void Exact(double[] expected, double[] actual) => Within(expected, actual, _ => 0);

    /// <summary>Equal integers.</summary>
    public static void Exact(ReadOnlySpan<int> expected, ReadOnlySpan<int> actual) => Same("the result", expected, actual, (a, b) => a == b);

    /// <summary>The same bits everywhere, in the pool and in the table.</summary>
    public static void Same(string what, HostValue expected, HostValue actual)
    {
        if (expected is HostTensor x && actual is HostTensor y)
        {
            Same<double>(what, x.Reals, y.Reals, SameBits);
            Same<int>(what, x.Integers, y.Integers, (a, b) => a == b);
        }
        else if (expected is HostStore s && actual is HostStore t)
        {
            Same<long>($"starts of {what}", s.Starts, t.Starts, (a, b) => a == b);
            Same<int>($"lengths of {what}", s.Lengths, t.Lengths, (a, b) => a == b);
            Same<int>($"capacities of {what}", s.Capacities, t.Capacities, (a, b) => a == b);
            Same<int>($"positions of {what}", s.Positions, t.Positions, (a, b) => a == b);
            Same<double>($"keys of {what}", s.Keys, t.Keys, SameBits);
            Same<double>($"values of {what}", s.Values, t.Values, SameBits);
        }
        else
        {
            throw new ArgumentException($"{what}: {expected.Spec} and {actual.Spec} cannot be compared.", nameof(actual));
        }
    }

    /// <summary>Equal elements under <paramref name="equal"/>.</summary>
    public static void Same<T>(string what, ReadOnlySpan<T> expected, ReadOnlySpan<T> actual, Func<T, T, bool> equal)
    {
        ArgumentNullException.ThrowIfNull(equal);
        True(expected.Length == actual.Length, $"{what}: expected {expected.Length} elements, got {actual.Length}");
        for (int i = 0; i < expected.Length; i++)
        {
            True(equal(expected[i], actual[i]), $"{what} [{i}]: expected {expected[i]}, got {actual[i]}");
        }
    }

    /// <summary>The same bits, or both NaN.</summary>
    public static bool SameBits(double a, double b) =>
        BitConverter.DoubleToInt64Bits(a) == BitConverter.DoubleToInt64Bits(b) || (double.IsNaN(a) && double.IsNaN(b));
}
