namespace KvIL.Inference.Models.Architectures;

/// <summary>The architectures that KvIL runs.</summary>
public static class KnownArchitectures
{
    /// <summary>All of them.</summary>
    public static IReadOnlyList<Architecture> All { get; } =
    [
        new Llama(), new Mistral(), new Qwen2(), new Qwen3(), new Gemma2(), new Gemma3(), new Phi3(), new SmolLm3(), new Granite(),
        new Olmo2(), new Lckv(), new Hunyuan(), new Gemma3n(), new Gemma4(),
    ];

    /// <summary>The architecture whose class has this name, or null.</summary>
    public static Architecture? OfClass(string name) => All.FirstOrDefault(architecture => architecture.Class == name);

    /// <summary>The architecture of this GGUF name (<c>general.architecture</c>), or null.</summary>
    public static Architecture? OfModelType(string name) => All.FirstOrDefault(architecture => architecture.ModelType == name);

    /// <summary>The known name that takes the fewest edits to become <paramref name="name"/>; the first among equals.</summary>
    /// <param name="name">A name that is not known.</param>
    /// <param name="names">What is known, in either spelling.</param>
    public static string Nearest(string name, Func<Architecture, string> names)
    {
        ArgumentNullException.ThrowIfNull(name);
        string clipped = name.Length > 80 ? name[..80] : name;
        return All.Select(names).MinBy(known => EditDistance.Between(clipped, known))!;
    }
}
