using KvIL.Inference.Files;
using KvIL.Inference.Tokenization.Bpe;
using KvIL.Inference.Tokenization.Patterns;

namespace KvIL.Inference.Tokenization.Json;

/// <summary>Reads the <c>pre_tokenizer</c> of a tokenizer.json: what cuts text into words.</summary>
internal static class PreTokenizerJson
{
    private const string Punctuation = @"[\p{P}$+<=>^`|~]";

    /// <summary>The steps in order.</summary>
    /// <exception cref="ModelFileException">One is not supported.</exception>
    public static IReadOnlyList<IWordCut> Read(JsonValue? preTokenizer) =>
        [.. JsonParts.Flatten(preTokenizer, "pretokenizers").SelectMany(ReadStep)];

    private static IEnumerable<IWordCut> ReadStep(JsonValue step)
    {
        switch (JsonParts.TypeOf(step))
        {
            case "ByteLevel":
                return ReadByteLevel(step);
            case "Split":
                return [new PatternCut(JsonParts.ReadPattern(step), ReadBehavior(step, null), JsonParts.Flag(step, "invert"))];
            case "Digits":
                return [Cut(JsonParts.Flag(step, "individual_digits") ? @"\p{N}" : @"\p{N}+")];
            case "Punctuation":
                return [Cut(Punctuation, ReadBehavior(step, CutBehavior.Isolated))];
            case "Metaspace":
                return [ReadMetaspace(step)];
            case "Whitespace":
                return [Cut(@"\w+|[^\w\s]+", CutBehavior.Removed, invert: true)];
            case "WhitespaceSplit":
                return [Cut(@"\s", CutBehavior.Removed)];
            default:
                throw JsonParts.NotSupported(
                    step, "a pre-tokenizer",
                    "'ByteLevel', 'Split', 'Digits', 'Punctuation', 'Metaspace', 'Whitespace', 'WhitespaceSplit' and 'Sequence'");
        }
    }

    private static PatternCut Cut(string pattern, CutBehavior behavior = CutBehavior.Isolated, bool invert = false) =>
        new(Pattern.Parse(pattern), behavior, invert);

    private static IEnumerable<IWordCut> ReadByteLevel(JsonValue step)
    {
        if (JsonParts.Flag(step, "add_prefix_space", otherwise: true))
        {
            yield return new PrefixCut(' ');
        }

        if (JsonParts.Flag(step, "use_regex", otherwise: true))
        {
            yield return Cut(KnownPatterns.Gpt2);
        }

        yield return new ByteSpelling();
    }

    private static IWordCut ReadMetaspace(JsonValue step)
    {
        // Older files say add_prefix_space, newer ones which texts get the blank.
        JsonValue? scheme = step.Find("prepend_scheme");
        string name = scheme?.String() ?? (JsonParts.Flag(step, "add_prefix_space", otherwise: true) ? "always" : "never");
        if (name is not ("always" or "first" or "never"))
        {
            throw scheme!.Value.Expected("'always', 'first' or 'never'");
        }

        return new Metaspace(
            JsonParts.Character(step, "replacement", '\u2581'), always: name == "always", first: name == "first",
            splits: JsonParts.Flag(step, "split", otherwise: true));
    }

    private static CutBehavior ReadBehavior(JsonValue step, CutBehavior? otherwise)
    {
        if (step.Find("behavior") is not { } behavior)
        {
            return otherwise ?? throw step.Error("the field 'behavior' is missing");
        }

        return behavior.String() switch
        {
            "Isolated" => CutBehavior.Isolated,
            "Removed" => CutBehavior.Removed,
            "MergedWithPrevious" => CutBehavior.MergedWithPrevious,
            "MergedWithNext" => CutBehavior.MergedWithNext,
            "Contiguous" => CutBehavior.Contiguous,
            _ => throw behavior.Expected("'Isolated', 'Removed', 'MergedWithPrevious', 'MergedWithNext' or 'Contiguous'"),
        };
    }
}
