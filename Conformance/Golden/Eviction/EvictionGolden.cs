namespace KvIL.Conformance.Golden.Eviction;

/// <summary>Runs a set of recorded numbers against the definitions, or against a backend's decisions.</summary>
public static class EvictionGolden
{
    /// <summary>Kinds of the format that KvIL does not have.</summary>
    private static readonly string[] Unimplemented = ["merge", "channels", "kivi"];

    private static readonly (string Name, Func<GoldenCase, EvictionRules, bool> Applies)[] Checks =
    [
        ("scores", (c, _) => ScoreChecks.Scores(c)),
        ("critical scores", (c, _) => ScoreChecks.CriticalScores(c)),
        ("raw attention", (c, _) => ScoreChecks.RawAttention(c)),
        ("rows", RowChecks.Rows),
        ("head counts", RowChecks.HeadCounts),
        ("head budgets", (c, _) => RowChecks.HeadBudgets(c)),
        ("rows of a layer", (c, _) => RowChecks.Layer(c)),
        ("layer of a second prompt", (c, _) => RowChecks.LayerOfSecondPrompt(c)),
        ("guaranteed heads", MaskChecks.Ada),
        ("two stages", MaskChecks.Critical),
        ("all heads at once", MaskChecks.Global),
        ("positions", PositionChecks.Positions),
        ("re-rotated keys", (c, _) => TensorChecks.Rerotated(c)),
        ("fake keys", (c, _) => TensorChecks.FakeKeys(c)),
        ("prefix budgets", PrefixChecks.Prefix),
        ("loss", (c, _) => LossChecks.Loss(c)),
        ("loss of uniform", LossChecks.LossOfUniform),
    ];

    /// <summary>Names of all checks.</summary>
    public static IEnumerable<string> CheckNames => Checks.Select(check => check.Name);

    /// <summary>Runs every case of a set; without <paramref name="rules"/> by definition.</summary>
    /// <exception cref="OperationCanceledException"><paramref name="cancelled"/> fired.</exception>
    /// <exception cref="GoldenFormatException">A case lacks something or does not fit together.</exception>
    public static EvictionGoldenReport Run(GoldenSet set, EvictionRules? rules = null, CancellationToken cancelled = default)
    {
        ArgumentNullException.ThrowIfNull(set);
        Dictionary<string, int> applied = [];
        List<EvictionGoldenGroup> groups = [];
        foreach (IGrouping<string, GoldenCase> group in set.Cases.GroupBy(c => c.Group))
        {
            (int passed, List<string> differences, List<string> missing) = (0, [], []);
            foreach (GoldenCase c in group)
            {
                cancelled.ThrowIfCancellationRequested();
                (string? difference, int checks) = Run(c, rules ?? EvictionRules.Definitions, applied);
                if (difference is not null) differences.Add($"{c}: {difference}");
                else if (checks == 0) missing.Add($"{c}: {c.Kind}");
                else passed++;
            }

            groups.Add(new(group.Key, passed, differences, missing));
        }

        if (set.Tables is not null) groups.Add(set.Tables.Run());
        return new(groups, applied);
    }

    // The first difference, or null; and how many checks had something to compare.
    private static (string? Difference, int Checks) Run(GoldenCase c, EvictionRules rules, Dictionary<string, int> applied)
    {
        if (Unimplemented.Contains(c.Kind)) return (null, 0);
        int count = 0;
        foreach ((string name, Func<GoldenCase, EvictionRules, bool> applies) in Checks)
        {
            try
            {
                if (!applies(c, rules)) continue;
                applied[name] = applied.GetValueOrDefault(name) + 1;
                count++;
            }
            catch (GoldenDifferenceException e)
            {
                return (e.Message, count);
            }
            catch (Exception e) when (e is IndexOutOfRangeException or ArgumentException or InvalidOperationException
                or ArithmeticException or NullReferenceException)
            {
                // Lists of other lengths than the parameters say; no case of the format gets here.
                throw c.Fault($"has numbers that do not fit together ({name})");
            }
        }

        return (null, count);
    }
}
