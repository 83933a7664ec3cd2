using System.IO.MemoryMappedFiles;
using KvIL.Tensors;

namespace KvIL.Inference.Files;

/// <summary>A whole file mapped into memory for reading; its size may exceed 2 GiB.</summary>
/// <remarks>
/// Pages are read on first touch. Writing through <see cref="Memory"/> faults, and so does reading a page that the
/// file lost because another process truncated it. After <see cref="Dispose"/> the memory must not be touched.
/// </remarks>
public sealed class MappedFile : IDisposable
{
    private readonly MemoryMappedFile _file;
    private readonly MemoryMappedViewAccessor _view;

    private unsafe MappedFile(string path, FileStream stream)
    {
        long length = stream.Length;
        _file = MemoryMappedFile.CreateFromFile(
            stream, mapName: null, capacity: 0, MemoryMappedFileAccess.Read, HandleInheritability.None, leaveOpen: false);
        _view = _file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        byte* address = null;
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref address);
        // Released at once: a held reference would keep the handle's finalizer from unmapping a forgotten file.
        _view.SafeMemoryMappedViewHandle.ReleasePointer();
        Path = path;
        Memory = new HostMemory((nint)address, length, this);
    }

    /// <summary>The path as given to <see cref="Open"/>.</summary>
    public string Path { get; }

    /// <summary>The bytes of the file; read-only.</summary>
    public HostMemory Memory { get; }

    /// <summary>Maps the file at <paramref name="path"/>.</summary>
    /// <exception cref="ModelFileException">There is no such file, it is a directory or empty, or it cannot be read.</exception>
    public static MappedFile Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            throw new ModelFileException($"{path}: expected a file, found a directory; name the file inside it.");
        }

        try
        {
            var info = new FileInfo(path);
            if (!info.Exists)
            {
                throw new ModelFileException($"{path}: there is no such file; check the path.");
            }

            // Asked before opening: pipes and devices report no length too, and opening one may wait for ever.
            if (info.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target)
            {
                info = target;
            }

            return info.Exists && info.Length > 0
                ? Map(path)
                : throw new ModelFileException($"{path}: the file is empty or a link to nothing; download it again.");
        }
        catch (UnauthorizedAccessException refused)
        {
            throw new ModelFileException(
                $"{path}: no permission to read the file; change its mode or its owner.", refused);
        }
        catch (IOException failure) when (failure is not ModelFileException)
        {
            throw new ModelFileException(
                $"{path}: the file cannot be mapped into memory; check the disk and the path.", failure);
        }
    }

    /// <summary>Unmaps the file; every <see cref="HostMemory"/> of it becomes invalid.</summary>
    public void Dispose()
    {
        _view.Dispose();
        _file.Dispose();
    }

    private static MappedFile Map(string path)
    {
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
        try
        {
            return new MappedFile(path, stream);
        }
        catch
        {
            stream.Dispose();
            throw;
        }
    }
}
