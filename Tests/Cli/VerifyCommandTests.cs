using System.Text.Json;
using KvIL.Backends;
using KvIL.Cli;
using KvIL.Cli.Commands;
using KvIL.Cli.Verification;
using KvIL.Conformance;
using KvIL.Conformance.Laws;
using KvIL.Conformance.Oracle;
using KvIL.Conformance.Statements;
using KvIL.Conformance.Theory;
using KvIL.Eviction;
using KvIL.Plans;
using KvIL.Reference;
using KvIL.Tests.Engines;
using KvIL.Tests.Laws;
using Xunit;

namespace KvIL.Tests.Cli;

/// <summary><c>kvil verify</c>: a sound machine passes, and a fault planted in a device, a rule or a theorem does not.</summary>
public sealed class VerifyCommandTests
{
    private static readonly string Tiny = Repo.PathOf("models/tiny-random/llama-bias");

    private static readonly Law Allocation = AllocateHeadsLaws.Exact;

    [Fact]
    public void A_sound_machine_passes_and_the_object_has_everything()
    {
        ToolRun run = Tool.Run("verify", Tiny, "--cases", "1", "--seed", "7", "--device", "cpu", "--json");
        Assert.Equal("", run.Error);
        JsonElement json = JsonDocument.Parse(run.Out).RootElement;
        Assert.True(json.GetProperty("ok").GetBoolean(), run.Out);
        Assert.Equal(App.Success, run.Code);
        Assert.Equal(7, json.GetProperty("seed").GetInt32());
        JsonElement laws = Assert.Single(json.GetProperty("laws").EnumerateArray());
        Assert.Equal(LawCatalogue.All.Length, laws.GetProperty("results").GetArrayLength());
        Assert.All(json.GetProperty("theorems").EnumerateArray(), theorem => Assert.Equal(50, theorem.GetProperty("cases").GetInt32()));
        JsonElement model = json.GetProperty("model");
        Assert.Equal(3, model.GetProperty("settings").GetArrayLength());
        foreach (JsonElement layer in model.GetProperty("settings").EnumerateArray().SelectMany(setting => setting.GetProperty("layers").EnumerateArray()))
        {
            Assert.Equal(["uniform", "blend", "ada"], layer.GetProperty("splits").EnumerateArray().Select(split => split.GetProperty("split").GetString()));
            Assert.All(layer.GetProperty("splits").EnumerateArray(), Ordered);
        }
    }

    [Fact]
    public void The_same_seed_gives_the_same_numbers_and_the_text_says_which_it_was()
    {
        Verifier Few() => new(_ => new ReferenceBackend(1), 3, default) { Laws = [Allocation] };
        (int code, string text) = Run(Few(), seed: 3);
        Assert.Equal((App.Success, text), (code, Run(Few(), seed: 3).Text));
        Assert.Matches(@"Nothing is violated: laws 0, theorems 0, model 0 violations\.\s+The same cases again: --seed 3 --cases 2\.", text);
        Assert.Contains("random tokens of seed 3", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_faulty_device_is_found_and_its_first_case_is_rebuilt_from_the_seed_printed()
    {
        Mutant mutant = Mutants.All.First(m => m.CaughtBy == Allocation);
        (int code, string text) = Run(new(_ => mutant.Build(), 1, default) { Laws = [Allocation], Theorems = [] }, cases: 60);
        Assert.Equal(App.Failure, code);
        Assert.Matches(@"VIOLATED in \d+ of 60 cases: AllocateHeads equals the oracle", text);

        int seed = int.Parse(text.Split("first with --seed ")[1].Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
        using OracleBackend subject = mutant.Build(), oracle = new();
        using LawContext context = new(subject, oracle);
        Assert.Throws<LawViolation>(() => Allocation.Check(context, Allocation.Generate(seed)));
        Assert.Contains("made smaller: EvictionCase", text, StringComparison.Ordinal);
    }

    [Fact]
    public void A_device_that_does_not_open_is_a_failure()
    {
        (int code, string text) = Run(new(_ => throw new Inference.RequestException("It is asleep."), 1, default) { Laws = [Allocation], Theorems = [] });
        Assert.Equal(App.Failure, code);
        Assert.Contains("cpu FAILED: It is asleep.", text, StringComparison.Ordinal);
    }

    // What Ada-KV does not claim, and what is false.
    [Fact]
    public void A_theorem_that_is_none_is_found_and_made_smaller()
    {
        Theorem<TheoremCase> wrong = new("L of Ada <= L of uniform", "nowhere", c =>
        {
            float[][] scores = c.Scores();
            double Loss(HeadAllocation mode) => c.Loss(c.BestRows(Conformance.Theory.Allocation.Counts(scores, c.Total, mode, default))).Loss;
            Expect.True(Loss(HeadAllocation.Pure) <= Loss(HeadAllocation.Uniform) + 1e-9, $"it is {Loss(HeadAllocation.Pure)}");
        });
        (int code, string text) = Run(new(_ => new ReferenceBackend(1), 1, default) { Laws = [], Theorems = [wrong] });
        Assert.Equal(App.Failure, code);
        Assert.Contains("VIOLATED: laws 0, theorems ", text, StringComparison.Ordinal);
        Assert.Contains("made smaller: TheoremCase { KvHeads = 2,", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, 3f, "L is ")] // L above theta
    [InlineData(2, 1.01f, "eps_head is ")] // off by more than any rounding
    [InlineData(3, 0.3f, "above eps")]
    public void A_device_that_measures_wrongly_is_found(int figure, float factor, string difference) =>
        AssertFound(difference, new(new ReferenceBackend(1))
        {
            After = (queue, bindings) =>
            {
                if (Losses(bindings) is { } losses) TamperedBackend.Edit<float>(queue, losses, 4, values => values[figure] *= factor);
            },
        });

    [Fact]
    public void A_device_that_keeps_a_row_too_few_is_found() =>
        AssertFound("the budget is ", new(new ReferenceBackend(1))
        {
            Before = (_, bindings) => OfAda(bindings, () => TamperedBackend.Rebind(bindings, "total", total => total - 1)),
        });

    // Ada's plan protects the first rows, good or bad: its bound is then not the least.
    [Fact]
    public void A_split_that_is_not_Adas_is_found() =>
        AssertFound("eps of ada is ", new(new ReferenceBackend(1))
        {
            Before = (_, bindings) => OfAda(bindings, () => TamperedBackend.Rebind(bindings, "sinks", _ => 18)),
        });

    [Theory]
    [InlineData(App.Usage, "--cases to be a whole number from 1", "--cases", "0")]
    [InlineData(App.Usage, "no device 'tpu'", "--device", "tpu")]
    [InlineData(App.Usage, "a budget such as 20%", "--budget", "some")]
    [InlineData(App.Failure, "8 of the prompt's 256 tokens; between the window of 32", "--budget", "8")]
    [InlineData(App.Failure, "256 of the prompt's 256 tokens", "--budget", "100%")]
    [InlineData(App.Failure, "no tokenizer, so the prompt cannot be read", "-p", "x")]
    public void Is_refused(int code, string pattern, params string[] args) => Tool.Refuses(code, pattern, ["verify", Tiny, .. args]);

    [Fact]
    public void A_short_prompt_is_refused() =>
        Tool.Refuses(App.Failure, "give another --budget or a longer prompt", "verify", "-p", "Once upon a time", "--cases", "1");

    [Fact]
    public void A_model_that_is_not_there_is_refused() => Tool.Refuses(App.Failure, "none", "verify", "none");

    private static void AssertFound(string difference, TamperedBackend backend)
    {
        using (backend)
        {
            (int code, string text) = Run(new(_ => new ReferenceBackend(1), 1, default) { Laws = [], Theorems = [] }, open: _ => backend);
            Assert.Equal(App.Failure, code);
            Assert.Matches($"VIOLATED: layer .*{difference}", text);
        }
    }

    private static (int Code, string Text) Run(Verifier verifier, int cases = 2, int seed = 1, Func<string, IBackend>? open = null)
    {
        using StringWriter output = new();
        Terminal terminal = new() { Out = output, Error = TextWriter.Null };
        VerifyCommand.Request request = new(Tiny, "tiny", null, Budget.Parse("20%"), "cpu", cases, seed, Json: false);
        int code = VerifyCommand.Run(new(terminal, default), request, verifier, open ?? (_ => new ReferenceBackend(1)));
        return (code, output.ToString().ReplaceLineEndings("\n"));
    }

    private static IBuffer? Losses(Bindings bindings) =>
        bindings.Plan.Ops.OfType<Ops.EvictionLossOp>().FirstOrDefault() is { } op ? bindings.Buffers[op.Y.Id] : null;

    private static void OfAda(Bindings bindings, Action change)
    {
        if (bindings.Plan.Ops.OfType<Ops.AllocateHeadsOp>().Any(op => op.Rule == HeadAllocation.Pure)) change();
    }

    private static void Ordered(JsonElement split)
    {
        double[] chain = [.. ((string[])["l", "theta", "epsilon_head", "epsilon"]).Select(name => split.GetProperty("exact").GetProperty(name).GetDouble())];
        Assert.Equal(chain, chain.Order());
    }
}
