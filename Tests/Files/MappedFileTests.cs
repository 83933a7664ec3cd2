using KvIL.Inference.Files;
using Xunit;

namespace KvIL.Tests.Files;

public sealed class MappedFileTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void Memory_is_the_file()
    {
        byte[] bytes = [1, 2, 3, 4, 5];
        using MappedFile file = MappedFile.Open(_directory.Write("five", bytes));
        Assert.Equal(5, file.Memory.LengthBytes);
        Assert.Same(file, file.Memory.Owner);
        Assert.Equal(bytes, file.Memory.AsSpan().ToArray());
    }

    [Fact]
    public void A_file_beyond_2_GiB_is_mapped_whole()
    {
        const long length = 3L << 30;
        string path = _directory.PathOf("large");
        using (FileStream stream = File.Create(path))
        {
            stream.SetLength(length);
            stream.Position = length - 1;
            stream.WriteByte(42);
        }

        using MappedFile file = MappedFile.Open(path);
        Assert.Equal(length, file.Memory.LengthBytes);
        Assert.Equal(42, file.Memory.Slice(length - 1, 1).AsSpan()[0]);
        Assert.Equal(0, file.Memory.Slice(length - 2, 1).AsSpan()[0]);
    }

    [Fact]
    public void What_cannot_be_mapped_is_refused()
    {
        string missing = _directory.PathOf("missing");
        Refusal.Is("no such file", missing, () => MappedFile.Open(missing));
        Refusal.Is("found a directory", _directory.Path, () => MappedFile.Open(_directory.Path));
        string empty = _directory.Write("empty", "");
        Refusal.Is("is empty", empty, () => MappedFile.Open(empty));
        string below = Path.Combine(_directory.Write("file", "x"), "below");
        Refusal.Is("no such file", below, () => MappedFile.Open(below));
    }

    [UnixFact]
    public void A_link_is_followed_and_a_broken_one_refused()
    {
        string target = _directory.Write("target", "abc");
        string link = _directory.PathOf("link");
        File.CreateSymbolicLink(link, target);
        using (MappedFile file = MappedFile.Open(link))
        {
            Assert.Equal("abc"u8.ToArray(), file.Memory.AsSpan().ToArray());
        }

        File.Delete(target);
        Refusal.Is("a link to nothing|no such file", link, () => MappedFile.Open(link));
    }

    [UnixFact(unprivileged: true)]
    public void A_file_without_permission_is_refused()
    {
        string path = _directory.Write("secret", "abc");
#pragma warning disable CA1416 // the attribute skips the test on Windows
        File.SetUnixFileMode(path, UnixFileMode.None);
#pragma warning restore CA1416
        Refusal.Is("no permission", path, () => MappedFile.Open(path));
    }

    [AttributeUsage(AttributeTargets.Method)]
    private sealed class UnixFactAttribute : FactAttribute
    {
        public UnixFactAttribute(bool unprivileged = false)
        {
            if (OperatingSystem.IsWindows())
            {
                Skip = "needs Unix: links are a privilege on Windows, and modes are unknown";
            }
            else if (unprivileged && Environment.IsPrivilegedProcess)
            {
                Skip = "needs a user other than root: modes do not bind root";
            }
        }
    }
}
