using KvIL.Ops;

namespace KvIL.Conformance.Oracle;

/// <summary>Finds the definition of an op.</summary>
internal static class OracleOps
{
    /// <summary>Runs one op.</summary>
    public static void Execute(Op op, OracleFrame f)
    {
        switch (op)
        {
            case EmbedOp o: TransformerOps.Embed(o, f); break;
            case RmsNormOp o: TransformerOps.RmsNorm(o, f); break;
            case UnitNormOp o: TransformerOps.UnitNorm(o, f); break;
            case GainOp o: TransformerOps.Gain(o, f); break;
            case LinearOp o: TransformerOps.Linear(o, f); break;
            case RotationOp o: TransformerOps.Rotation(o, f); break;
            case RopeOp o: TransformerOps.Rope(o, f); break;
            case AddOp o: TransformerOps.Add(o, f); break;
            case SwiGluOp o: TransformerOps.SwiGlu(o, f); break;
            case GeGluOp o: TransformerOps.GeGlu(o, f); break;
            case ScaleOp o: TransformerOps.Scale(o, f); break;
            case SoftCapOp o: TransformerOps.SoftCap(o, f); break;
            case GatherRowsOp o: TransformerOps.GatherRows(o, f); break;
            case ColumnsOp o: StreamOps.Columns(o, f); break;
            case ConcatenateOp o: StreamOps.Concatenate(o, f); break;
            case MixOp o: StreamOps.Mix(o, f); break;
            case MatchRmsOp o: StreamOps.MatchRms(o, f); break;
            case SparsifyOp o: StreamOps.Sparsify(o, f); break;
            case KnownTokensOp o: StreamOps.KnownTokens(o, f); break;
            case AppendOp o: CacheOps.Append(o, f); break;
            case ReplaceRowsOp o: CacheOps.ReplaceRows(o, f); break;
            case RowChangeOp o: CacheOps.RowChange(o, f); break;
            case AttendOp o: CacheOps.Attend(o, f); break;
            case RememberQueriesOp o: CacheOps.RememberQueries(o, f); break;
            case CompactOp o: CacheOps.Compact(o, f); break;
            case WindowScoresOp o: ScoreOps.WindowScores(o, f); break;
            case RecencyScoresOp o: ScoreOps.RecencyScores(o, f); break;
            case GroupMeanOp o: ScoreOps.GroupMean(o, f); break;
            case PoolOp o: ScoreOps.Pool(o, f); break;
            case MaximumOp o: ScoreOps.Maximum(o, f); break;
            case AllocateHeadsOp o: AllocationOps.AllocateHeads(o, f); break;
            case SelectRowsOp o: AllocationOps.SelectRows(o, f); break;
            case EvictionLossOp o: LossOps.EvictionLoss(o, f); break;
            case ScoreRowsOp o: RowScoreOps.ScoreRows(o, f); break;
            case WeighHeadsOp o: RankingOps.WeighHeads(o, f); break;
            case ScaleByMassOp o: RankingOps.ScaleByMass(o, f); break;
            case TwoStageScoresOp o: RankingOps.TwoStageScores(o, f); break;
            case ChunkScoresOp o: RankingOps.ChunkScores(o, f); break;
            case ProtectRowsOp o: RankingOps.ProtectRows(o, f); break;
            case RerotateOp o: RankingOps.Rerotate(o, f); break;
            case LayerPreferenceOp o: RankingOps.LayerPreference(o, f); break;
            default: throw new NotSupportedException($"oracle: no definition of {op.Name}.");
        }
    }

    /// <summary>Σ_{k &lt; n} term(k), in ascending order.</summary>
    public static double Sum(int n, Func<int, double> term)
    {
        double sum = 0;
        for (int k = 0; k < n; k++)
        {
            sum += term(k);
        }

        return sum;
    }
}
