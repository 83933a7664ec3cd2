namespace KvIL.Inference.Files;

/// <summary>Directories that are there as a whole or not at all.</summary>
public static class AtomicDirectory
{
    /// <summary>Fills a directory beside <paramref name="path"/> and, when it is complete, moves it there.</summary>
    /// <param name="path">The directory; there must be nothing of that name.</param>
    /// <param name="fill">Writes its files; what it throws is passed on.</param>
    /// <exception cref="ModelFileException">Something of that name is there, or the file system refuses.</exception>
    public static void Write(string path, Action<string> fill)
    {
        ArgumentNullException.ThrowIfNull(fill);
        string target = Check(path);
        string temporary = Path.Combine(Path.GetDirectoryName(target)!, $".{Path.GetFileName(target)}.{Guid.NewGuid():N}.part");
        // A process that is told to end at once does not come to the catch below.
        EventHandler atExit = (_, _) => Delete(temporary);
        AppDomain.CurrentDomain.ProcessExit += atExit;
        try
        {
            Directory.CreateDirectory(temporary);
            fill(temporary);
            Directory.Move(temporary, target);
        }
        catch (Exception failure)
        {
            Delete(temporary);
            switch (failure)
            {
                case UnauthorizedAccessException:
                    throw new ModelFileException($"{path}: no permission to write there; choose another place.", failure);
                case IOException and not ModelFileException:
                    string cause = failure.Message.TrimEnd('.').Replace(temporary, path, StringComparison.Ordinal);
                    throw new ModelFileException($"{path}: the directory cannot be written ({cause}); make room on the disk or choose another place.", failure);
                default:
                    throw;
            }
        }
        finally
        {
            AppDomain.CurrentDomain.ProcessExit -= atExit;
        }
    }

    /// <summary>Refuses what cannot become a directory, before any work is done for it; gives its full path.</summary>
    /// <exception cref="ModelFileException">Something of that name is there, or its parent is not.</exception>
    public static string Check(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        string target = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path));
        if (Path.Exists(target))
        {
            throw new ModelFileException($"{path}: something of that name is there already; name a directory that is not there yet.");
        }

        string? parent = Path.GetDirectoryName(target);
        return parent is not null && Directory.Exists(parent)
            ? target
            : throw new ModelFileException($"{path}: there is no directory {parent}; make it first.");
    }

    // What cannot be deleted must not hide why the writing failed.
    private static void Delete(string path)
    {
        try
        {
            if (Directory.Exists(path)) Directory.Delete(path, recursive: true);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
        }
    }
}
