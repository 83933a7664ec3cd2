namespace KvIL.Tests.Gpu.Ptx;

internal static class PtxFiles
{
    public static void Write() => Console.WriteLine("not yet");
}
