using KvIL.Inference.Tokenization.Bpe;
using KvIL.Inference.Tokenization.Patterns;

namespace KvIL.Inference.Tokenization.Gguf;

/// <summary>How the tokenizers that GGUF files name cut text into words: <c>tokenizer.ggml.pre</c>.</summary>
/// <remarks>
/// The patterns are what llama.cpp matches for each name, which the file's converter checked; where that differs from the
/// model's own tokenizer.json (o200k and tekken see letters beyond ASCII without their case), llama.cpp's is taken, since
/// GGUF files are made for it. Each pattern cuts the words that the one before it left.
/// </remarks>
internal static class GgufWordCuts
{
    private const string Contractions = @"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
    private const string EndOfLlama3 = @" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string EndOfO200k = @" ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+";
    private const string Gpt2 = KnownPatterns.Gpt2;
    private const string Llama3 = $@"{Contractions}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}|{EndOfLlama3}";
    private const string Qwen2 = $@"{Contractions}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{EndOfLlama3}";

    private const string Qwen35 =
        $@"{Contractions}|[^\r\n\p{{L}}\p{{N}}]?[\p{{L}}\p{{M}}]+|\p{{N}}| ?[^\s\p{{L}}\p{{M}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    // Letters that are not lower-case ASCII, and those that are not upper-case ASCII.
    private const string Upper = @"[\p{L}&&[^a-z]]";
    private const string Lower = @"[\p{L}&&[^A-Z]]";

    private const string O200k =
        $@"[^\r\n\p{{L}}\p{{N}}]?{Upper}*{Lower}+{Contractions}?|[^\r\n\p{{L}}\p{{N}}]?{Upper}+{Lower}*{Contractions}?|\p{{N}}{{1,3}}|{EndOfO200k}";

    private const string Tekken =
        $@"[^\r\n\p{{L}}\p{{N}}]?{Upper}*{Lower}+|[^\r\n\p{{L}}\p{{N}}]?{Upper}+{Lower}*|\p{{N}}|{EndOfO200k}";

    private const string DeepSeek3 =
        @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string Bailing =
        @"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+";

    private const string SeedCoder =
        $@"{Contractions}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}\r\n]+|\s*[\r\n]+|\s+(?!\S)|\s+";

    private const string ExaoneMoe =
        $@"{Contractions}|[^\r\n\p{{L}}\p{{N}}]?(?:\p{{L}}\p{{M}}*(?: \p{{L}}\p{{M}}*)*)+|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]?|\s*[\r\n]|\s+(?!\S)|\s+";

    private const string BloomWords = @" ?[^(\s|.,!?…。，、।۔،)]+";

    // Without U+3000, which is white space and so not punctuation here.
    private const string DeepSeekPunctuation = @"\s?[!-/:-~\uFF01-\uFF0F\uFF1A-\uFF5E\u2018-\u201F\u3001-\u3002]+";
    private const string DeepSeekHan = @"[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+";

    // Letters that have a case, as DeepSeek's first tokenizer lists them.
    private const string CasedLetters =
        @"A-Za-zµÀ-ÖØ-öø-\u01BA\u01BC-\u01BF\u01C4-\u0293\u0295-\u02AF\u0370-\u0373\u0376\u0377\u037B-\u037D\u037F\u0386"
        + @"\u0388-\u038A\u038C\u038E-\u03A1\u03A3-\u03F5\u03F7-\u0481\u048A-\u052F\u0531-\u0556\u10A0-\u10C5\u13A0-\u13F5"
        + @"\u13F8-\u13FD\u1C90-\u1CBA\u1CBD-\u1CBF\u1D00-\u1D2B\u1D6B-\u1D77\u1D79-\u1D9A\u1E00-\u1F15\u1F18-\u1F1D"
        + @"\u1F20-\u1F45\u1F48-\u1F4D\u1F50-\u1F57\u1F59\u1F5B\u1F5D\u1F5F-\u1F7D\u1F80-\u1FB4\u1FB6-\u1FBC\u1FBE"
        + @"\u1FC2-\u1FC4\u1FC6-\u1FCC\u1FD0-\u1FD3\u1FD6-\u1FDB\u1FE0-\u1FEC\u1FF2-\u1FF4\u1FF6-\u1FFC\u2102\u2107"
        + @"\u210A-\u2113\u2115\u2119-\u211D\u2124\u2126\u2128\u212A-\u212D\u212F-\u2134\u2139\u213C-\u213F\u2145-\u2149"
        + @"\u214E\u2183\u2184\u2C00-\u2C7B\u2C7E-\u2CE4\u2CEB-\u2CEE\u2CF2\u2CF3\uA640-\uA66D\uA680-\uA69B\uA722-\uA76F"
        + @"\uA771-\uA787\uA78B-\uA78E\uAB70-\uABBF\uFB00-\uFB06\uFB13-\uFB17\uFF21-\uFF3A\uFF41-\uFF5A"
        + @"\x{10400}-\x{1044F}\x{104B0}-\x{104D3}\x{104D8}-\x{104FB}\x{10C80}-\x{10CB2}\x{10CC0}-\x{10CF2}"
        + @"\x{118A0}-\x{118DF}\x{1E900}-\x{1E943}";

    private static readonly string[] s_digitsThenGpt2 = [@"\p{N}", Gpt2];
    private static readonly string[] s_deepSeek3 = [@"\p{N}{1,3}", @"[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+", DeepSeek3];

    /// <summary>The steps of that name; null where KvIL has none.</summary>
    /// <param name="pre">The name; null for a file that says none.</param>
    public static IReadOnlyList<IWordCut>? Find(string? pre) =>
        Patterns(pre) is { } patterns ? [.. patterns.Select(pattern => new PatternCut(Pattern.Parse(pattern)))] : null;

    /// <summary>Whether a word that is a token becomes it, whatever the merges say.</summary>
    public static bool TakesWholeWords(string? pre) => pre is "tekken" or "youtu" or "minicpm5" || IsLlama3(pre);

    /// <summary>Whether the start token goes in front where the file does not say.</summary>
    public static bool AddsBos(string? pre) => pre is "tekken" or "chameleon" || IsLlama3(pre);

    private static bool IsLlama3(string? pre) =>
        pre is "llama3" or "llama-v3" or "llama-bpe" or "falcon3" or "falcon-h1" or "pixtral" or "midm-2.0" or "lfm2";

    private static string[]? Patterns(string? pre) => pre switch
    {
        _ when IsLlama3(pre) => [Llama3],
        null or "" or "default" => [@"[\p{P}\$\+<=>\^~\|]+", Gpt2, @"\p{N}+", "[0-9][0-9][0-9]"],
        "gpt-2" or "phi-2" or "mpt" or "olmo" or "jais" or "trillion" or "granite-docling" or "exaone4" or "gigachat"
            or "mellum" or "a.x-4.0" or "modern-bert" or "jina-es" or "jina-de" or "jina-v2-es" or "jina-v2-de" => [Gpt2],
        "starcoder" or "refact" or "command-r" or "smollm" or "codeshell" or "exaone" or "minerva-7b" or "mellum2"
            => s_digitsThenGpt2,
        "dbrx" or "smaug-bpe" or "glm4" or "chatglm-bpe" => [Llama3],
        "qwen2" or "deepseek-r1-qwen" or "kormo" or "f2llmv2" or "stablelm2" or "megrez" or "hunyuan" or "grok-2" or "solar-open"
            => [Qwen2],
        "qwen35" => [Qwen35],
        "gpt-4o" or "llama4" or "kanana2" or "talkie" or "minimax-m2" => [O200k],
        "tekken" => [Tekken],
        "deepseek-coder" => [@"[\r\n]", @"\s?\p{L}+", @"\s?\p{P}+", DeepSeekHan, @"\p{N}"],
        "deepseek-llm" => [@"[\r\n]", $@"\s?[{CasedLetters}]+", DeepSeekPunctuation, @"\s+$", DeepSeekHan, @"\p{N}+"],
        "deepseek-v3" or "hunyuan-dense" or "joyai-llm" or "hy_v4" => s_deepSeek3,
        "falcon" => [@"[\p{P}\$\+<=>\^~\|`]+", Gpt2, "[0-9][0-9][0-9]"],
        "bailingmoe" or "bailingmoe2" or "llada-moe" => [Bailing],
        "seed-coder" => [SeedCoder],
        "exaone-moe" => [ExaoneMoe],
        "poro-chat" or "bloom" or "gpt3-finnish" => [BloomWords],
        "viking" => [BloomWords, @"\p{N}"],
        "superbpe" => [@"\p{N}+", @"(?=(\d{3})+(?!\d))"],
        "minicpm5" => [@"\p{N}{1,3}", Llama3.Replace(@"\p{N}{1,3}", @"\p{N}+", StringComparison.Ordinal)],
        "laguna" => [@"[^\n]+|[\n]+", Qwen2],
        _ => null,
    };
}
