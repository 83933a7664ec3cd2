namespace KvIL.Conformance.Theorems;

/// <summary>The rows of one layer: for each KV head keys and values <c>[rows, d]</c> and the tokens' positions.</summary>
public sealed record HeadRows(double[][][] Keys, double[][][] Values, int[][] Positions)
{
    /// <summary>Rows of each head.</summary>
    public int[] Lengths => [.. Positions.Select(p => p.Length)];
}
