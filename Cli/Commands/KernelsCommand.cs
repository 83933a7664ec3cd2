using System.CommandLine;
using KvIL.Cli.Kernels;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil kernels</c>: what the GPU kernels compute, take and cost, and their PTX.</summary>
internal static class KernelsCommand
{
    public static Command Create(CommandContext context)
    {
        Argument<string?> name = new("NAME")
        {
            Description = "A kernel, such as WindowSums, or one of its texts, such as WindowSums_F16; all kernels unless given.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Option<bool> ptx = new("--ptx") { Description = "Prints the PTX too, under the description as comments." };
        Option<bool> json = CommonOptions.Json("Prints one JSON object in place of the text.");
        Command command = new("kernels", "Shows the GPU kernels: what each computes, its arguments, registers and PTX.") { name, ptx, json };
        command.SetAction(parse =>
        {
            Show(context.Terminal, parse.GetValue(name), parse.GetValue(ptx), parse.GetValue(json));
            return App.Success;
        });
        return command;
    }

    private static void Show(Terminal terminal, string? name, bool ptx, bool json)
    {
        IReadOnlyList<GpuKernel> all = KernelCatalog.Load();
        if (name is null)
        {
            if (ptx)
            {
                throw new UsageException("--ptx needs the NAME of a kernel; kvil kernels lists them.");
            }

            if (json)
            {
                Json.Write(terminal, new { Kernels = all });
            }
            else
            {
                KernelPage.WriteList(terminal, all);
            }

            return;
        }

        GpuKernel kernel = Find(all, name);
        string? text = ptx ? KernelCatalog.Ptx(OneText(kernel)) : null;
        if (json)
        {
            Json.Write(terminal, new { kernel.Name, kernel.Summary, kernel.Ownership, kernel.Arguments, kernel.Texts, Ptx = text });
        }
        else
        {
            KernelPage.Write(terminal, kernel, text);
        }
    }

    /// <summary>The kernel of that name; under the name of a text, with that text alone.</summary>
    private static GpuKernel Find(IReadOnlyList<GpuKernel> all, string name)
    {
        foreach (GpuKernel kernel in all)
        {
            KernelText[] texts = [.. kernel.Texts.Where(text => Same(text.Name, name))];
            if (Same(kernel.Name, name) || texts.Length > 0)
            {
                return texts.Length > 0 ? kernel with { Texts = texts } : kernel;
            }
        }

        string complaint = $"There is no kernel '{name}'";
        throw new UsageException(Suggestions.Nearest(name, all.SelectMany(kernel => kernel.Texts.Select(text => text.Name).Prepend(kernel.Name))) is string meant
            ? $"{complaint}; did you mean '{meant}'?"
            : $"{complaint}; kvil kernels lists them.");
    }

    private static KernelText OneText(GpuKernel kernel) => kernel.Texts is [KernelText only]
        ? only
        : throw new UsageException(
            $"{kernel.Name} has a text for each choice of element types; name one of {string.Join(", ", kernel.Texts.Select(text => text.Name))}.");

    private static bool Same(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
}
