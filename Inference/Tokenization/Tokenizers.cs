using KvIL.Inference.Files;

namespace KvIL.Inference.Tokenization;

/// <summary>Checks between a tokenizer and its model.</summary>
public static class Tokenizers
{
    /// <summary>Refuses a tokenizer that can give an id the model has no embedding for.</summary>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="modelVocab">Rows of the model's embedding; may exceed the tokenizer's ids.</param>
    /// <param name="path">The tokenizer's file, for the message.</param>
    /// <exception cref="ModelFileException">An id is not below <paramref name="modelVocab"/>.</exception>
    public static void EnsureFits(ITokenizer tokenizer, int modelVocab, string path)
    {
        if (tokenizer.VocabSize > modelVocab)
        {
            throw new ModelFileException(
                $"{path}: the tokenizer has ids up to {tokenizer.VocabSize - 1}, but the model's vocabulary ends at "
                + $"{modelVocab - 1}; take the tokenizer that belongs to the model.");
        }
    }
}
