using KvIL.Conformance.Theory;

namespace KvIL.Conformance.Golden.Eviction;

/// <summary>Recorded tensors that are neither scores nor selections: kind <c>tensor</c>.</summary>
internal static class TensorChecks
{
    /// <summary>Keys turned to neighbouring positions, 1e-6 of the largest entry.</summary>
    public static bool Rerotated(GoldenCase c)
    {
        if (c.Kind != "tensor" || !c.Has("rerotated_k", "k")) return false;
        GoldenTensor keys = c.Tensor("k", 3);
        double[,,] k = keys.Cube();
        int[][] kept = RowChecks.Kept(c) ?? throw c.Fault("has a head without kept rows");
        if (kept.Length != keys.Shape[0] || kept.Any(r => r.Length != kept[0].Length || r.Any(j => j >= keys.Shape[1])))
        {
            throw c.Fault("has kept rows that are not of its keys");
        }

        double[,,] recorded = c.Tensor("rerotated_k", kept.Length, kept[0].Length, keys.Shape[2]).Cube();
        for (int h = 0; h < kept.Length; h++)
        {
            double[][] mine = Rotation.Rerotated([.. kept[h].Select(j => Arrays.Vector(k, h, j))], kept[h], c.Param("rope_theta", 10_000.0));
            double max = mine.SelectMany(row => row).Select(Math.Abs).Max();
            for (int x = 0; x < mine.Length * keys.Shape[2]; x++)
            {
                (int j, int e) = (x / keys.Shape[2], x % keys.Shape[2]);
                Compare.Near($"rerotated_k[{h}, {j}, {e}]", recorded[h, j, e], mine[j][e], 1e-6, max);
            }
        }

        return true;
    }

    /// <summary>The fake key: every query of its group has a negative product with it; and it is the one that the search finds.</summary>
    public static bool FakeKeys(GoldenCase c)
    {
        if (c.Kind != "tensor" || !c.Has("fake_key", "qd")) return false;
        GoldenTensor queries = c.Tensor("qd", 2);
        GoldenTensor recorded = c.Tensor("fake_key", 2);
        (int h, int kv, int d) = (queries.Shape[0], recorded.Shape[0], queries.Shape[1]);
        if (h % kv != 0 || recorded.Shape[1] != d) throw c.Fault("has a fake key for other heads");
        double[,] q = queries.Matrix();
        for (int g = 0; g < kv; g++)
        {
            double[] key = Arrays.Row(recorded.Matrix(), g);
            double[][] group = [.. Enumerable.Range(g * (h / kv), h / kv).Select(i => Arrays.Row(q, i))];
            Compare.Holds($"fake_key[{g}]: a query's product with it is not negative", group.All(query => Arrays.Dot(query, key) < 0));
            double[] mine = FakeKey.Find(group) ?? throw new GoldenDifferenceException($"fake_key[{g}]: recorded one, found none");
            for (int e = 0; e < d; e++) Compare.Near($"fake_key[{g}, {e}]", key[e], mine[e], 1e-5, Arrays.Norm(mine));
        }

        return true;
    }
}
