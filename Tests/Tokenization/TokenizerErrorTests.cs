using System.Text.Json.Nodes;
using KvIL.Inference.Tokenization;
using KvIL.Tests.Files;
using Xunit;

namespace KvIL.Tests.Tokenization;

public sealed class TokenizerErrorTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("model.type", "\"WordPiece\"", "'model.type': found the tokenizer model 'WordPiece', supported is 'BPE'")]
    [InlineData("model.type", "\"Unigram\"", "found the tokenizer model 'Unigram'")]
    [InlineData("model.dropout", "0.1", "'model.dropout': this feature of BPE tokenizers is not supported")]
    [InlineData("model.end_of_word_suffix", "\"</w>\"", "'model.end_of_word_suffix': this feature")]
    [InlineData("model.continuing_subword_prefix", "\"##\"", "'model.continuing_subword_prefix': this feature")]
    [InlineData("model.vocab", "{}", "'model.vocab': the vocabulary is empty")]
    [InlineData("model.vocab", "[]", "'model.vocab': expected an object, got an array")]
    [InlineData("model.vocab", """{"a":-1}""", "'model.vocab.a': expected a whole number from 0 to 16777215, got '-1'")]
    [InlineData("model.vocab", """{"a":16777216}""", "'model.vocab.a': expected")]
    [InlineData("model.vocab", """{"a":1.5}""", "'model.vocab.a': expected")]
    [InlineData("model.vocab", """{"a":1,"b":1}""", "'model.vocab.b': the id 1 belongs to another token too")]
    [InlineData("model.merges", """["a"]""", @"'model.merges\[0\]': expected two tokens, got the string 'a'")]
    [InlineData("model.merges", """["a b c"]""", "expected two tokens, got the string 'a b c'")]
    [InlineData("model.merges", """[["a"]]""", "expected two tokens, got an array")]
    [InlineData("model.merges", "[7]", @"'model.merges\[0\]': expected a string, got '7'")]
    [InlineData("model.merges", """["a z"]""", "the merge needs the token 'az', which the vocabulary lacks")]
    [InlineData("model.merges", "{}", "'model.merges': expected an array, got an object")]
    [InlineData("normalizer", """{"type":"Lowercase"}""", "'normalizer': found a normalizer of type 'Lowercase', supported are 'NFC'")]
    [InlineData("normalizer", """{"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Precompiled"}]}""", @"'normalizer.normalizers\[1\]': found a normalizer of type 'Precompiled'")]
    [InlineData("normalizer", """{"type":"Replace","pattern":{"Regex":"(?<=a)b"},"content":"x"}""", @"'normalizer.pattern.Regex': the pattern has a part that is not supported: a group of this kind at its character 2")]
    [InlineData("normalizer", """{"type":"Replace","pattern":{"String":""},"content":"x"}""", "the pattern is empty")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"[a"},"behavior":"Isolated"}""", @"a '\[' without '\]'")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"a"},"behavior":"Odd"}""", "'pre_tokenizer.behavior': expected 'Isolated'")]
    [InlineData("pre_tokenizer", """{"type":"Split","pattern":{"Regex":"a"}}""", "the field 'behavior' is missing")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace","replacement":"ab"}""", "expected one character")]
    [InlineData("pre_tokenizer", """{"type":"Metaspace","prepend_scheme":"odd"}""", "expected 'always', 'first' or 'never'")]
    [InlineData("decoder", """{"type":"Sequence","decoders":[{"type":"Strip","content":" ","start":0,"stop":1}]}""", "a 'Strip' of anything but|expected a whole number")]
    [InlineData("model.unk_token", "\"zz\"", "'model.unk_token': the vocabulary has no token 'zz'")]
    [InlineData("pre_tokenizer", """{"type":"BertPreTokenizer"}""", "found a pre-tokenizer of type 'BertPreTokenizer', supported are 'ByteLevel'")]
    [InlineData("decoder", """{"type":"WordPiece"}""", "found a decoder of type 'WordPiece'")]
    [InlineData("post_processor", """{"type":"BertProcessing"}""", "found a post-processor of type 'BertProcessing'")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[]}""", "'post_processor.single': only a template of at most one token and then the text")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[{"Sequence":{"id":"A"}},{"SpecialToken":{"id":"x"}}]}""", "only a template")]
    [InlineData("post_processor", """{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"x"}},{"Sequence":{"id":"A"}}],"special_tokens":{"x":{"ids":[999]}}}""", "'post_processor': the tokenizer has no token of id 999")]
    [InlineData("added_tokens", """[{"id":97,"content":"zz"}]""", "the added token 'zz' is empty, repeated, or its id 97 is not its own")]
    [InlineData("added_tokens", """[{"id":98,"content":"a"}]""", "the added token 'a' is empty, repeated, or its id 98 is not its own")]
    [InlineData("added_tokens", """[{"id":300,"content":""}]""", "the added token '' is empty")]
    [InlineData("added_tokens", """[{"id":300,"content":"xx","single_word":true}]""", "whole words only is not supported")]
    [InlineData("added_tokens", """[{"id":300}]""", @"'added_tokens\[0\]': the field 'content' is missing")]
    public void A_bad_part_is_refused(string field, string value, string pattern)
    {
        JsonObject file = TokenizerFile.Of("a b");
        JsonObject owner = field.StartsWith("model.", StringComparison.Ordinal) ? file["model"]!.AsObject() : file;
        owner[field.Split('.')[^1]] = JsonNode.Parse(value);
        string path = _directory.Write("tokenizer.json", file.ToJsonString());
        Refusal.Is(pattern, path, () => Tokenizers.Load(path));
    }

    [Fact]
    public void An_unknown_token_stands_for_bytes_that_the_vocabulary_lacks()
    {
        JsonObject file = TokenizerFile.Of();
        file["model"]!["unk_token"] = "a";
        file["model"]!["vocab"]!.AsObject().Remove("b");
        string path = _directory.Write("tokenizer.json", file.ToJsonString());
        Assert.Equal(['x', 'a', 'a', 'c'], Tokenizers.Load(path).Encode("xbbc"));
        file["model"]!["fuse_unk"] = true;
        _directory.Write("tokenizer.json", file.ToJsonString());
        Assert.Equal(['x', 'a', 'c'], Tokenizers.Load(path).Encode("xbbc"));
    }

    [Fact]
    public void A_token_that_stands_there_twice_is_refused()
    {
        string text = TokenizerFile.Of().ToJsonString().Replace("\"vocab\":{", "\"vocab\":{\"a\":300,", StringComparison.Ordinal);
        string path = _directory.Write("tokenizer.json", text);
        Refusal.Is("'model.vocab.a': the token stands there twice", path, () => Tokenizers.Load(path));
    }

    [Fact]
    public void A_mark_that_is_no_token_is_refused()
    {
        string path = _directory.Write("tokenizer.json", TokenizerFile.Of().ToJsonString());
        string config = _directory.Write("tokenizer_config.json", """{"eos_token":"</s>"}""");
        Refusal.Is("'eos_token': the tokenizer has no token '</s>'", config, () => Tokenizers.Load(path));
    }
}
