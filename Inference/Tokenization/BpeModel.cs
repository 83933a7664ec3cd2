using KvIL.Inference.Files;

namespace KvIL.Inference.Tokenization;

/// <summary>The <c>model</c> of a tokenizer.json: a byte-level vocabulary and its merges.</summary>
internal sealed class BpeModel
{
    /// <summary>Ids above are no vocabulary; the limit also keeps hostile ids from colliding in hash tables.</summary>
    public const int MaxId = (1 << 24) - 1;

    private const int NoToken = -1;

    private readonly int[] _byteIds = new int[256];
    private readonly Dictionary<(int Left, int Right), Merge> _merges;
    private readonly bool _ignoreMerges;
    private readonly int _longestToken;

    private BpeModel(Dictionary<string, int> ids, Dictionary<(int, int), Merge> merges, bool ignoreMerges)
    {
        Ids = ids;
        _merges = merges;
        _ignoreMerges = ignoreMerges;
        _longestToken = ids.Keys.Max(token => token.Length);
        for (int value = 0; value < _byteIds.Length; value++)
        {
            _byteIds[value] = ids.GetValueOrDefault(ByteSymbols.Symbol((byte)value).ToString(), NoToken);
        }
    }

    /// <summary>The vocabulary: tokens in <see cref="ByteSymbols"/>, and their ids.</summary>
    /// <remarks>Added tokens are taken out of it after loading, so that no word of ordinary text becomes one.</remarks>
    public Dictionary<string, int> Ids { get; }

    /// <summary>Reads the model.</summary>
    /// <exception cref="ModelFileException">It is not byte-pair encoding, or uses a feature that KvIL does not have.</exception>
    public static BpeModel Read(JsonValue model)
    {
        JsonValue? type = model.Find("type");
        string typeName = type?.String() ?? "BPE";
        if (typeName != "BPE")
        {
            throw type!.Value.Error(
                $"found the tokenizer model {ModelFileException.Quote(typeName)}, supported is 'BPE'",
                "choose another checkpoint");
        }

        RefuseUnlessUnset(model, "dropout", value => value.Number(0, 1) == 0);
        RefuseUnlessUnset(model, "continuing_subword_prefix", value => value.String().Length == 0);
        RefuseUnlessUnset(model, "end_of_word_suffix", value => value.String().Length == 0);
        RefuseUnlessUnset(model, "byte_fallback", value => !value.Boolean());

        Dictionary<string, int> ids = ReadVocabulary(model.Require("vocab"));
        Dictionary<(int, int), Merge> merges = ReadMerges(model.Require("merges"), ids);
        var bpe = new BpeModel(ids, merges, model.Find("ignore_merges")?.Boolean() ?? false);
        if (bpe._byteIds.Contains(NoToken))
        {
            RefuseUnlessUnset(model, "unk_token", _ => false);
        }

        return bpe;
    }

    /// <summary>What merges words of this vocabulary; not safe for concurrent use.</summary>
    public BytePairMerger CreateMerger() => new(_merges);

    /// <summary>Appends the ids of one word; bytes that the vocabulary lacks are left out.</summary>
    public void Encode(ReadOnlySpan<byte> word, BytePairMerger merger, List<int> output)
    {
        if (_ignoreMerges && FindWhole(word) is { } whole)
        {
            output.Add(whole);
            return;
        }

        int[] symbols = new int[word.Length];
        int count = 0;
        foreach (byte value in word)
        {
            if (_byteIds[value] != NoToken)
            {
                symbols[count++] = _byteIds[value];
            }
        }

        merger.Merge(symbols.AsSpan(0, count), output);
    }

    private static void RefuseUnlessUnset(JsonValue model, string field, Func<JsonValue, bool> isUnset)
    {
        if (model.Find(field) is { } value && !isUnset(value))
        {
            throw value.Error("this feature of BPE tokenizers is not supported", "choose another checkpoint");
        }
    }

    private static Dictionary<string, int> ReadVocabulary(JsonValue vocabulary)
    {
        var ids = new Dictionary<string, int>();
        var taken = new HashSet<int>();
        foreach ((string token, JsonValue value) in vocabulary.Members())
        {
            int id = value.Integer(0, MaxId);
            if (!ids.TryAdd(token, id))
            {
                throw value.Error("the token stands there twice");
            }

            if (!taken.Add(id))
            {
                throw value.Error($"the id {id} belongs to another token too");
            }
        }

        return ids.Count > 0 ? ids : throw vocabulary.Error("the vocabulary is empty");
    }

    private static Dictionary<(int, int), Merge> ReadMerges(JsonValue list, Dictionary<string, int> ids)
    {
        var merges = new Dictionary<(int, int), Merge>();
        int rank = 0;
        foreach (JsonValue item in list.Items())
        {
            string[] pair = item.IsArray ? [.. item.Items().Select(token => token.String())] : item.String().Split(' ');
            if (pair is not [string left, string right])
            {
                throw item.Expected("two tokens");
            }

            // A merge can only be applied if its parts and its result are tokens.
            foreach (string token in (string[])[left, right, left + right])
            {
                if (!ids.ContainsKey(token))
                {
                    throw item.Error(
                        $"the merge needs the token {ModelFileException.Quote(token)}, which the vocabulary lacks");
                }
            }

            merges[(ids[left], ids[right])] = new Merge(rank++, ids[left + right]);
        }

        return merges;
    }

    private int? FindWhole(ReadOnlySpan<byte> word)
    {
        if (word.Length > _longestToken)
        {
            return null;
        }

        Span<char> symbols = word.Length <= 256 ? stackalloc char[word.Length] : new char[word.Length];
        for (int i = 0; i < word.Length; i++)
        {
            symbols[i] = ByteSymbols.Symbol(word[i]);
        }

        return Ids.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(symbols, out int id) ? id : null;
    }
}
