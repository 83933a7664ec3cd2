namespace KvIL.Gpu;

/// <summary>The GPU that was asked for cannot be had; the message says why in one sentence.</summary>
public sealed class GpuUnavailableException(string message, Exception? inner = null) : Exception(message, inner);
