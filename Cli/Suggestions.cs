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
        .Select(candidate => (candidate, distance: EditDistance.Between(word, candidate)))
        .Where(pair => pair.distance <= Math.Max(1, pair.candidate.Length / 3))
        .OrderBy(pair => pair.distance)
        .Select(pair => pair.candidate)
        .FirstOrDefault();
}
