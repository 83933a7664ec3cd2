using System.Reflection;
using KvIL.Tests.Gpu.Ptx;
using KvIL.Tests.Runner;

if (args is ["--write-ptx"])
{
    PtxFiles.Write();
    return;
}

TestRun.RunAndExit(args, Assembly.GetExecutingAssembly());
