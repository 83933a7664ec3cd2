using System.Reflection;
using KvIL.Tests.Engines;
using KvIL.Tests.Laws;
using KvIL.Tests.Runner;

if (args is ["child", string verb])
{
    Child.Run(verb);
    return;
}

if (args is ["--write-laws"])
{
    LawsDocument.Write();
    return;
}

TestRun.RunAndExit(args, Assembly.GetExecutingAssembly());
