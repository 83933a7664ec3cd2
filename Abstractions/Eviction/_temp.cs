#pragma warning disable CS1591
namespace KvIL.Eviction;
public enum PoolKind { Max, Average }
public enum HeadAllocation { Uniform, Pure, Blend, Floor }
public readonly record struct Ratio(long Numerator, long Denominator);
