using KvIL.Cli;
using KvIL.Eviction;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary>Command lines that mean nothing are refused with exit code 2 before anything is opened: the model named here is not there.</summary>
public sealed class UsageTests
{
    [Theory]
    [InlineData("no command 'rnu'; did you mean 'run'", "rnu")]
    [InlineData("no command 'zzzz'", "zzzz")]
    [InlineData("no option '--evcit'; did you mean '--evict'", "run", "none", "--evcit", "full")]
    [InlineData("no option '--bugdet'; did you mean '--budget'", "eval", "none", "--set", "x", "--bugdet", "5%")]
    [InlineData("does not know what to do with 'more'", "run", "none", "more", "-p", "x")]
    [InlineData("MODEL", "run")]
    [InlineData("MODEL is empty", "run", "", "-p", "x")]
    [InlineData("no prompt", "run", "none")]
    [InlineData("--set", "eval", "none", "--evict", "snapkv")]
    [InlineData("--set is empty", "eval", "none", "--set", "")]
    [InlineData("Unknown policy 'nosuch'", "run", "none", "-p", "x", "--evict", "nosuch")]
    [InlineData("no key 'windw'", "run", "none", "-p", "x", "--evict", "snapkv:windw=3")]
    [InlineData("--budget needs a policy", "run", "none", "-p", "x", "--budget", "5%")]
    [InlineData("full keeps everything", "run", "none", "-p", "x", "--evict", "full", "--budget", "5%")]
    [InlineData("name a budget; leave one", "run", "none", "-p", "x", "--evict", "snapkv:budget=5%", "--budget", "5%")]
    [InlineData("at least 1 row, got '0'", "run", "none", "-p", "x", "--evict", "snapkv", "--budget", "0")]
    [InlineData("more than 0%", "run", "none", "-p", "x", "--evict", "snapkv", "--budget", "0%")]
    [InlineData("at most 100%", "run", "none", "-p", "x", "--evict", "snapkv:budget=101%")]
    [InlineData("'0.2'", "run", "none", "-p", "x", "--evict", "snapkv", "--budget", "0.2")]
    [InlineData("--threads to be a whole number from 1 to 1024, got '0'", "run", "none", "-p", "x", "--threads", "0")]
    [InlineData("--threads", "demo", "--threads", "two")]
    [InlineData("--chunk to be a whole number of at least 1", "run", "none", "-p", "x", "--chunk", "-5")]
    [InlineData("--max-tokens", "run", "none", "-p", "x", "--max-tokens", "9999999999")]
    [InlineData("--max-tokens", "run", "none", "-p", "x", "--max-tokens")]
    [InlineData("no device 'tpu'", "run", "none", "-p", "x", "--device", "tpu")]
    [InlineData("no device 'cuda:x'", "run", "none", "-p", "x", "--device", "cuda:x")]
    [InlineData("no device 'cuda:-1'", "run", "none", "-p", "x", "--device", "cuda:-1")]
    [InlineData("--ptx needs the NAME", "kernels", "--ptx")]
    [InlineData("no kernel 'WindowSum'; did you mean 'WindowSums'", "kernels", "WindowSum")]
    [InlineData("no kernel 'LinearRow_F8'; did you mean 'LinearRow_", "kernels", "LinearRow_F8", "--ptx")]
    [InlineData("no kernel 'zzzzzz'; kvil kernels lists", "kernels", "zzzzzz", "--json")]
    [InlineData("name one of LinearRow_BF16, LinearRow_F16, LinearRow_F32", "kernels", "LinearRow", "--ptx")]
    [InlineData("does not know what to do with 'cpu'", "doctor", "cpu")]
    [InlineData("--kv to be f16 or f32", "run", "none", "-p", "x", "--kv", "f8")]
    [InlineData("--memory-limit", "run", "none", "-p", "x", "--memory-limit", "0")]
    [InlineData("temperature", "run", "none", "-p", "x", "--temp", "-1")]
    [InlineData("temperature", "run", "none", "-p", "x", "--temp", "NaN")]
    [InlineData("--temp to be a number", "run", "none", "-p", "x", "--temp", "warm")]
    [InlineData("Top-p", "run", "none", "-p", "x", "--top-p", "1.5")]
    [InlineData("Min-p", "run", "none", "-p", "x", "--min-p", "2")]
    [InlineData("--top-k", "run", "none", "-p", "x", "--top-k", "-1")]
    [InlineData("--print-plan .* --json", "run", "none", "--print-plan", "--json")]
    [InlineData("'snapkv:budget=5%' names a budget", "eval", "none", "--set", "x", "--evict", "snapkv:budget=5%", "--budget", "5%")]
    [InlineData("--budget needs a policy", "eval", "none", "--set", "x", "--budget", "5%")]
    [InlineData("such as 20%", "eval", "none", "--set", "x", "--evict", "snapkv", "--budget", "5%,,10%")]
    [InlineData("--limit", "eval", "none", "--set", "x", "--limit", "0")]
    public void Is_refused(string pattern, params string[] args) => Tool.Refuses(App.Usage, pattern, args);

    [Fact]
    public void A_process_says_the_same() => Tool.AssertRefusal(App.Usage, "Unknown policy 'nosuch'", Tool.Launch("run", "none", "-p", "x", "--evict", "nosuch"));

    [Theory]
    [InlineData("run")]
    [InlineData("eval")]
    public void Help_names_every_policy_with_its_defaults(string command)
    {
        string help = Tool.Output(command, "--help");
        Assert.All(EvictionPolicy.Names, name => Assert.Contains(EvictionPolicy.Parse(name).ToString(), help, StringComparison.Ordinal));
        Assert.Contains("Examples:", help, StringComparison.Ordinal);
        Assert.Contains("A budget is", help, StringComparison.Ordinal);
    }

    [Fact]
    public void The_readme_names_every_policy_and_key()
    {
        string readme = File.ReadAllText(Repo.PathOf("README.md"));
        Assert.All(EvictionPolicy.Names, name => Assert.Contains($"`{name}`", readme, StringComparison.Ordinal));
        IEnumerable<string> keys = EvictionPolicy.Parse("ada-pyramid:budget=20%").ToString().Split(':')[1].Split(',');
        Assert.All(keys, key => Assert.Contains($"| `{key.Split('=')[0]}` | {key.Split('=')[1]} |", readme, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("inspect")]
    [InlineData("check")]
    [InlineData("demo")]
    [InlineData("doctor")]
    [InlineData("kernels")]
    public void Help_has_more_than_the_options(string command) => Assert.True(Tool.Output(command, "-h").Length > 400);

    [Fact]
    public void Without_a_command_there_is_help() => Assert.Equal(Tool.Output("--help"), Tool.Output());

    [Fact]
    public void The_version_is_a_version() => Assert.Matches(@"^kvil \d+\.\d+\.\d+\r?\n$", Tool.Output("--version"));

    [Theory]
    [InlineData("rn", "run")]
    [InlineData("rnu", "run")]
    [InlineData("insepct", "inspect")]
    [InlineData("eval", "eval")]
    [InlineData("serve", null)]
    public void The_nearest_word_is_suggested_where_it_is_near(string word, string? expected) =>
        Assert.Equal(expected, Suggestions.Nearest(word, ["demo", "run", "eval", "inspect"]));

    [Theory]
    [InlineData("1", 1L)]
    [InlineData("1500000000", 1_500_000_000L)]
    [InlineData("2K", 2048L)]
    [InlineData("1.5G", 3L << 29)]
    [InlineData("512MiB", 512L << 20)]
    [InlineData("512 mib", 512L << 20)]
    [InlineData("1GB", 1_000_000_000L)]
    [InlineData("1gib", 1L << 30)]
    [InlineData("9223372036854775807", long.MaxValue)]
    [InlineData("9223372036854775808", null)]
    [InlineData("99999999999999T", null)]
    [InlineData("0", null)]
    [InlineData("0.1", null)]
    [InlineData("-1", null)]
    [InlineData("", null)]
    [InlineData("GiB", null)]
    [InlineData("1X", null)]
    [InlineData("1e3", null)]
    public void Sizes_have_suffixes(string text, long? bytes) => Assert.Equal(bytes, ByteSize.Parse(text));

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(1023, "1023 B")]
    [InlineData(1024, "1.00 KiB")]
    [InlineData(7_608_832, "7.26 MiB")]
    [InlineData(123L << 30, "123 GiB")]
    public void Sizes_are_shown_in_three_digits(long bytes, string expected) => Assert.Equal(expected, ByteSize.Show(bytes));
}
