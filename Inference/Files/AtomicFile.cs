namespace KvIL.Inference.Files;

/// <summary>Files that are there as a whole or not at all.</summary>
public static class AtomicFile
{
    private const int BufferBytes = 1 << 20;

    /// <summary>Writes a file beside <paramref name="path"/> and, when it is complete, moves it there.</summary>
    /// <param name="path">The file; an older one of that name is replaced.</param>
    /// <param name="write">Writes the content; what it throws is passed on.</param>
    /// <exception cref="ModelFileException">The file system refuses: no such directory, no permission, disk full.</exception>
    public static void Write(string path, Action<Stream> write)
    {
        ArgumentNullException.ThrowIfNull(write);
        string directory = Check(path);
        string temporary = Path.Combine(directory, $".{Path.GetFileName(path)}.{Guid.NewGuid():N}.part");
        // A process that is told to end at once does not come to the catch below.
        EventHandler atExit = (_, _) => Delete(temporary);
        AppDomain.CurrentDomain.ProcessExit += atExit;
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write, FileShare.None, BufferBytes))
            {
                write(stream);
                stream.Flush(flushToDisk: true);
            }

            File.Move(temporary, path, overwrite: true);
        }
        catch (Exception failure)
        {
            Delete(temporary);
            switch (failure)
            {
                case DirectoryNotFoundException:
                    throw new ModelFileException($"{path}: there is no directory {directory}; make it first.", failure);
                case UnauthorizedAccessException:
                    throw new ModelFileException($"{path}: no permission to write there; choose another place.", failure);
                case IOException and not ModelFileException:
                    string cause = failure.Message.TrimEnd('.').Replace(temporary, path, StringComparison.Ordinal);
                    throw new ModelFileException(
                        $"{path}: the file cannot be written ({cause}); make room on the disk or choose another place.", failure);
                default:
                    throw;
            }
        }
        finally
        {
            AppDomain.CurrentDomain.ProcessExit -= atExit;
        }
    }

    /// <summary>Refuses what cannot become a file, before any work is done for it; gives its directory.</summary>
    /// <exception cref="ModelFileException">The path is a directory, or in one that is not there.</exception>
    public static string Check(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            throw new ModelFileException($"{path}: this is a directory; name a file to write.");
        }

        string directory = Path.GetDirectoryName(Path.GetFullPath(path))!;
        return Directory.Exists(directory)
            ? directory
            : throw new ModelFileException($"{path}: there is no directory {directory}; make it first.");
    }

    // What cannot be deleted either must not hide why the writing failed.
    private static void Delete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
        }
    }
}
