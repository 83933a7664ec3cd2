namespace KvIL.Cli.Explanation;

internal static class ExplainPage
{
    public static void Write(string path, Explained explained) => throw new NotSupportedException(path + explained);
}
