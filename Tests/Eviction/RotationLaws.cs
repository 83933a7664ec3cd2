using KvIL.Conformance.Theory;
using Xunit;

namespace KvIL.Tests.Eviction;

/// <summary>Rotary positions, re-rotation of compacted heads, and why a fake key is no eviction.</summary>
public sealed class RotationLaws
{
    private const double Theta = 10_000, Slack = 1e-12;

    [Fact]
    public void Turns_add_up_and_keep_the_length() => Law.ForAll(ScoreCase.Cases, c =>
    {
        double[] x = Arrays.Vector(c.Inputs().Keys, 0, 0);
        Near(Rotation.Turn(x, 12, Theta), Rotation.Turn(Rotation.Turn(x, 5, Theta), 7, Theta));
        Near(x, Rotation.Turn(Rotation.Turn(x, 5, Theta), -5, Theta));
        Assert.InRange(Arrays.Norm(Rotation.Turn(x, 5, Theta)) - Arrays.Norm(x), -Slack, Slack);
    });

    [Fact]
    public void A_product_sees_the_distance_of_positions_alone() => Law.ForAll(ScoreCase.Cases, c =>
    {
        (double[] q, double[] k) = (Arrays.Vector(c.Inputs().Queries, 0, 0), Arrays.Vector(c.Inputs().Keys, 0, 0));
        double Logit(int t, int j) => Arrays.Dot(Rotation.Turn(q, t, Theta), Rotation.Turn(k, j, Theta));
        Assert.InRange(Logit(9, 4) - Logit(29, 24), -1e-10, 1e-10);
    });

    [Fact]
    public void Rerotated_keys_are_keys_at_their_new_places() => Law.ForAll(ScoreCase.Cases, c => IsRerotated(c, Rotation.Rerotated));

    [Fact]
    public void Mutant_turned_the_other_way() => Law.Catches(ScoreCase.Cases, c => IsRerotated(c, (keys, positions, theta) =>
        [.. keys.Select((k, row) => Rotation.Turn(k, positions[row] - row, theta))]));

    [Fact]
    public void The_mean_turn_of_one_place_is_a_turn_and_of_many_is_shorter() => Law.ForAll(ScoreCase.Cases, c =>
    {
        double[] x = Arrays.Vector(c.Inputs().Keys, 0, 0);
        Near(Rotation.Turn(x, 9, Theta), Rotation.MeanTurn([x], 9, 1, Theta)[0]);
        Assert.True(Arrays.Norm(Rotation.MeanTurn([x], 0, 50, Theta)[0]) < Arrays.Norm(x));
    });

    [Fact]
    public void A_fake_key_repels_the_queries_it_was_made_for() => Law.ForAll(ScoreCase.Cases, c =>
    {
        double[][] queries = [.. Arrays.Vectors(c.Inputs().Queries, 0).Take(c.Group)];
        if (FakeKey.Find(queries) is not { } key) return; // two opposite queries have none
        Assert.All(queries, q => Assert.True(Arrays.Dot(q, key) < 0));
    });

    [Fact]
    public void Counterexample_a_fake_key_attracts_later_queries()
    {
        double[][] queries = [[1, 0], [-0.9, 0.5]];
        double[] key = FakeKey.Find(queries)!;
        Assert.All(queries, q => Assert.True(Arrays.Dot(q, key) < 0));

        // A query that comes later, against the first: all of its attention goes to the row that was "evicted".
        double[] later = [-1, 0];
        double[] weights = WindowScores.Softmax([Arrays.Dot(later, key), Arrays.Dot(later, [1, 1])]);
        Assert.InRange(weights[0], 0.99, 1);
    }

    private static void IsRerotated(ScoreCase c, Func<double[][], int[], double, double[][]> rerotate)
    {
        double[][] raw = Arrays.Vectors(c.Inputs().PreRopeKeys, 0);
        int[] kept = [.. Enumerable.Range(0, c.Length).Where(j => (c.Seed >> (j % 16) & 1) == 1)];
        double[][] placed = [.. kept.Select(j => Rotation.Turn(raw[j], j, Theta))];
        double[][] moved = rerotate(placed, kept, Theta);
        for (int row = 0; row < kept.Length; row++) Near(Rotation.Turn(raw[kept[row]], row, Theta), moved[row]);
    }

    private static void Near(double[] expected, double[] actual) =>
        Assert.All(expected.Zip(actual), p => Assert.InRange(p.First - p.Second, -Slack, Slack));
}
