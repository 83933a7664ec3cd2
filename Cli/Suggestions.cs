using System.CommandLine;

namespace KvIL.Cli;

/// <summary>Says in one sentence why a command line means nothing, with the word that was probably meant.</summary>
internal static class Suggestions
{
    public static string Explain(ParseResult parse)
    {
        Command command = parse.CommandResult.Command;
        bool atRoot = command is RootCommand;
        string name = atRoot ? "kvil" : $"kvil {command.Name}";
        if (parse.UnmatchedTokens is [string word, ..])
        {
            bool option = word.StartsWith('-');
            IEnumerable<string> known = option
                ? command.Options.SelectMany(o => o.Aliases.Prepend(o.Name))
                : command.Subcommands.Select(c => c.Name);
            string kind = option ? "option" : "command";
            string complaint = option || atRoot ? $"{name} has no {kind} '{word}'" : $"{name} does not know what to do with '{word}'";
            return Nearest(word, known) is string meant
                ? $"{complaint}; did you mean '{meant}'?"
                : $"{complaint}; {name} --help lists what there is.";
        }

        string message = Terminal.Visible(parse.Errors[0].Message.ReplaceLineEndings(" ").TrimEnd('.'));
        return $"{message}; {name} --help says more.";
    }

    /// <summary>The known word with the fewest changes from <paramref name="word"/>, if they are few.</summary>
    public static string? Nearest(string word, IEnumerable<string> known) => known
        .Select(candidate => (candidate, distance: Distance(word, candidate)))
        .Where(pair => pair.distance <= Math.Max(1, pair.candidate.Length / 3))
        .OrderBy(pair => pair.distance)
        .Select(pair => pair.candidate)
        .FirstOrDefault();

    // Levenshtein 1966, but a swap of neighbours is one change.
    private static int Distance(string a, string b)
    {
        int[,] d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    d[i, j] = i + j;
                    continue;
                }

                int replaced = d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
                d[i, j] = Math.Min(replaced, 1 + Math.Min(d[i - 1, j], d[i, j - 1]));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
                }
            }
        }

        return d[a.Length, b.Length];
    }
}
