using System.Globalization;

namespace KvIL.Eviction;

/// <summary>The <c>key=value</c> pairs of one policy text, with the errors of reading them.</summary>
internal sealed class PolicyKeys
{
    private readonly string[] _allowed;
    private readonly Dictionary<string, string> _given = [];

    private PolicyKeys(string[] allowed) => _allowed = allowed;

    /// <summary>No keys given: every key has its default.</summary>
    public static PolicyKeys None { get; } = new([]);

    /// <summary>The text given for a key that <see cref="Has"/>.</summary>
    public string this[string key] => _given[key];

    /// <summary>Reads what follows <c>name:</c>; a bare name has no pairs.</summary>
    public static PolicyKeys Read(string text, string name, IEnumerable<string> allowedKeys)
    {
        string[] allowed = [.. allowedKeys];
        var keys = new PolicyKeys(allowed);
        if (text.Length == name.Length) return keys;

        string choices = allowed.Length == 0 ? "no keys" : string.Join(", ", allowed);
        foreach (string pair in text[(name.Length + 1)..].Split(','))
        {
            string[] parts = pair.Split('=', 2);
            if (parts.Length != 2)
            {
                throw new PolicyFormatException($"Expected key=value in policy '{name}', got '{pair}'; it takes {choices}.");
            }

            if (!keys.Uses(parts[0]))
            {
                string other = PolicyMethod.Taking(parts[0], name) is { } taker ? $"{taker.Name} has it, and {name}" : "it";
                throw new PolicyFormatException($"Policy '{name}' has no key '{parts[0]}'; {other} takes {choices}.");
            }

            if (!keys._given.TryAdd(parts[0], parts[1]))
            {
                throw new PolicyFormatException($"Key '{parts[0]}' appears twice in policy '{name}'; each may appear once.");
            }
        }

        return keys;
    }

    /// <summary>Whether the policy takes the key.</summary>
    public bool Uses(string key) => _allowed.Contains(key);

    /// <summary>Whether the text gives the key.</summary>
    public bool Has(string key) => _given.ContainsKey(key);

    public int Number(string key, int otherwise, int least)
    {
        if (!_given.TryGetValue(key, out string? value)) return otherwise;
        int most = EvictionPolicy.MaxNumber;
        return int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out int n) && n >= least && n <= most
            ? n
            : throw new PolicyFormatException($"Expected {key} to be a whole number from {least} to {most}, got '{value}'.");
    }

    public int Odd(string key, int otherwise)
    {
        int n = Number(key, otherwise, 1);
        return n % 2 == 1 ? n : throw new PolicyFormatException($"Expected {key} to be odd, got '{n}'.");
    }

    public Ratio Share(string key, string otherwise, int maxDenominator)
    {
        string value = _given.GetValueOrDefault(key, otherwise);
        return Ratio.TryParse(value, out Ratio r) && r.Numerator <= r.Denominator && r.Denominator <= maxDenominator
            ? r
            : throw new PolicyFormatException($"Expected {key} to be from 0 to 1 with at most six decimals, got '{value}'.");
    }

    /// <summary>A non-negative number with at most six decimals.</summary>
    public Ratio Decimal(string key, string otherwise)
    {
        string value = _given.GetValueOrDefault(key, otherwise);
        return Ratio.TryParse(value, out Ratio r) && r.Denominator <= EvictionPolicy.MaxFloorDenominator && r.Floor(1) <= EvictionPolicy.MaxNumber
            ? r
            : throw new PolicyFormatException(
                $"Expected {key} to be a number from 0 to {EvictionPolicy.MaxNumber} with at most six decimals, got '{value}'.");
    }

    /// <summary>The meaning of the word given, or of the first choice.</summary>
    public T Choice<T>(string key, (string Word, T Value)[] choices)
    {
        string value = _given.GetValueOrDefault(key, choices[0].Word);
        foreach ((string word, T meaning) in choices)
        {
            if (word == value) return meaning;
        }

        string words = string.Join(" or ", choices.Select(c => c.Word));
        throw new PolicyFormatException($"Expected {key} to be {words}, got '{value}'.");
    }
}
