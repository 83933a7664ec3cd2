using KvIL.Cli;

return App.RunProcess(args);
