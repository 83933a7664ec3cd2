using KvIL.Conformance.Theorems;

namespace KvIL.Tests.Laws;

/// <summary>The theory as a textbook writes it, in plain loops, with numbered places where a fault can be planted.</summary>
/// <remarks>
/// <c>At(7, right, wrong, …)</c> is <c>right</c>, and one of the wrong values where place 7 is at fault. No wrong value is another way to write the
/// right one: what changes nothing (the maximum that softmax subtracts, among large enough numbers; the order of rows in a count) has no place.
/// </remarks>
internal sealed partial class TextbookMath(int place, int choice) : EvictionMath
{
    /// <summary>The places and how many wrong values each has.</summary>
    public static IReadOnlyDictionary<int, int> Places { get; } = Survey();

    public override string Name => place == 0 ? "textbook" : $"textbook with fault {place}.{choice}";

    private T At<T>(int number, T right, params ReadOnlySpan<T> wrong)
    {
        if (place == 0) s_seen?.TryAdd(number, wrong.Length);
        return number == place ? wrong[choice] : right;
    }

    [ThreadStatic]
    private static Dictionary<int, int>? s_seen;

    // Runs the laws once without a fault and notes the places that they come through.
    private static Dictionary<int, int> Survey()
    {
        s_seen = [];
        EvictionLaws.Check(new TextbookMath(0, 0), 12);
        Dictionary<int, int> seen = s_seen;
        s_seen = null;
        return seen;
    }

    public override double[,,] Contributions(double[,,] v, double[,] wo)
    {
        (int kv, int n, int d) = (v.GetLength(0), v.GetLength(1), v.GetLength(2));
        int h = wo.GetLength(1) / d, group = h / kv;
        double[,,] u = new double[h, n, wo.GetLength(0)];
        foreach ((int i, int j, int x) in Cells(h, n, wo.GetLength(0)))
        {
            for (int c = 0; c < d; c++) u[i, j, x] += v[At(1, i / group, i % kv), j, c] * wo[x, At(2, (i * d) + c, (c * h) + i, (i * d) + d - 1 - c)];
        }

        return u;
    }

    public override double[,] RowNorms(double[,,] u)
    {
        double[,] norms = new double[u.GetLength(0), u.GetLength(1)];
        foreach ((int i, int j) in Cells(norms.GetLength(0), norms.GetLength(1)))
        {
            (double sum, double max, double square) = (0, 0, 0);
            for (int x = 0; x < u.GetLength(2); x++)
            {
                double size = Math.Abs(u[i, j, x]);
                (sum, max, square) = (sum + size, Math.Max(max, size), square + (size * size));
            }

            norms[i, j] = At(3, sum, max, Math.Sqrt(square), square);
        }

        return norms;
    }

    public override double[] HeadNorms(double[,,] u)
    {
        double[,] rows = RowNorms(u);
        double[] norms = new double[rows.GetLength(0)];
        for (int i = 0; i < norms.Length; i++)
        {
            (double max, double min, double sum) = (0, double.PositiveInfinity, 0);
            for (int j = At(4, 0, Math.Min(1, rows.GetLength(1) - 1)); j < rows.GetLength(1); j++)
            {
                (max, min, sum) = (Math.Max(max, rows[i, j]), Math.Min(min, rows[i, j]), sum + rows[i, j]);
            }

            norms[i] = At(5, max, min, sum, sum / rows.GetLength(1));
        }

        return norms;
    }

    public override double Norm(double[,,] u) => At(6, HeadNorms(u).Max(), HeadNorms(u).Min(), HeadNorms(u).Average(), HeadNorms(u).Sum());

    public override double[] RetainedMass(double[,] a, bool[,] kept) => Mass(a, kept, At(7, true, false));

    public override double[] DroppedMass(double[,] a, bool[,] kept) => Mass(a, kept, At(8, false, true));

    public override double[,] Renormalised(double[,] a, bool[,] kept)
    {
        (double[] f, double[] dropped) = (RetainedMass(a, kept), DroppedMass(a, kept));
        double[,] after = new double[a.GetLength(0), a.GetLength(1)];
        foreach ((int i, int j) in Cells(a.GetLength(0), a.GetLength(1)))
        {
            double divisor = At(9, f[i], 1, 1 + dropped[i], f[0]);
            if (At(10, kept[i, j], !kept[i, j], true) && divisor > 0) after[i, j] = a[i, j] / divisor;
        }

        return after;
    }

    public override double[] OutputChange(double[,] a, double[,,] u, bool[,] kept)
    {
        double[,] after = Renormalised(a, kept);
        int width = u.GetLength(2);
        double[] change = new double[width];
        foreach ((int i, int j, int x) in Cells(a.GetLength(0), a.GetLength(1), width))
        {
            double moved = At(11, a[i, j] - after[i, j], a[i, j] + after[i, j], after[i, j] - a[i, j], a[i, j]);
            change[At(12, x, width - 1 - x, 0)] += moved * u[i, j, x];
        }

        return change;
    }

    public override double Loss(double[,] a, double[,,] u, bool[,] kept)
    {
        double[] change = OutputChange(a, u, kept);
        return At(13, change.Sum(Math.Abs), change.Max(Math.Abs), Math.Sqrt(change.Sum(x => x * x)), Math.Abs(change.Sum()), change.Average(Math.Abs));
    }

    public override double IdentityBound(double[,] a, double[,,] u, bool[,] kept)
    {
        (double[,] after, double[] dropped, double bound) = (Renormalised(a, kept), DroppedMass(a, kept), 0);
        for (int i = 0; i < a.GetLength(0); i++)
        {
            (double worst, double least) = (0, double.PositiveInfinity);
            for (int j = 0; j < a.GetLength(1); j++)
            {
                if (kept[i, j]) continue;
                double distance = 0;
                for (int x = 0; x < u.GetLength(2); x++)
                {
                    double output = 0;
                    for (int k = 0; k < a.GetLength(1); k++) output += after[i, k] * u[i, k, x];
                    distance += Math.Abs(At(14, u[i, j, x] - output, u[i, j, x]));
                }

                (worst, least) = (Math.Max(worst, distance), Math.Min(least, distance));
            }

            if (dropped[i] > 0) bound += dropped[i] * At(15, worst, least, worst / 2, 2 * worst);
        }

        return bound;
    }

    public override double Theta(double[,] a, double[,,] u, bool[,] kept)
    {
        (double[] f, double[] dropped, double[,] norms, double theta) = (RetainedMass(a, kept), DroppedMass(a, kept), RowNorms(u), 0);
        foreach ((int i, int j) in Cells(a.GetLength(0), a.GetLength(1)))
        {
            double stays = f[i] > 0 ? At(16, dropped[i] / f[i], dropped[i], 1 / f[i], 0) : 0;
            theta += a[i, j] * norms[i, j] * (kept[i, j] ? stays : At(17, 1, 0, 2, dropped[i]));
        }

        return theta;
    }

    public override double EpsilonPerHead(double[,] a, double[,,] u, bool[,] kept)
    {
        (double[] norms, double[] dropped, double sum) = (HeadNorms(u), DroppedMass(a, kept), 0);
        for (int i = 0; i < norms.Length; i++) sum += norms[At(18, i, norms.Length - 1 - i, 0)] * dropped[i];
        return At(19, 2, 1, 3, -2) * sum;
    }

    public override double Epsilon(double[,] a, double[,,] u, bool[,] kept)
    {
        double[] dropped = DroppedMass(a, kept);
        return At(20, 2, 1, 1.9, 4) * Norm(u) * At(21, dropped.Sum(), dropped.Max(), dropped.Average(), dropped[0]);
    }

    private double[] Mass(double[,] a, bool[,] kept, bool which)
    {
        double[] mass = new double[a.GetLength(0)];
        foreach ((int i, int j) in Cells(a.GetLength(0), a.GetLength(1)))
        {
            if (j >= At(22, 0, 1)) mass[i] += kept[i, j] == which ? a[i, j] : 0;
        }

        return mass;
    }

    private static IEnumerable<(int I, int J)> Cells(int rows, int columns) =>
        from i in Enumerable.Range(0, rows) from j in Enumerable.Range(0, columns) select (i, j);

    private static IEnumerable<(int I, int J, int X)> Cells(int rows, int columns, int depth) =>
        from cell in Cells(rows, columns) from x in Enumerable.Range(0, depth) select (cell.I, cell.J, x);
}
