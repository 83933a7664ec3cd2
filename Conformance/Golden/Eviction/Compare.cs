namespace KvIL.Conformance.Golden.Eviction;

/// <summary>Recorded against computed; the first difference ends a case.</summary>
internal static class Compare
{
    /// <summary>Exactly equal lists.</summary>
    public static void Equal<T>(string what, IEnumerable<T> recorded, IEnumerable<T> computed)
    {
        (T[] r, T[] c) = ([.. recorded], [.. computed]);
        if (r.Length != c.Length) throw new GoldenDifferenceException($"{what}: recorded {r.Length} numbers, computed {c.Length}");
        for (int i = 0; i < r.Length; i++)
        {
            if (!EqualityComparer<T>.Default.Equals(r[i], c[i]))
            {
                throw new GoldenDifferenceException($"{what}[{i}]: recorded {r[i]}, computed {c[i]}");
            }
        }
    }

    /// <summary>Exactly equal values.</summary>
    public static void Equal<T>(string what, T recorded, T computed)
        where T : IEquatable<T>
    {
        if (!recorded.Equals(computed)) throw new GoldenDifferenceException($"{what}: recorded {recorded}, computed {computed}");
    }

    /// <summary>A condition of recorded and computed numbers.</summary>
    public static void Holds(string what, bool condition)
    {
        if (!condition) throw new GoldenDifferenceException(what);
    }

    /// <summary>Within <paramref name="share"/> of the magnitude <paramref name="scale"/>; NaN is never near.</summary>
    public static void Near(string what, double recorded, double computed, double share, double scale)
    {
        if (!(Math.Abs(recorded - computed) <= share * scale))
        {
            throw new GoldenDifferenceException(
                $"{what}: recorded {recorded:G9}, computed {computed:G9}, apart by {Math.Abs(recorded - computed) / scale:G3} of {scale:G4}");
        }
    }

    /// <summary>A table against the columns of another from <paramref name="shift"/> on, each row by its own maximum.</summary>
    public static void Near(string what, double[,] recorded, double[,] computed, int shift, double share, Func<int, int, bool>? where = null)
    {
        Equal($"rows of {what}", recorded.GetLength(0), computed.GetLength(0));
        Holds($"{what}: recorded too few columns", recorded.GetLength(1) >= shift + computed.GetLength(1));
        for (int i = 0; i < computed.GetLength(0); i++)
        {
            int[] columns = [.. Enumerable.Range(0, computed.GetLength(1)).Where(j => where?.Invoke(i, j) ?? true)];
            double max = columns.Select(j => Math.Abs(computed[i, j])).DefaultIfEmpty(0).Max();
            foreach (int j in columns) Near($"{what}[{i}, {shift + j}]", recorded[i, shift + j], computed[i, j], share, max);
        }
    }
}
