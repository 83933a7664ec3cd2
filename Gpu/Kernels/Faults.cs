namespace KvIL.Gpu.Kernels;

/// <summary>What a kernel may report instead of writing where it must not; <see cref="KvIL.Backends.IQueue.Synchronize"/> throws it.</summary>
internal static class Faults
{
    /// <summary>Nothing.</summary>
    public const int None = 0;

    /// <summary>A compaction's fresh store cannot hold the kept rows and their slack.</summary>
    public const int StoreTooSmall = 1;

    /// <summary>A token is outside the vocabulary.</summary>
    public const int TokenOutsideVocabulary = 2;

    /// <summary>The fault as a sentence.</summary>
    public static string Message(int fault) => fault switch
    {
        StoreTooSmall => "The fresh store of a compaction has fewer rows than the kept ones and their slack need.",
        TokenOutsideVocabulary => "A token is outside the vocabulary of the embedding table.",
        _ => $"The device reported fault {fault}.",
    };
}
