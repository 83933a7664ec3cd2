namespace KvIL.Cli.Kernels;

/// <summary>A kernel of the GPU backend, told from its source and its committed texts.</summary>
/// <param name="Name">Name of its type.</param>
/// <param name="Summary">What it computes.</param>
/// <param name="Ownership">Who owns which part of the work.</param>
/// <param name="Arguments">The struct that it takes, field by field.</param>
/// <param name="Texts">Its PTX, one for each choice of element types.</param>
internal sealed record GpuKernel(
    string Name, string Summary, string Ownership, IReadOnlyList<KernelArgument> Arguments, IReadOnlyList<KernelText> Texts);

/// <summary>A field of a kernel's arguments.</summary>
internal sealed record KernelArgument(string Name, string Type, string Summary);

/// <summary>One PTX text.</summary>
/// <param name="Name">The kernel's name and its element types.</param>
/// <param name="Registers">Registers of a thread by architecture.</param>
internal sealed record KernelText(string Name, IReadOnlyDictionary<string, int> Registers);
