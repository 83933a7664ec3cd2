using System.CommandLine;
using System.CommandLine.Help;
using System.CommandLine.Invocation;
using System.Reflection;
using KvIL.Eviction;

namespace KvIL.Cli;

/// <summary>What <c>--help</c> says beyond the list of options.</summary>
internal static class HelpText
{
    private static readonly Dictionary<string, string> Details = new()
    {
        [""] = """
            Start with:
              kvil demo
              kvil run MODEL -p "Once upon a time"
              kvil run MODEL -f long.txt --evict ada-snapkv --budget 20%
              kvil doctor
              kvil verify
              kvil COMMAND --help

            Exit codes: 0 done, 1 it could not be done, 2 the command line means nothing, 130 Ctrl+C, 143 SIGTERM.
            """,
        ["run"] = """
            Examples:
              kvil run models/kvil-demo -p "Once upon a time" --max-tokens 40
              kvil run models/kvil-demo -f story.txt -p "Question: Where is the map?" --evict ada-snapkv:window=16 --budget 20%
              kvil run models/kvil-demo -p "The king" --temp 0.8 --top-p 0.95 --seed 7
              kvil run models/kvil-demo -p "Hello" --json | jq .kv_bytes
              kvil run MODEL.gguf --chat -p "What is the capital of France?"
              cat story.txt | kvil run models/kvil-demo -f -

            The text goes to the standard output as it comes, everything else to the standard error. With --chat the prompt goes
            through the model's chat template, and special tokens that it spells are such tokens, those in the message included.

            """,
        ["explain"] = """
            Examples:
              kvil explain models/kvil-demo -f story.txt --evict ada-snapkv:window=16 --budget 10%
              kvil explain models/kvil-demo -f story.txt --evict ada-snapkv:window=16 --budget 10% --html map.html
              kvil explain MODEL -f story.txt --evict pyramidkv --layer 0
              kvil explain MODEL -f story.txt --evict snapkv --json | jq '.stores[0].heads[0].quota'

            For each layer and KV head: the rows before rounding (quota) and after, and why each token stayed or went: sink,
            window, protected, or its rank and score against the cut, which is the score of the last row that stayed. The
            kept score is the share of the sum of scores, of the rows that competed, that the kept ones hold. L is the L1
            distance of a layer's attention output from the full cache's, at the last query of the prompt; ε bounds it.

            --html writes one page that works offline: the map of tokens by heads, the prompt shaded by how many heads kept
            each token, and the budgets.

            --json prints {"model", "policy", "budget", "floor", "prompt_tokens", "question_tokens", "evicted", "rows",
            "all_rows", "shown_layer", "tokens": [{"position", "id", "text", "bytes", "kept_by"}], "question": [the same],
            "stores": [{"store", "layers", "by_score", "split", "quota": {"exact", "value"}, "rows", "all_rows", "sinks",
            "window", "score_share", "costs": [{"layer", "loss", "theta", "epsilon_head", "epsilon"}], "heads": [{"head",
            "quota", "adaptive", "uniform", "guaranteed", "rows", "ranked", "cut", "positions", "scores", "ranks",
            "reasons"}]}]}. The last four are lists of one length; a reason is whole, window, sink, protected, score, recent
            or dropped. A layer's quota is rows a head on average, and null where the policy compares layers.

            """,
        ["eval"] = """
            Examples:
              kvil eval models/kvil-demo --set models/kvil-demo/needle-grimm.jsonl \
                --evict sliding --evict snapkv:window=16 --evict ada-snapkv:window=16 --budget 5%,10%,20%,40%

            A set has one JSON object a line with the strings "prompt" and "answer". An answer is right when each of its
            tokens is the most likely one given the answer so far; KL is the mean over its tokens of KL(full || policy), in
            nats. The full cache is evaluated once, as budget 100%. Each prompt is prefilled once for all policies.

            --json prints {"results": [{"policy", "budget", "correct", "total", "kl", "short"}],
            "pairs": [{"a", "b", "budget", "only_a", "only_b", "p"}]}; short counts prompts whose budget was below the
            policy's window, p is a two-sided sign test.

            """,
        ["synth"] = """
            Examples:
              kvil synth --shape smollm2-135m --type q4_k small.gguf
              kvil synth --shape llama-3.2-1b --type q8_0 --layers 4 --seed 7 part.gguf

            The weights are random: the model has the speed and the size of the published one, and says nothing. It has a
            vocabulary of the same size that encodes every text. Vectors stay F32; with a quantised type the output head is
            Q6_K or Q8_0, and matrices whose rows are no whole blocks get another type, as with llama.cpp's quantiser.

            """,
        ["ppl"] = """
            Examples:
              kvil ppl models/kvil-demo --text models/kvil-demo/text-grimm.txt --bos
              kvil ppl MODEL --text wiki.txt --window 2048 --limit 8192 --json

            The text is tokenized as a whole, without special tokens, and cut into consecutive windows without overlap, each
            run from position 0 with an empty cache. Every token of a window but its first is scored; what is left after the
            last complete window is not. With --bos a window is BOS and the next N - 1 tokens. The error given is the standard
            error of the mean over tokens, which takes them as independent.

            --json prints {"text_tokens", "window", "windows", "scored", "mean_nll", "standard_error", "perplexity",
            "window_mean_nll": [one a window]}.
            """,
        ["evict"] = """
            Examples:
              kvil evict layer.safetensors --evict ada-snapkv:window=8 --budget 20%
              kvil evict golden/eviction/inputs.safetensors --input in00 --evict ada-snapkv:window=8,kernel=1 --budget 28
              kvil evict scores.safetensors --evict ada-snapkv:alloc=pure --budget 2 --json | jq .allocation.heads

            Tensors, in F32, F16, BF16 or F64: q [h, T, d] and k [kv, T, d] after RoPE, v [kv, T, d] and wo [D, h*d] for the loss,
            and qd [h, d], a decode query that sees all T keys, which the loss is then measured at in place of the last query of q.
            Without q, qd is the one query of a policy with window=1. Logits are scaled by 1/sqrt(d). Policies that look before RoPE
            turn it back by --rope-theta, over all d channels in halves. Or scores [heads, n] alone: of rows that all compete, so the
            budget counts these, and the policy's own scores, pooling and window are not used.

            The plans of the engine decide in float32; loss and bounds are computed in double. The exit code is 1 where
            L <= theta <= eps_head <= eps does not hold, or the rows are not those that the scores decide by definition.

            --json prints {"policy", "file", "input", "shape", "budget": {"text", "rows_per_head", "total", "protected_per_head",
            "divided"}, "scores": {"nan", "positive_infinite", "negative_infinite"}, "decision_is_defined", "query", "allocation":
            {"rule", "heads": [{"head", "quota", "quota_value", "budget", "kept", "rows"}], "cost": {"l", "theta", "epsilon_head",
            "epsilon", "c", "retained_mass", "chain_holds"}}, "uniform", "ok"}.

            """,
        ["verify"] = """
            Examples:
              kvil verify
              kvil verify --cases 200 --seed 12345
              kvil verify MODEL -f long.txt --budget 10% --json | jq .model.settings[0].layers

            Runs every law of the operations on each device, the theorems of Ada-KV on random cases in double, and three policies on a
            prompt: at its last query it shows loss and bounds of every layer, in double, of the rows that the device kept. A
            violation is printed with the seed of its case and with a smaller case. The exit code is 0 when nothing is violated, else 1.

            What must hold on the model: L <= theta <= eps_head <= eps, in double to 1e-9 and in float32 to 1e-5 of the right side
            and 1e-5 h C; each float32 figure within its rounding bound of double; the total of rows exactly; and, where scores are
            not pooled, eps of Ada <= eps of a blend <= eps of uniform, to the same 1e-5, for the queries that score.

            --json prints {"ok", "seed", "cases", "laws": [{"device", "problem", "results": [{"name", "source", "cases", "violations",
            "first": {"seed", "case", "shrunk", "difference"}}]}], "left_out", "theorem_cases", "theorems", "ada_against_uniform",
            "model": {"settings": [{"window", "kernel", "promise", "layers": [{"layer", "c", "splits": [{"split", "policy", "exact",
            "device", "largest_error", "window_epsilon", "kept_of_head"}]}]}], "violations", ...}}.
            """,
        ["inspect"] = """
            Examples:
              kvil inspect models/kvil-demo
              kvil inspect models/kvil-demo --json | jq .kv.bytes_per_token
            """,
        ["check"] = """
            Examples:
              kvil check models/tiny-random/llama-bias
              kvil check MODEL --reference recorded.safetensors --json | jq .passed

            Runs every sequence of the reference (layout kvil-reference/1) as one prompt, with keys and values in F32, and
            compares logits, cached keys and values, and the greedy continuation, this up to the first token that is ahead of
            the next one by less than twice the tolerance. Keys and values have the tolerance of the logits, 1e-3 where the
            reference states none. The exit code is 0 when everything is within it, and 1 otherwise.

            --json prints {"reference", "passed", "sequences": [{"name", "tokens", "tolerance", "stated_tolerance",
            "quantities": [{"name", "layer", "count", "difference", "position", "index", "passed"}],
            "greedy": {"compared", "equal", "recorded", "passed"}, "passed"}]}.
            """,
        ["tokenize"] = """
            Examples:
              kvil tokenize models/kvil-demo "Once upon a time"
              cat story.txt | kvil tokenize MODEL.gguf --json
              kvil tokenize models/kvil-demo --check models/kvil-demo/tokenizer-vectors.json

            No start token is put in front. Text is in quotes; "bytes E2 ..." are a part of a character; special tokens are bare.

            --check reads an array of {"text", "ids"}; "special": true reads special tokens in the text, "lossy": true says that
            decoding need not give it back. Where an entry fails, the first is shown and the exit code is 1.

            --json prints {"tokenizer", "ids", "tokens": [{"id", "token", "bytes", "special"}]}, or with --check {"passed",
            "total", "first_failure": {"entry", "text", "expected", "got", "decoded"}}.
            """,
        ["template"] = """
            Examples:
              kvil template MODEL --messages chat.json
              echo '[{"role": "user", "content": "Hello"}]' | kvil template MODEL --messages -
              kvil template mine.jinja --messages chat.json --var bos_token="<s>" --var enable_thinking=false --date 2025-03-09

            The prompt is printed exactly, without a newline of its own where the output goes to a file or a pipe. A template's
            own file knows no tokens; --var gives them. A template that refuses the messages says why, and the exit code is 1.
            """,
        ["sharing"] = """
            Examples:
              kvil sharing --layers 22 --kv-layers 11
              kvil sharing --layers 32 --kv-layers 8 --kv-heads 8 --head-dim 128 --quarters

            A map names the layer that each layer reads, bottom first; 0_10x20_21 is 0, then 10 twenty times, then 21. Layers that
            read above themselves make a prompt go through a part of the layers again and again: m + b = 9 passes over the whole
            prompt, as the published checkpoints were trained, or chunks of 9 tokens until each is exact, where pass p runs the tokens
            from p on. kvil run takes them token by token in such a part unless --prefill says otherwise: one pass, exact too.

            --json prints {"layers", "kv_layers", "bytes_per_token", "unshared_bytes_per_token", "bytes_per_token_with_positions",
            "rows": [{"configuration", "map", "owners", "cyclic", "iterative_passes", "exact_passes"}]}.

            --equal-bytes evaluates models in place of the table: right answers where nothing is evicted, and at shares of the bytes
            that their layers would take without sharing, with budgets of each store, by readers, and under one total:
              kvil sharing --equal-bytes models/kvil-demo OTHER-MODEL --limit 16
            """,
        ["share"] = """
            Examples:
              kvil share MODEL --share sandwich-middle:11 OUT
              kvil share MODEL --share 0_10x20_21 --init keep OUT
              kvil share MODEL --share 0s_1s_2s_3x3 OUT

            The result is an lckv-llama checkpoint: projections of keys and values only for the layers that are read, all other
            tensors and the tokenizer's files as they are. Layers marked s see sliding_window keys, 4096 where the config has no
            such field; without marks layers keep the windows they have. Nothing is left behind where writing fails.

            --json prints {"path", "map", "layers", "stores", "cyclic", "parameters", "parameters_before"}.
            """,
        ["golden"] = """
            Examples:
              kvil golden DIR
              kvil golden DIR --json | jq .failed

            Prints how many vectors of each group came out as recorded, and where the first of the others differ. The exit code is
            0 when none failed, and 1 otherwise.

            --json prints {"format", "grouped_by", "groups": [{"name", "passed", "failed", "not_implemented"}],
            "failures": [{"id", "difference"}], "passed", "failed", "not_implemented"}.
            """,
        ["doctor"] = """
            Lists the CPU, with the instruction sets that the engine uses, and every GPU that a driver reports; then runs on each
            a small eviction and a small product and compares them with double precision. The exit code is 0 when everything
            that is there works, and 1 otherwise; a machine without a GPU is no failure.

            --json prints {"ok", "cpu", "devices": [{"name", "hardware", "driver", "memory_bytes", "ok", "problem",
            "compile_seconds", "run_seconds"}], "absent": [sentences], "broken": [sentences], "gpu_backend"}.
            """,
        ["kernels"] = """
            Examples:
              kvil kernels
              kvil kernels WindowSums
              kvil kernels WindowSums_F16 --ptx | ptxas -arch=sm_90 -v -o /dev/null -

            A kernel has one text for each choice of element types, such as LinearRow_F16. Registers are those of a thread that
            NVIDIA's assembler gives it; the list shows the most over a kernel's texts. No kernel spills.
            """,
        ["demo"] = """
            A fact hidden in a long text: its answer with the full cache and under sliding window, SnapKV and Ada-SnapKV at
            40, 20, 10 and 5 % of the rows, with the bytes of the cache and the loss beside its proven bound; then how many of
            32 such prompts each of them answers. The model is small and comes with the tool; nothing is downloaded.
            """,
    };

    private static readonly Dictionary<string, string> Methods = new()
    {
        ["full"] = "keeps everything",
        ["sliding"] = "keeps the first rows (sinks) and the most recent ones",
        ["snapkv"] = "keeps the rows that the last window of queries attended to",
        ["ada-snapkv"] = "the same, with a budget for each head by where attention is",
        ["pyramidkv"] = "snapkv, with budgets that fall with depth",
        ["ada-pyramid"] = "both",
        ["global-snapkv"] = "snapkv, with one budget for all heads of all layers",
        ["criticalkv"] = "snapkv for half of the budget, then by what a row adds to the output",
        ["chunkkv"] = "whole chunks of rows, the same for all heads",
        ["h2o"] = "the rows that all queries attended to most",
        ["prefixkv"] = "h2o, with budgets that even out what layers retain",
        ["observed"] = "the rows that got most attention per query that sees them",
        ["tova"] = "the rows that the last query attends to",
        ["knorm"] = "keys of small norm",
        ["keydiff"] = "keys that point elsewhere than the mean key",
        ["expected"] = "what queries to come are expected to attend to",
        ["lagkv"] = "keys and values that spread unevenly",
        ["finch"] = "snapkv without pooling, each query weighted by the rows it sees",
        ["cake"] = "rows whose attention is large or moves, layers by preference",
        ["curdkv"] = "large keys and values",
        ["noncausal"] = "what the rows of a chunk attend to without a mask",
        ["leverage"] = "keys that are hard to write by others",
        ["capkv"] = "values that are hard to write by others, weighted by the mean query",
        ["qfilter"] = "keys along the main direction of the queries",
        ["random"] = "rows drawn at random, for comparison",
    };

    /// <summary>How a policy is written, with the keys and defaults that the policies themselves print.</summary>
    public static string Policies =>
        "Policies are written NAME[:key=value,...]; these are all names, keys and defaults:\n"
        + string.Concat(EvictionPolicy.Names.Select(name =>
            $"  {name,-13} {Methods.GetValueOrDefault(name, "")}\n"
            + (EvictionPolicy.Parse(name) is { KeepsEverything: false } policy ? $"               {policy}\n" : "")))
        + """
              ada- before a score (ada-knorm) gives it budgets for each head, global- (global-knorm) one budget for all heads of all layers.
              pool is max or avg, order group-pool or pool-group, alloc blend, pure (without floor), floor or mask; weights=head
              weights each head by its own constant, mass=kept scales heads by what their best rows hold; vote=max, mean, sum or owner says
              how the layers that read one store decide, readers=1 gives stores rows by their readers; heads=@FILE splits rows
              over heads and layers by the weights of a JSON file, [[3, 1], [2, 2]] for 2 layers of 2 KV heads (or heads=3:1/2:2),
              pieces=N takes the best of each N rows scored apart and blocks=N lets what is kept meet N rows at a time (knorm, keydiff, curdkv,
              leverage, random), and
              positions=consecutive moves kept rows together, so that a text may be longer than the model's context.

            """
        + $"""

            A budget is a share of the prompt's tokens (20%, 12.5%) or a count (128): the rows that each KV head keeps on
            average, sinks and window included; {Budget.Default} unless said. It is met exactly. Decoding may run over it by
            slack rows before it evicts again. A prompt not longer than the window or the budget keeps everything; a budget
            below the window keeps the most recent rows.
            """;

    /// <summary>Gives every command its part of the help, and the root its version.</summary>
    public static void Install(RootCommand root)
    {
        HelpOption help = root.Options.OfType<HelpOption>().Single();
        help.Action = new Action((HelpAction)help.Action!);
        root.Options.OfType<VersionOption>().Single().Action = new VersionAction();
        root.SetAction(parse => help.Action is Action action ? action.Invoke(parse) : App.Usage);
    }

    private sealed class Action(HelpAction standard) : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            TextWriter writer = parseResult.InvocationConfiguration.Output;
            Command command = parseResult.CommandResult.Command;
            int code = standard.Invoke(parseResult);
            writer.WriteLine(Details.GetValueOrDefault(command is RootCommand ? "" : command.Name));
            if (command.Options.Any(option => option.Name == "--evict"))
            {
                writer.WriteLine(Policies);
            }

            return code;
        }
    }

    private sealed class VersionAction : SynchronousCommandLineAction
    {
        public override int Invoke(ParseResult parseResult)
        {
            Version version = Assembly.GetExecutingAssembly().GetName().Version!;
            parseResult.InvocationConfiguration.Output.WriteLine($"kvil {version.ToString(3)}");
            return App.Success;
        }
    }
}
