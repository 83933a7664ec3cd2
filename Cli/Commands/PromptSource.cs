using System.Text;

namespace KvIL.Cli.Commands;

/// <summary>Text from outside: a file's, a line of the command, or both.</summary>
internal static class PromptSource
{
    // Far above any context; keeps a mistaken path, or an endless pipe, from filling the memory.
    private const int MostBytes = 1 << 26;

    /// <summary>The text of the file, if there is one, then, on a line of its own, the text given.</summary>
    /// <param name="file">A path, or <c>-</c> for the input; null for none.</param>
    /// <param name="text">The text given; null for none.</param>
    /// <param name="terminal">Has the input.</param>
    public static string Read(string? file, string? text, Terminal terminal)
    {
        if (file is null)
        {
            return text ?? throw new UsageException("There is no prompt; give one with -p TEXT, or a file with -f FILE.");
        }

        string content = ReadText(file, terminal, "-f");
        string separator = text is null || content.EndsWith('\n') ? "" : "\n";
        return content + separator + text;
    }

    /// <summary>The text of a file, UTF-8 with or without a byte order mark.</summary>
    /// <param name="file">A path, or <c>-</c> for the input.</param>
    /// <param name="terminal">Has the input.</param>
    /// <param name="option">The option that names the file, for messages.</param>
    public static string ReadText(string file, Terminal terminal, string option)
    {
        byte[] bytes = ReadBytes(file, terminal, option, "a text file");
        try
        {
            int mark = bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0;
            return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(bytes, mark, bytes.Length - mark);
        }
        catch (DecoderFallbackException e)
        {
            throw new IOException($"{NameOf(file)}: byte {e.Index} is not UTF-8 text; convert the file.", e);
        }
    }

    /// <summary>The bytes of a file.</summary>
    /// <param name="file">A path, or <c>-</c> for the input.</param>
    /// <param name="terminal">Has the input.</param>
    /// <param name="option">The option that names the file, for messages.</param>
    /// <param name="kind">What the option names, for messages.</param>
    public static byte[] ReadBytes(string file, Terminal terminal, string option, string kind)
    {
        string name = NameOf(file);
        byte[] bytes;
        try
        {
            using Stream stream = file == "-" ? terminal.OpenInput() : File.OpenRead(file);
            bytes = ReadAll(stream);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new IOException($"{name}: there is no such file; {option} names {kind}, or - for the standard input.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new IOException($"{name}: cannot be read as a file; {option} names {kind}, or - for the standard input.", e);
        }

        return bytes.Length <= MostBytes
            ? bytes
            : throw new IOException($"{name}: more than {ByteSize.Show(MostBytes)} of text; give a shorter one.");
    }

    private static string NameOf(string file) => file == "-" ? "standard input" : file;

    private static byte[] ReadAll(Stream stream)
    {
        using MemoryStream all = new();
        byte[] block = new byte[1 << 16];
        for (int n = stream.Read(block); n > 0 && all.Length <= MostBytes; n = stream.Read(block))
        {
            all.Write(block, 0, n);
        }

        return all.ToArray();
    }
}
