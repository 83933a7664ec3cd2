using System.Buffers.Binary;
using System.Globalization;
using KvIL.Inference.Files;
using KvIL.Inference.Tokenization.Gguf;
using KvIL.Inference.Tokenization.Json;
using KvIL.Inference.Tokenization.Llama2c;

namespace KvIL.Inference.Tokenization;

/// <summary>Finds and reads tokenizers.</summary>
public static class Tokenizers
{
    private const string JsonName = "tokenizer.json";
    private const string BinaryName = "tokenizer.bin";

    /// <summary>
    /// Reads the tokenizer of a model: a directory with tokenizer.json or tokenizer.bin, such a file itself, a GGUF file, or
    /// a llama2.c model beside which a tokenizer lies.
    /// </summary>
    /// <exception cref="ModelFileException">There is none, or it is damaged or not supported.</exception>
    public static ITokenizer Load(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (Directory.Exists(path))
        {
            return LoadDirectory(path);
        }

        if (Path.GetExtension(path).Equals(".json", StringComparison.OrdinalIgnoreCase))
        {
            return TokenizerJson.Load(path);
        }

        if (GgufFile.HasMagic(path))
        {
            using GgufFile file = GgufFile.Open(path);
            return Load(file);
        }

        if (!Path.GetExtension(path).Equals(".bin", StringComparison.OrdinalIgnoreCase))
        {
            throw new ModelFileException(
                $"{path}: found no tokenizer in it; name a directory with {JsonName}, a GGUF file, or a {BinaryName} of llama2.c.");
        }

        return Llama2cTokenizer.IsOne(path) || FindBeside(path) is not { } beside
            ? Llama2cTokenizer.Load(path)
            : Load(beside);
    }

    /// <summary>Reads the tokenizer of a GGUF file.</summary>
    /// <exception cref="ModelFileException">It is damaged or not supported.</exception>
    public static ITokenizer Load(GgufFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        return GgufTokenizer.Create(GgufVocabulary.Read(file));
    }

    /// <summary>The tokenizer's file that lies beside a llama2.c model; null where there is none.</summary>
    /// <remarks>By name: tokN.bin for a vocabulary of N tokens, tokenizer.bin, tokenizer.json, in this order.</remarks>
    public static string? FindBeside(string modelPath)
    {
        ArgumentException.ThrowIfNullOrEmpty(modelPath);
        string directory = Path.GetDirectoryName(modelPath) is { Length: > 0 } parent ? parent : ".";
        string[] names = VocabularyOf(modelPath) is { } size
            ? [string.Create(CultureInfo.InvariantCulture, $"tok{size}.bin"), BinaryName, JsonName]
            : [BinaryName, JsonName];
        return names.Select(name => Path.Combine(directory, name))
            .FirstOrDefault(candidate => File.Exists(candidate) && Path.GetFullPath(candidate) != Path.GetFullPath(modelPath));
    }

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

    private static ITokenizer LoadDirectory(string directory)
    {
        string json = Path.Combine(directory, JsonName);
        string binary = Path.Combine(directory, BinaryName);
        if (File.Exists(json))
        {
            return TokenizerJson.Load(json);
        }

        if (File.Exists(binary))
        {
            return Llama2cTokenizer.Load(binary);
        }

        string what = File.Exists(Path.Combine(directory, "tokenizer.model"))
            ? "tokenizer.model alone, which is not supported; convert it to tokenizer.json, or the model to GGUF"
            : $"no {JsonName}; add the model's";
        throw new ModelFileException($"{directory}: found {what}.");
    }

    // The vocabulary in the header of a llama2.c model; null where the file is none.
    private static int? VocabularyOf(string path)
    {
        const int sizes = 7;
        const int sizeOfVocabulary = 5;
        const int magic = 0x616B_3432;
        Span<byte> header = stackalloc byte[(2 + sizes) * sizeof(int)];
        try
        {
            using FileStream file = File.OpenRead(path);
            file.ReadExactly(header);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        int first = BinaryPrimitives.ReadInt32LittleEndian(header) == magic ? 2 : 0;
        int size = BinaryPrimitives.ReadInt32LittleEndian(header[((first + sizeOfVocabulary) * sizeof(int))..]);
        return size == int.MinValue ? null : Math.Abs(size);
    }
}
