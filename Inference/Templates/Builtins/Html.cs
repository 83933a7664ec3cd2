namespace KvIL.Inference.Templates.Builtins;

/// <summary>HTML's escapes, for templates that ask for them; nothing is escaped unasked.</summary>
internal static class Html
{
    public static string Escape(Rendering run, string text)
    {
        int special = text.AsSpan().Count('&') + text.AsSpan().Count('<') + text.AsSpan().Count('>') + text.AsSpan().Count('"') + text.AsSpan().Count('\'');
        run.Make(text.Length + (4L * special));
        return text.Replace("&", "&amp;", StringComparison.Ordinal).Replace(">", "&gt;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
            .Replace("'", "&#39;", StringComparison.Ordinal).Replace("\"", "&#34;", StringComparison.Ordinal);
    }
}
