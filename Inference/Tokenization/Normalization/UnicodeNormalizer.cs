using System.Globalization;
using System.Text;

namespace KvIL.Inference.Tokenization.Normalization;

/// <summary>The four normalization forms of Unicode, version 14.</summary>
/// <remarks>
/// UAX #15, "Unicode Normalization Forms", section 1.3: decompose, order marks by combining class, compose. KvIL runs
/// without the system's Unicode library, under which .NET's own <c>string.Normalize</c> changes nothing.
/// </remarks>
internal static class UnicodeNormalizer
{
    private const string Resource = "KvIL.Inference.Tokenization.Normalization.decompositions.txt";

    // No character below starts a decomposition or is a mark; from the first on it may.
    private const char FirstDecomposed = '\u00A0';

    // UAX #15 section 3.12 of the standard: Hangul syllables by arithmetic.
    private const int FirstSyllable = 0xAC00;
    private const int FirstLead = 0x1100;
    private const int FirstVowel = 0x1161;
    private const int BeforeFirstTail = 0x11A7;
    private const int Leads = 19;
    private const int Vowels = 21;
    private const int Tails = 28;

    private static readonly Lazy<Tables> s_tables = new(Tables.Read);

    /// <summary>The normal form of a text.</summary>
    /// <param name="text">Valid UTF-16.</param>
    /// <param name="compatibility">Whether characters that only look alike become one: NFKC and NFKD.</param>
    /// <param name="compose">Whether characters are put together again: NFC and NFKC.</param>
    public static string Normalize(string text, bool compatibility, bool compose)
    {
        if (!text.AsSpan().ContainsAnyInRange(FirstDecomposed, char.MaxValue))
        {
            return text;
        }

        Tables tables = s_tables.Value;
        var runes = new List<int>(text.Length);
        foreach (Rune rune in text.EnumerateRunes())
        {
            Decompose(rune.Value, compatibility, tables, runes);
        }

        Order(runes, tables);
        if (compose)
        {
            Compose(runes, tables);
        }

        var normal = new StringBuilder(text.Length);
        foreach (int rune in runes)
        {
            normal.Append(new Rune(rune).ToString());
        }

        return normal.ToString();
    }

    private static void Decompose(int rune, bool compatibility, Tables tables, List<int> output)
    {
        int syllable = rune - FirstSyllable;
        if (syllable is >= 0 and < Leads * Vowels * Tails)
        {
            output.Add(FirstLead + (syllable / (Vowels * Tails)));
            output.Add(FirstVowel + (syllable / Tails % Vowels));
            if (syllable % Tails != 0)
            {
                output.Add(BeforeFirstTail + (syllable % Tails));
            }
        }
        else if (tables.Canonical.TryGetValue(rune, out int[]? parts)
            || (compatibility && tables.Compatible.TryGetValue(rune, out parts)))
        {
            foreach (int part in parts)
            {
                Decompose(part, compatibility, tables, output);
            }
        }
        else
        {
            output.Add(rune);
        }
    }

    // Sorts each run of marks by class; equals keep their order.
    private static void Order(List<int> runes, Tables tables)
    {
        for (int start = 0; start < runes.Count; start++)
        {
            int end = start;
            while (end < runes.Count && tables.ClassOf(runes[end]) != 0)
            {
                end++;
            }

            if (end - start > 1)
            {
                int[] marks = [.. runes[start..end].OrderBy(tables.ClassOf)];
                for (int i = 0; i < marks.Length; i++)
                {
                    runes[start + i] = marks[i];
                }
            }

            start = end;
        }
    }

    private static void Compose(List<int> runes, Tables tables)
    {
        int starter = -1;
        int lastClass = 0;
        int count = 0;
        for (int i = 0; i < runes.Count; i++)
        {
            int rune = runes[i];
            int mark = tables.ClassOf(rune);
            bool blocked = count - 1 > starter && (lastClass >= mark || lastClass == 0);
            if (starter >= 0 && !blocked && Pair(runes[starter], rune, tables) is { } composed)
            {
                runes[starter] = composed;
                continue;
            }

            if (mark == 0)
            {
                starter = count;
            }

            lastClass = mark;
            runes[count++] = rune;
        }

        runes.RemoveRange(count, runes.Count - count);
    }

    private static int? Pair(int first, int second, Tables tables)
    {
        int lead = first - FirstLead;
        int vowel = second - FirstVowel;
        if (lead is >= 0 and < Leads && vowel is >= 0 and < Vowels)
        {
            return FirstSyllable + (((lead * Vowels) + vowel) * Tails);
        }

        int syllable = first - FirstSyllable;
        int tail = second - BeforeFirstTail;
        if (syllable is >= 0 and < Leads * Vowels * Tails && syllable % Tails == 0 && tail is > 0 and < Tails)
        {
            return first + tail;
        }

        return tables.Composed.TryGetValue((first, second), out int composed) ? composed : null;
    }

    private sealed class Tables
    {
        private readonly Dictionary<int, int> _classes = [];

        public Dictionary<int, int[]> Canonical { get; } = [];

        public Dictionary<int, int[]> Compatible { get; } = [];

        public Dictionary<(int First, int Second), int> Composed { get; } = [];

        public static Tables Read()
        {
            var tables = new Tables();
            using Stream stream = typeof(Tables).Assembly.GetManifestResourceStream(Resource)!;
            using var reader = new StreamReader(stream);
            while (reader.ReadLine() is { } line)
            {
                foreach (string entry in line.StartsWith('#') ? [] : line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
                {
                    tables.Add(entry);
                }
            }

            return tables;
        }

        public int ClassOf(int rune) => _classes.GetValueOrDefault(rune);

        private static int Hex(string text) => int.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

        private void Add(string entry)
        {
            int colon = entry.IndexOf(':', StringComparison.Ordinal);
            if (colon >= 0)
            {
                int[] range = [.. entry[..colon].Split('-').Select(Hex)];
                for (int rune = range[0]; rune <= range[^1]; rune++)
                {
                    _classes.Add(rune, int.Parse(entry[(colon + 1)..], CultureInfo.InvariantCulture));
                }

                return;
            }

            int sign = entry.AsSpan().IndexOfAny('=', '-', '~');
            int from = Hex(entry[..sign]);
            int[] parts = [.. entry[(sign + 1)..].Split('+').Select(Hex)];
            (entry[sign] == '~' ? Compatible : Canonical).Add(from, parts);
            if (entry[sign] == '=')
            {
                Composed.Add((parts[0], parts[1]), from);
            }
        }
    }
}
