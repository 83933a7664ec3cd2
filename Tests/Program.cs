using System.Reflection;
using KvIL.Tests.Engines;
using KvIL.Tests.Runner;

if (args is ["child", string verb])
{
    Child.Run(verb);
    return;
}

TestRun.RunAndExit(args, Assembly.GetExecutingAssembly());
