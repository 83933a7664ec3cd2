namespace KvIL.Conformance.Theory;

/// <summary>The few array operations that definitions are written with.</summary>
internal static class Arrays
{
    /// <summary><c>table[i, j] = value(i, j)</c>.</summary>
    public static double[,] Table(int rows, int columns, Func<int, int, double> value)
    {
        double[,] table = new double[rows, columns];
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++) table[i, j] = value(i, j);
        }

        return table;
    }

    /// <summary>Row <paramref name="i"/> of a table.</summary>
    public static double[] Row(double[,] a, int i) => [.. Enumerable.Range(0, a.GetLength(1)).Select(j => a[i, j])];

    /// <summary>The vector <c>a[i, j, ·]</c>.</summary>
    public static double[] Vector(double[,,] a, int i, int j) => [.. Enumerable.Range(0, a.GetLength(2)).Select(c => a[i, j, c])];

    /// <summary>The vectors <c>a[i, first, ·], a[i, first + 1, ·], …</c></summary>
    public static double[][] Vectors(double[,,] a, int i, int first = 0) =>
        [.. Enumerable.Range(first, a.GetLength(1) - first).Select(j => Vector(a, i, j))];

    /// <summary><c>x · y</c>.</summary>
    public static double Dot(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        double sum = 0;
        for (int c = 0; c < x.Count; c++) sum += x[c] * y[c];
        return sum;
    }

    /// <summary><c>‖x‖₂</c>.</summary>
    public static double Norm(IReadOnlyList<double> x) => Math.Sqrt(Dot(x, x));

    /// <summary><c>x / ‖x‖₂</c>; 0 for 0, which has no direction.</summary>
    public static double[] Unit(double[] x)
    {
        double norm = Norm(x);
        return norm == 0 ? x : [.. x.Select(c => c / norm)];
    }

    /// <summary>The mean of vectors, at least one.</summary>
    public static double[] Mean(double[][] x) => [.. Enumerable.Range(0, x[0].Length).Select(c => x.Average(row => row[c]))];

    /// <summary><c>Σ (x − mean)² / (n − 1)</c>; 0 for a single number.</summary>
    public static double Variance(IReadOnlyList<double> x)
    {
        if (x.Count < 2) return 0;
        double mean = x.Average();
        return x.Sum(c => (c - mean) * (c - mean)) / (x.Count - 1);
    }

    /// <summary>Scores of the query heads reduced to one row a KV head: the mean over the group.</summary>
    public static double[,] GroupMean(double[,] s, int kvHeads) => WindowScores.Group(s, kvHeads, Enumerable.Average);

    /// <summary><c>(s − mean) / σ</c> over all entries, with the n − 1 variance and σ at least 1e-6.</summary>
    public static double[,] ZNormalised(double[,] s)
    {
        double[][] heads = ZNormalised([.. Enumerable.Range(0, s.GetLength(0)).Select(i => Row(s, i))]);
        return Table(s.GetLength(0), s.GetLength(1), (i, j) => heads[i][j]);
    }

    /// <summary>The same of heads with different numbers of rows.</summary>
    public static double[][] ZNormalised(double[][] s)
    {
        double[] all = [.. s.SelectMany(x => x)];
        if (all.Length == 0) return s;
        (double mean, double deviation) = (all.Average(), Math.Max(Math.Sqrt(Variance(all)), 1e-6));
        return [.. s.Select(x => x.Select(y => (y - mean) / deviation).ToArray())];
    }

    /// <summary><c>xᵀ A⁻¹ x</c> for each row x, A symmetric positive definite: with <c>A = L Lᵀ</c> it is <c>‖L⁻¹ x‖²</c>.</summary>
    public static double[] InverseForms(double[,] a, double[][] rows)
    {
        int n = a.GetLength(0);
        double[,] l = new double[n, n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j <= i; j++)
            {
                double rest = a[i, j] - Enumerable.Range(0, j).Sum(c => l[i, c] * l[j, c]);
                l[i, j] = i == j ? Math.Sqrt(rest) : rest / l[j, j];
            }
        }

        return [.. rows.Select(x =>
        {
            double[] y = new double[n];
            for (int i = 0; i < n; i++) y[i] = (x[i] - Enumerable.Range(0, i).Sum(c => l[i, c] * y[c])) / l[i, i];
            return Dot(y, y);
        })];
    }

    /// <summary>Eigenvalues and unit eigenvectors of a symmetric matrix, in no order: cyclic Jacobi rotations until what is off the diagonal is nothing beside it.</summary>
    public static (double[] Values, double[][] Vectors) Eigen(double[,] matrix)
    {
        int n = matrix.GetLength(0);
        double[,] a = (double[,])matrix.Clone(), v = Table(n, n, (i, j) => i == j ? 1 : 0);
        double Off() => Enumerable.Range(0, n).Sum(i => Enumerable.Range(0, i).Sum(j => a[i, j] * a[i, j]));
        double all = matrix.Cast<double>().Sum(x => x * x);
        for (int sweep = 0; sweep < 30 && Off() > 1e-34 * all; sweep++)
        {
            for (int x = 0; x < n * n; x++)
            {
                (int p, int q) = (x / n, x % n);
                if (p < q && a[p, q] != 0) Rotate(a, v, p, q);
            }
        }

        return ([.. Enumerable.Range(0, n).Select(i => a[i, i])], [.. Enumerable.Range(0, n).Select(i => Enumerable.Range(0, n).Select(k => v[k, i]).ToArray())]);
    }

    // Golub and Van Loan, Matrix Computations, 8.5.2: J(p, q) makes a[p, q] zero.
    private static void Rotate(double[,] a, double[,] v, int p, int q)
    {
        double tau = (a[q, q] - a[p, p]) / (2 * a[p, q]);
        double t = (tau < 0 ? -1 : 1) / (Math.Abs(tau) + Math.Sqrt(1 + (tau * tau)));
        (double c, double s) = (1 / Math.Sqrt(1 + (t * t)), t / Math.Sqrt(1 + (t * t)));
        for (int k = 0; k < a.GetLength(0); k++)
        {
            (a[k, p], a[k, q]) = ((c * a[k, p]) - (s * a[k, q]), (s * a[k, p]) + (c * a[k, q]));
            (v[k, p], v[k, q]) = ((c * v[k, p]) - (s * v[k, q]), (s * v[k, p]) + (c * v[k, q]));
        }

        for (int k = 0; k < a.GetLength(0); k++) (a[p, k], a[q, k]) = ((c * a[p, k]) - (s * a[q, k]), (s * a[p, k]) + (c * a[q, k]));
    }
}
