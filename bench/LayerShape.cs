namespace KvIL.Bench;

/// <summary>Heads of one layer.</summary>
internal readonly record struct LayerShape(int QueryHeads, int KvHeads, int HeadDim);
