using KvIL.Conformance.Generators;
using KvIL.Conformance.Theory;

namespace KvIL.Conformance.Theorems;

/// <summary>The loss of eviction and the bounds on it.</summary>
internal static class LossLaws
{
    private const string Ada = "Ada-KV (arXiv:2407.11550)";

    public static EvictionLaw<LossCase> Output { get; } = new(
        "E1", "The_layers_output_is_the_sum_of_attention_times_contributions", "Σ_i A_i U_i = concat_i(A_i V_{i/G}) W^O", $"{Ada}, eq. (1), (2)",
        "heads concatenated, then projected", (m, c) =>
        {
            (double[,] a, double[,,] v, double[,] wo) = (c.Attention(), c.Values(), c.Projection());
            double[,,] u = m.Contributions(v, wo);
            int d = v.GetLength(2);
            double[] heads = new double[c.Heads * d];
            foreach ((int i, int j) in c.Pairs)
            {
                for (int e = 0; e < d; e++) heads[(i * d) + e] += a[i, j] * v[i / c.Group, j, e];
            }

            for (int x = 0; x < c.Width; x++)
            {
                double expected = Enumerable.Range(0, heads.Length).Sum(e => heads[e] * wo[x, e]);
                double size = c.Pairs.Sum(p => a[p.I, p.J] * Enumerable.Range(0, d).Sum(e => Math.Abs(v[p.I / c.Group, p.J, e] * wo[x, (p.I * d) + e])));
                Near.Equal($"y[{x}]", expected, c.Pairs.Sum(p => a[p.I, p.J] * u[p.I, p.J, x]), m.Gamma(Terms(c)) * size);
            }
        });

    public static EvictionLaw<LossCase> Masked { get; } = new(
        "E2", "L_is_the_L1_distance_to_attention_whose_dropped_logits_are_minus_infinity", "L = ‖Σ_i A_i U_i − Σ_i softmax(ln A_i + ln I_i) U_i‖₁",
        $"{Ada}, eq. (3), (4)", "softmax of masked logits", (m, c) =>
        {
            (double[,] a, double[,,] u, bool[,] kept) = (c.Attention(), c.Contributions(), c.Kept());
            double[] change = new double[c.Width];
            for (int i = 0; i < c.Heads; i++)
            {
                double[] logits = [.. Enumerable.Range(0, c.Tokens).Select(j => kept[i, j] ? Math.Log(a[i, j]) : double.NegativeInfinity)];
                double[] after = logits.All(double.IsNegativeInfinity) ? new double[c.Tokens] : WindowScores.Softmax(logits);
                for (int x = 0; x < change.Length; x++) change[x] += Enumerable.Range(0, c.Tokens).Sum(j => (a[i, j] - after[j]) * u[i, j, x]);
            }

            // The logarithm of 2⁻²⁰ is −13.9: its rounding is 14 u, and exp passes it on.
            Near.Equal("L", change.Sum(Math.Abs), m.Loss(a, u, kept), m.Gamma(Terms(c) + 40) * 2 * c.Heads * Largest(c, u));
        });

    public static EvictionLaw<LossCase> Sharp { get; } = new(
        "E3", "The_bounds_are_attained", "u_j = +1 kept, −1 dropped, D = 1: L = θ = ε_head = ε = 2 Σ_i (1 − F_i)",
        $"{Ada}, theorem 3.1: its constant 2 cannot be smaller", "mass dropped, summed", (m, c) =>
        {
            (double[,] a, bool[,] kept) = (c.Attention(), c.Kept());
            double[,,] u = new double[c.Heads, c.Tokens, 1];
            foreach ((int i, int j) in c.Pairs) u[i, j, 0] = kept[i, j] ? 1 : -1;
            if (Enumerable.Range(0, c.Heads).Any(i => c.Pairs.All(p => p.I != i || !kept[i, p.J] || a[i, p.J] == 0))) return; // F = 0 has no Â
            double expected = 2 * c.Pairs.Where(p => !kept[p.I, p.J]).Sum(p => a[p.I, p.J]), slack = m.Gamma(Terms(c)) * 2 * c.Heads;
            Near.Equal("L", expected, m.Loss(a, u, kept), slack);
            Near.Equal("theta", expected, m.Theta(a, u, kept), slack);
            Near.Equal("the identity's bound", expected, m.IdentityBound(a, u, kept), slack);
            Near.Equal("eps_head", expected, m.EpsilonPerHead(a, u, kept), slack);
            Near.Equal("eps", expected, m.Epsilon(a, u, kept), slack);
        });

    public static EvictionLaw<LossCase> Distance { get; } = new(
        "P1", "The_distance_of_attention_is_twice_the_dropped_mass", "‖A_i − Â_i‖₁ = 2 (1 − F_i) where F_i > 0, Σ_j Â_i^j = 1", "eviction.md 1.2, step 3",
        "sums over kept and dropped tokens", (m, c) =>
        {
            (double[,] a, bool[,] kept) = (c.Attention(), c.Kept());
            double[,] after = m.Renormalised(a, kept);
            (double[] retained, double[] dropped) = (m.RetainedMass(a, kept), m.DroppedMass(a, kept));
            double slack = m.Gamma(4 * c.Tokens);
            for (int i = 0; i < c.Heads; i++)
            {
                double mass = c.Pairs.Where(p => p.I == i && kept[i, p.J]).Sum(p => a[i, p.J]);
                Near.Equal($"F of head {i}", mass, retained[i], slack);
                Near.Equal($"F + (1 - F) of head {i}", 1, retained[i] + dropped[i], slack);
                double[] row = Arrays.Row(after, i);
                Near.Equal($"sum of A^ of head {i}", mass > 0 ? 1 : 0, row.Sum(), slack);
                if (mass > 0) Near.Equal($"distance of head {i}", 2 * dropped[i], row.Zip(Arrays.Row(a, i), (x, y) => Math.Abs(x - y)).Sum(), slack);
            }
        });

    public static EvictionLaw<LossCase> Chain { get; } = new(
        "P2", "L_is_at_most_theta_at_most_eps_head_at_most_eps", "L ≤ θ ≤ ε_head ≤ ε and L ≤ Σ_i (1 − F_i) max_{j dropped} ‖u_j − ô_i‖₁",
        $"{Ada}, theorem 3.1; CriticalKV (arXiv:2502.03805), theorem 3.3", "the functions against one another", (m, c) =>
        {
            (double[,] a, double[,,] u, bool[,] kept) = (c.Attention(), c.Contributions(), c.Kept());
            double loss = m.Loss(a, u, kept), theta = m.Theta(a, u, kept), head = m.EpsilonPerHead(a, u, kept);
            double slack = m.Gamma(Terms(c)) * 2 * c.Heads * Largest(c, u);
            Near.AtMost("0 and L", 0, loss, 0);
            Near.AtMost("L and theta", loss, theta, slack);
            Near.AtMost("L and the identity's bound", loss, m.IdentityBound(a, u, kept), slack);
            Near.AtMost("theta and eps_head", theta, head, slack);
            Near.AtMost("eps_head and eps", head, m.Epsilon(a, u, kept), slack);
        });

    public static EvictionLaw<LossCase> Scaling { get; } = new(
        "P3", "Scaling_the_projection_scales_loss_and_bounds", "W → −4W: L, θ, C, ε_head, ε → 4 times", "norms are homogeneous", "the function at −4W", (m, c) =>
        {
            (double[,] a, double[,,] u, double[,,] v, bool[,] kept) = (c.Attention(), c.Contributions(), c.Contributions(-4), c.Kept());
            double slack = m.Gamma(Terms(c)) * 8 * c.Heads * Largest(c, u);
            Near.Equal("L", 4 * m.Loss(a, u, kept), m.Loss(a, v, kept), slack);
            Near.Equal("theta", 4 * m.Theta(a, u, kept), m.Theta(a, v, kept), slack);
            Near.Equal("C", 4 * m.Norm(u), m.Norm(v), slack);
            Near.Equal("eps_head", 4 * m.EpsilonPerHead(a, u, kept), m.EpsilonPerHead(a, v, kept), slack);
            Near.Equal("eps", 4 * m.Epsilon(a, u, kept), m.Epsilon(a, v, kept), slack);
        });

    public static EvictionLaw<LossCase> Additive { get; } = new(
        "E5", "Theta_and_eps_head_are_sums_over_heads", "θ = Σ_i θ(head i alone), ε_head = Σ_i ε_head(head i alone): heads decouple", "eviction.md 1.3",
        "each head alone", (m, c) =>
        {
            (double[,] a, double[,,] u, bool[,] kept) = (c.Attention(), c.Contributions(), c.Kept());
            double slack = m.Gamma(Terms(c)) * 2 * c.Heads * Largest(c, u), theta = 0, bound = 0;
            for (int i = 0; i < c.Heads; i++)
            {
                int head = i;
                double[,] row = Arrays.Table(1, c.Tokens, (_, j) => a[head, j]);
                (double[,,] own, bool[,] ownKept) = (new double[1, c.Tokens, u.GetLength(2)], new bool[1, c.Tokens]);
                for (int j = 0; j < c.Tokens; j++)
                {
                    ownKept[0, j] = kept[i, j];
                    for (int d = 0; d < u.GetLength(2); d++) own[0, j, d] = u[i, j, d];
                }

                theta += m.Theta(row, own, ownKept);
                bound += m.EpsilonPerHead(row, own, ownKept);
            }

            Near.Equal("theta", theta, m.Theta(a, u, kept), slack);
            Near.Equal("eps_head", bound, m.EpsilonPerHead(a, u, kept), slack);
        });

    public static EvictionLaw<LossCase> KeepAll { get; } = new(
        "P4", "Keeping_all_costs_nothing", "I = 1 ⇒ L = θ = ε_head = ε = 0", $"{Ada}, theorem 3.1 at F = 1", "zero", (m, c) =>
        {
            (double[,] a, double[,,] u) = (c.Attention(), c.Contributions());
            bool[,] all = new bool[c.Heads, c.Tokens];
            foreach ((int i, int j) in c.Pairs) all[i, j] = true;
            double slack = m.Gamma(Terms(c)) * 2 * c.Heads * Largest(c, u);
            Near.Equal("L", 0, m.Loss(a, u, all), slack);
            Near.Equal("theta", 0, m.Theta(a, u, all), slack);
            Near.Equal("eps_head", 0, m.EpsilonPerHead(a, u, all), slack);
            Near.Equal("eps", 0, m.Epsilon(a, u, all), slack);
        });

    public static EvictionLaw<LossCase> MassAlone { get; } = new(
        "P5", "Eps_sees_mass_and_not_tokens", "ε(A π, U, I π) = ε(A, U, I) for a permutation π of the tokens", "eviction.md 1.2: ε is a function of C and Σ F",
        "the function at permuted tokens", (m, c) =>
        {
            (double[,] a, double[,,] u, bool[,] kept) = (c.Attention(), c.Contributions(), c.Kept());
            int[] order = [.. Enumerable.Range(0, c.Tokens)];
            new Random(c.Seed).Shuffle(order);
            bool[,] moved = new bool[c.Heads, c.Tokens];
            foreach ((int i, int j) in c.Pairs) moved[i, j] = kept[i, order[j]];
            double[,] b = Arrays.Table(c.Heads, c.Tokens, (i, j) => a[i, order[j]]);
            double slack = m.Gamma(Terms(c)) * 2 * c.Heads * Largest(c, u);
            Near.Equal("eps", m.Epsilon(a, u, kept), m.Epsilon(b, u, moved), slack);
            Near.Equal("eps_head", m.EpsilonPerHead(a, u, kept), m.EpsilonPerHead(b, u, moved), slack);
        });

    public static EvictionLaw<LossCase> Identity { get; } = new(
        "P6", "The_change_is_what_dropped_tokens_add_beyond_the_output", "y − ŷ = Σ_i Σ_{j dropped} A_i^j (u_i^j − ô_i), ô_i = Â_i U_i", "eviction.md 1.3",
        "the identity, summed", (m, c) =>
        {
            (double[,] a, double[,,] u, bool[,] kept) = (c.Attention(), c.Contributions(), c.Kept());
            double[] change = m.OutputChange(a, u, kept);
            Expect.True(change.Length == c.Width, $"expected {c.Width} coordinates, got {change.Length}");
            for (int x = 0; x < c.Width; x++)
            {
                double expected = Enumerable.Range(0, c.Heads).Sum(i =>
                {
                    double f = c.Pairs.Where(p => p.I == i && kept[i, p.J]).Sum(p => a[i, p.J]);
                    double after = f > 0 ? c.Pairs.Where(p => p.I == i && kept[i, p.J]).Sum(p => a[i, p.J] * u[i, p.J, x]) / f : 0;
                    return c.Pairs.Where(p => p.I == i && !kept[i, p.J]).Sum(p => a[i, p.J] * (u[i, p.J, x] - after));
                });
                Near.Equal($"change [{x}]", expected, change[x], m.Gamma(Terms(c)) * 2 * c.Heads * Largest(c, u));
            }
        });

    public static EvictionLaw<LossCase> Norm { get; } = new(
        "P7", "C_is_the_induced_norm", "C = max_{‖x‖₁ = 1} ‖x U_i‖₁, attained at a unit vector", "eviction.md 1.2: the largest L1 norm of a row", "unit vectors and signs",
        (m, c) =>
        {
            double[,,] u = c.Contributions();
            (double[] heads, double[,] rows, double norm) = (m.HeadNorms(u), m.RowNorms(u), m.Norm(u));
            double slack = m.Gamma(4 * (c.Tokens + c.Width)) * Largest(c, u);
            Random random = new(c.Seed);
            for (int i = 0; i < c.Heads; i++)
            {
                double[] units = [.. Enumerable.Range(0, c.Tokens).Select(j => Enumerable.Range(0, c.Width).Sum(x => Math.Abs(u[i, j, x])))];
                Near.Equal($"C of head {i}", units.Max(), heads[i], slack);
                for (int j = 0; j < c.Tokens; j++) Near.Equal($"norm of row {j}", units[j], rows[i, j], slack);
                int[] signs = [.. Enumerable.Range(0, c.Tokens).Select(_ => random.Next(-1, 2))];
                double mixed = Enumerable.Range(0, c.Width).Sum(x => Math.Abs(Enumerable.Range(0, c.Tokens).Sum(j => signs[j] * u[i, j, x])));
                Near.AtMost($"|x U| of head {i}", mixed, heads[i] * signs.Sum(Math.Abs), slack * c.Tokens);
            }

            Near.Equal("C", heads.Max(), norm, slack);
        });

    public static EvictionLaw<LossCase> MassOnlyFalls { get; } = new(
        "R7", "Dropping_a_token_never_adds_mass", "I' ⊆ I ⇒ F' ≤ F, ε'_head ≥ ε_head, ε' ≥ ε; 0 ≤ F ≤ 1", "related.md 10, law 7; law 12 for the loss's bound",
        "the functions with one token less", (m, c) =>
        {
            (double[,] a, double[,,] u, bool[,] kept) = (c.Attention(), c.Contributions(), c.Kept());
            bool[,] fewer = (bool[,])kept.Clone();
            foreach ((int i, int j) in c.Pairs.Where(p => kept[p.I, p.J]).Take(1)) fewer[i, j] = false;
            double slack = m.Gamma(Terms(c)) * 2 * c.Heads * Largest(c, u);
            foreach ((double less, double more) in m.RetainedMass(a, fewer).Zip(m.RetainedMass(a, kept)))
            {
                Near.AtMost("mass", less, more, m.Gamma(4 * c.Tokens));
                Expect.True(less >= 0 && more <= 1 + m.Gamma(4 * c.Tokens), $"mass {less:R} or {more:R} is outside of [0, 1]");
            }

            Near.AtMost("eps", m.Epsilon(a, u, kept), m.Epsilon(a, u, fewer), slack);
            Near.AtMost("eps_head", m.EpsilonPerHead(a, u, kept), m.EpsilonPerHead(a, u, fewer), slack);
        });

    /// <summary>Every law here.</summary>
    public static IEnumerable<EvictionLaw> All => [Output, Masked, Sharp, Additive, Distance, Chain, Scaling, KeepAll, MassAlone, Identity, Norm, MassOnlyFalls];

    // More than the roundings along any path from the data to a figure.
    private static double Terms(LossCase c) => 4.0 * (c.Heads + c.Tokens + c.Width + 8);

    private static double Largest(LossCase c, double[,,] u) =>
        c.Pairs.Max(p => Enumerable.Range(0, c.Width).Sum(x => Math.Abs(u[p.I, p.J, x])));
}
