using KvIL.Inference.Files;
using Xunit;

namespace KvIL.Tests.Files;

public sealed class GgufFileTests
{
    private const string Tiny = "models/tiny-random/gguf/llama-untied-f16.gguf";
    private const string SmolLm = "models/smollm2-135m-instruct/SmolLM2-135M-Instruct.Q4_1.gguf";

    [SharedFact(Tiny)]
    public void A_small_file_has_its_metadata_and_tensors()
    {
        using GgufFile file = GgufFile.Open(Shared.PathOf(Tiny));
        Assert.Equal(3, file.Version);
        Assert.Equal("llama", file.Metadata.Require("general.architecture").String());
        FileTensor embedding = file.Tensors["token_embd.weight"];
        Assert.Equal("F16", embedding.StoredType);
        Assert.Equal(file.Metadata.Require("llama.embedding_length").Integer(1, 1 << 20), embedding.Shape[1]);
        Assert.Equal(file.Metadata.Require("tokenizer.ggml.tokens").Strings().Length, embedding.Shape[0]);
    }

    [SharedFact(SmolLm)]
    public void A_real_vocabulary_loads()
    {
        using GgufFile file = GgufFile.Open(Shared.PathOf(SmolLm));
        Assert.Equal(272, file.Tensors.Count);
        Assert.Equal(49152, file.Metadata.Require("tokenizer.ggml.tokens").Strings().Length);
        Assert.Equal(48900, file.Metadata.Require("tokenizer.ggml.merges").Strings().Length);
        Assert.Equal(3, file.Metadata.Require("tokenizer.ggml.token_type").Integers()[2]);
        Assert.Equal(100_000, file.Metadata.Require("llama.rope.freq_base").Number());
        Assert.Equal([49152, 576], file.Tensors["token_embd.weight"].Shape);
    }
}
