using System.Reflection;
using KvIL.Tests.Runner;

TestRun.RunAndExit(args, Assembly.GetExecutingAssembly());
