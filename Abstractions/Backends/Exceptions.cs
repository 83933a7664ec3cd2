namespace KvIL.Backends;

/// <summary>A device cannot hold what was asked of it; nothing was allocated.</summary>
public sealed class InsufficientDeviceMemoryException(string message) : Exception(message);

/// <summary>A device failed while it ran work that had been enqueued.</summary>
public sealed class DeviceFaultException(string message, Exception? inner = null) : Exception(message, inner);
