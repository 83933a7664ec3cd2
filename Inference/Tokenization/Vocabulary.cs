namespace KvIL.Inference.Tokenization;

/// <summary>Tokens and their ids, both ways.</summary>
internal sealed class Vocabulary
{
    /// <summary>Ids above are no vocabulary; the limit also keeps hostile ids from colliding in hash tables.</summary>
    public const int MaxId = (1 << 24) - 1;

    private readonly Dictionary<string, int> _ids;
    private readonly Dictionary<int, string> _spellings;
    private readonly HashSet<int> _special = [];

    public Vocabulary(int capacity = 0)
    {
        _ids = new(capacity);
        _spellings = new(capacity);
    }

    /// <summary>One more than the largest id.</summary>
    public int Size { get; private set; }

    /// <summary>Ids by spelling; where two tokens spell the same, the first one's.</summary>
    public Dictionary<string, int> Ids => _ids;

    /// <summary>Spellings by id.</summary>
    public IReadOnlyDictionary<int, string> Spellings => _spellings;

    /// <summary>Adds a token.</summary>
    /// <returns>Whether nothing was spelled that way before; the id must be new.</returns>
    public bool Add(string spelling, int id)
    {
        _spellings.Add(id, spelling);
        Size = Math.Max(Size, id + 1);
        return _ids.TryAdd(spelling, id);
    }

    /// <summary>The id of a token; null where there is none.</summary>
    public int? Find(string spelling) => _ids.TryGetValue(spelling, out int id) ? id : null;

    /// <summary>How a token is spelled; null where there is no such id.</summary>
    public string? SpellingOf(int id) => _spellings.GetValueOrDefault(id);

    /// <summary>Whether a token steers the model, and is no text.</summary>
    public bool IsSpecial(int id) => _special.Contains(id);

    /// <summary>Makes a token special.</summary>
    public void MarkSpecial(int id) => _special.Add(id);
}
