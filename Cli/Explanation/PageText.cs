using System.Text.Encodings.Web;
using System.Text.Unicode;

namespace KvIL.Cli.Explanation;

/// <summary>Text inside HTML.</summary>
internal static class PageText
{
    private static readonly HtmlEncoder Encoder = HtmlEncoder.Create(UnicodeRanges.All);

    /// <summary>Any text as content or as the value of an attribute in quotes; nothing of it is markup.</summary>
    public static string Encode(string text) => Encoder.Encode(text).Replace("&#xA;", "\n", StringComparison.Ordinal);
}
