using System.Text;

namespace KvIL.Inference.Tokenization.Bpe;

/// <summary>What becomes of a character that is no token.</summary>
/// <param name="ByteIds">The tokens of its UTF-8 bytes go in its place, where all are there; null for never.</param>
/// <param name="UnknownId">Otherwise this token; null for nothing.</param>
/// <param name="FusesUnknown">Whether such characters in a row give one token.</param>
/// <param name="Separates">
/// Whether a character that gives nothing still stands between its neighbours while they are merged, as in llama.cpp; the
/// <c>tokenizers</c> library drops it before.
/// </param>
internal sealed record MissingCharacters(int?[]? ByteIds, int? UnknownId, bool FusesUnknown, bool Separates);

/// <summary>Byte-pair encoding of one word, by a list of merges.</summary>
/// <remarks>
/// Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword Units", algorithm 1. Ids from the
/// vocabulary's size up are symbols that are no tokens: merges may need them on the way.
/// </remarks>
internal sealed class BpeModel
{
    private const int NoToken = -1;
    private const int Separator = int.MaxValue;

    private readonly Vocabulary _vocabulary;
    private readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _ids;
    private readonly MergeTable _merges;
    private readonly MissingCharacters _missing;
    private readonly int[] _low = new int[0x180];
    private readonly Dictionary<int, int[]> _expansions;

    /// <param name="vocabulary">The tokens.</param>
    /// <param name="merges">The merges, over ids.</param>
    /// <param name="missing">What becomes of characters that are no tokens.</param>
    /// <param name="expansions">By id, what symbols that are no tokens give where no merge took them.</param>
    public BpeModel(Vocabulary vocabulary, MergeTable merges, MissingCharacters missing, Dictionary<int, int[]>? expansions = null)
    {
        (_vocabulary, _merges, _missing, _expansions) = (vocabulary, merges, missing, expansions ?? []);
        _ids = vocabulary.Ids.GetAlternateLookup<ReadOnlySpan<char>>();
        for (int value = 0; value < _low.Length; value++)
        {
            _low[value] = vocabulary.Find(((char)value).ToString()) is { } id && !vocabulary.IsSpecial(id) ? id : NoToken;
        }
    }

    /// <summary>Whether a word that is a token becomes it, whatever the merges say; special tokens are no words.</summary>
    public bool TakesWholeWords { get; init; }

    /// <summary>Appends the ids of one word, with a merger that is used again.</summary>
    public void Encode(ReadOnlySpan<char> word, SymbolMerger merger, List<int> ids)
    {
        if (TakesWholeWords && _ids.TryGetValue(word, out int whole) && !_vocabulary.IsSpecial(whole))
        {
            ids.Add(whole);
            return;
        }

        merger.Clear();
        bool unknownBefore = false;
        foreach (Rune rune in word.EnumerateRunes())
        {
            int id = Find(rune);
            unknownBefore = id == NoToken && AddMissing(rune, merger, unknownBefore);
            if (id != NoToken)
            {
                merger.Add(id, 1);
            }
        }

        merger.Merge(_merges);
        foreach (SymbolMerger.Symbol symbol in merger.Symbols)
        {
            if (symbol.Id < _vocabulary.Size)
            {
                ids.Add(symbol.Id);
            }
            else if (_expansions.TryGetValue(symbol.Id, out int[]? expansion))
            {
                ids.AddRange(expansion);
            }
        }
    }

    private int Find(Rune rune)
    {
        if (rune.Value < _low.Length)
        {
            return _low[rune.Value];
        }

        Span<char> spelling = stackalloc char[2];
        return _ids.TryGetValue(spelling[..rune.EncodeToUtf16(spelling)], out int id) && !_vocabulary.IsSpecial(id) ? id : NoToken;
    }

    // Whether the unknown token stands for the character.
    private bool AddMissing(Rune rune, SymbolMerger merger, bool unknownBefore)
    {
        if (_missing.ByteIds is { } byteIds)
        {
            Span<byte> utf8 = stackalloc byte[4];
            utf8 = utf8[..rune.EncodeToUtf8(utf8)];
            bool all = true;
            foreach (byte value in utf8)
            {
                all &= byteIds[value] is not null;
            }

            if (all)
            {
                foreach (byte value in utf8)
                {
                    merger.Add(byteIds[value]!.Value, 1);
                }

                return false;
            }
        }

        if (_missing.UnknownId is { } unknown)
        {
            if (!unknownBefore || !_missing.FusesUnknown)
            {
                merger.Add(unknown, 1);
            }

            return true;
        }

        if (_missing.Separates)
        {
            merger.Add(Separator, 1);
        }

        return false;
    }
}
