using System.CommandLine;
using System.Globalization;
using KvIL.Inference.Tokenization;

namespace KvIL.Cli.Commands;

/// <summary><c>kvil tokenize</c>: the tokens of a text, and whether a tokenizer gives the ids that it should.</summary>
internal sealed class TokenizeCommand
{
    private readonly CommandContext _context;

    private readonly Argument<string> _model = new("MODEL")
    {
        Description = "Directory with tokenizer.json, a GGUF file (a vocabulary alone will do), or a llama2.c model or tokenizer.bin.",
    };

    private readonly Argument<string?> _text = new("TEXT")
    {
        Description = "The text; the standard input unless given.",
        Arity = ArgumentArity.ZeroOrOne,
    };

    private readonly Option<bool> _special = new("--special") { Description = "Reads the spelling of special tokens as those tokens." };

    private readonly Option<string?> _check = new("--check")
    {
        HelpName = "FILE",
        Description = "Compares with a JSON array of {\"text\", \"ids\"} in place of reading a text; see below.",
    };

    private readonly Option<bool> _json = CommonOptions.Json("Prints one JSON object in place of the lines.");

    private TokenizeCommand(CommandContext context) => _context = context;

    public static Command Create(CommandContext context)
    {
        TokenizeCommand tokenize = new(context);
        Command command = new("tokenize", "Shows the tokens of a text.")
        {
            tokenize._model, tokenize._text, tokenize._special, tokenize._check, tokenize._json,
        };
        command.SetAction(tokenize.Execute);
        return command;
    }

    private int Execute(ParseResult parse)
    {
        Terminal terminal = _context.Terminal;
        string path = CommonOptions.ReadModel(parse, _model);
        string? text = parse.GetValue(_text);
        bool special = parse.GetValue(_special);
        bool json = parse.GetValue(_json);
        if (parse.GetValue(_check) is not { } vectors)
        {
            ITokenizer tokenizer = Tokenizers.Load(path);
            Show(tokenizer, text ?? PromptSource.ReadText("-", terminal, "TEXT"), special, json);
            return App.Success;
        }

        if (text is not null || special)
        {
            throw new UsageException("--check takes its texts, and whether special tokens are read, from the file; leave TEXT and --special out.");
        }

        return Check(Tokenizers.Load(path), TokenizerVector.Read(vectors), json) ? App.Success : App.Failure;
    }

    private void Show(ITokenizer tokenizer, string text, bool special, bool json)
    {
        int[] ids = tokenizer.Encode(text, addBos: false, special);
        if (json)
        {
            Json.Write(_context.Terminal, new
            {
                Tokenizer = tokenizer.Kind,
                Ids = ids,
                Tokens = ids.Select(id => new
                {
                    Id = id,
                    Token = tokenizer.TokenOf(id),
                    Bytes = Convert.ToHexStringLower(tokenizer.BytesOf(id).Span),
                    Special = tokenizer.IsSpecial(id),
                }),
            });
            return;
        }

        int width = ids.Length == 0 ? 0 : Number(ids.Max()).Length;
        foreach (int id in ids)
        {
            _context.Cancelled.ThrowIfCancellationRequested();
            _context.Terminal.Out.WriteLine($"{Number(id).PadLeft(width)}  {TokenText.Quoted(tokenizer, id)}");
        }

        string bos = tokenizer is { AddsBos: true, BosId: { } first } ? $"; a prompt starts with {Number(first)}, {TokenText.Quoted(tokenizer, first)}" : "";
        _context.Terminal.Error.WriteLine($"{ids.Length} tokens of {tokenizer.VocabSize}, {tokenizer.Kind}{bos}");
    }

    private bool Check(ITokenizer tokenizer, IReadOnlyList<TokenizerVector> vectors, bool json)
    {
        List<VectorFailure> failures = [];
        for (int i = 0; i < vectors.Count; i++)
        {
            _context.Cancelled.ThrowIfCancellationRequested();
            if (vectors[i].Test(tokenizer, i) is { } failure)
            {
                failures.Add(failure);
            }
        }

        Terminal terminal = _context.Terminal;
        int passed = vectors.Count - failures.Count;
        if (json)
        {
            Json.Write(terminal, new { Passed = passed, Total = vectors.Count, FirstFailure = failures.FirstOrDefault() });
            return failures.Count == 0;
        }

        if (failures is [VectorFailure first, ..])
        {
            terminal.Out.WriteLine($"entry {first.Entry}: {TokenText.Quote(first.Text)}");
            terminal.Out.WriteLine($"  expected {string.Join(' ', first.Expected)}");
            terminal.Out.WriteLine($"  got      {string.Join(' ', first.Got)}");
            if (first.Decoded is { } decoded)
            {
                terminal.Out.WriteLine($"  which decodes to {TokenText.Quote(decoded)}");
            }
        }

        terminal.Out.WriteLine($"{passed} of {vectors.Count} passed");
        return failures.Count == 0;
    }

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
