using KvIL.Inference.Evaluation;
using Xunit;

namespace KvIL.Tests.Architectures;

/// <summary>Every architecture against what transformers computed with it: logits, keys and values, greedy tokens.</summary>
public sealed class RecordedArchitectureTests
{
    public static TheoryData<string> Folders => TinyRandom.Folders;

    [Theory]
    [MemberData(nameof(Folders))]
    public void Agrees_with_its_recording(string folder)
    {
        CheckReport report = TinyRandom.Check(TinyRandom.PathOf(folder));
        Assert.True(report.Passed);
        Assert.All(report.Sequences, sequence => Assert.True(sequence.StatedTolerance));
        Assert.Equal(24, report.Sequences.Single(sequence => sequence.Greedy is not null).Greedy!.Equal);
        Assert.Contains(report.Sequences[0].Quantities, quantity => quantity.Name == "k");

        // Five times the recorded rounding error, at least 1e-4: the tight tolerance of the recordings.
        Assert.InRange(TinyRandom.Largest(report), 1e-7, Math.Max(1e-4, 5 * TinyRandom.Float32Errors[folder]));
    }

    [SharedFact("models/tiny-random/gguf")]
    public void Files_of_gguf_agree_with_their_recordings()
    {
        string[] files = Directory.GetFiles(Shared.PathOf("models/tiny-random/gguf"), "*.gguf");
        Assert.NotEmpty(files);
        Assert.All(files, file => Assert.True(TinyRandom.Check(file).Passed, file));
    }

    [SharedFact("models/stories260K")]
    public void A_trained_model_agrees_with_its_recording_in_each_of_its_forms() => Assert.All(
        ["stories260K.bin", "stories260K-f32.gguf", "hf"],
        form => Assert.True(TinyRandom.Check(Shared.PathOf($"models/stories260K/{form}")).Passed, form));

    [SharedFact("models/smollm2-135m-instruct")]
    [Trait("Length", "Long")]
    public void A_real_model_agrees_with_its_recording() => Assert.True(
        TinyRandom.Check(Shared.PathOf("models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf")).Passed);
}
