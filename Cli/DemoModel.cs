using KvIL.Inference.Files;

namespace KvIL.Cli;

/// <summary>The small model that comes with the tool.</summary>
internal static class DemoModel
{
    private const string Folder = "models/kvil-demo";

    /// <summary>Its directory: beside the tool, else in the repository that the tool was built in.</summary>
    /// <exception cref="ModelFileException">It is in neither place.</exception>
    public static string Find()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string model = Path.Combine(folder.FullName, Folder);
            if (File.Exists(Path.Combine(model, "config.json")))
            {
                return model;
            }
        }

        throw new ModelFileException(
            $"{Path.Combine(AppContext.BaseDirectory, Folder)}: the model that comes with the tool is missing; build or install the tool again.");
    }

    /// <summary>Its prompts with a fact hidden in a long text.</summary>
    public static string Prompts(string directory) => Path.Combine(directory, "needle-grimm.jsonl");
}
