using System.Buffers.Binary;
using System.Text;
using KvIL.Inference.Files;
using KvIL.Inference.Tokenization.Bpe;

namespace KvIL.Inference.Tokenization.Llama2c;

/// <summary>Reads the tokenizer files of the llama2.c project, such as <c>tokenizer.bin</c>.</summary>
/// <remarks>
/// Layout, little-endian: int32, the most bytes of a token; then for each token float32 score, int32 length, its bytes.
/// Ids 0 to 2 are unknown, start and end, the next 256 the bytes. Blanks are blanks, and one goes before a text.
/// </remarks>
internal static class Llama2cTokenizer
{
    private const int MaxTokenBytes = 1 << 12;
    private const int MaxFileBytes = 1 << 28;
    private const int TokenHeader = 8;
    private const int FirstByte = 3;
    private const int FirstPiece = FirstByte + 256;

    /// <summary>Reads the file.</summary>
    /// <exception cref="ModelFileException">It cannot be read, or is not such a file.</exception>
    public static Tokenizer Load(string path)
    {
        using MappedFile file = MappedFile.Open(path);
        if (file.Memory.LengthBytes > MaxFileBytes)
        {
            throw Error(path, 0, $"the file has {file.Memory.LengthBytes} bytes, more than the {MaxFileBytes} of any such file");
        }

        (List<byte[]> tokens, float[] scores) = Read(path, file.Memory.AsSpan());
        var vocabulary = new Vocabulary(tokens.Count);
        var pieces = new Dictionary<string, int>(tokens.Count);
        for (int id = 0; id < tokens.Count; id++)
        {
            string spelling = Encoding.UTF8.GetString(tokens[id]);
            vocabulary.Add(spelling, id);
            if (id < FirstByte)
            {
                vocabulary.MarkSpecial(id);
            }
            else if (id >= FirstPiece && spelling.Length > 0)
            {
                pieces.TryAdd(spelling, id);
            }
        }

        int?[] bytes = [.. Enumerable.Range(FirstByte, 256).Select(id => (int?)id)];
        var encoder = new SentencePieceEncoder(new SentencePieceVocabulary(pieces, scores), bytes, null, ' ', addsBlank: true);
        TokenSpelling spellings = TokenSpelling.Plain(vocabulary, [], byteFallback: true, dropsBlank: true);
        var marks = new TokenMarks(Bos: 1, Eos: 2, AddsBos: true, Ends: [2]);
        return new Tokenizer("SentencePiece BPE", vocabulary, new LongestFirstCutter([]), encoder, spellings, marks);
    }

    /// <summary>Whether the file is laid out as such a file from its first to its last byte.</summary>
    public static bool IsOne(string path)
    {
        using MappedFile file = MappedFile.Open(path);
        if (file.Memory.LengthBytes > MaxFileBytes)
        {
            return false;
        }

        try
        {
            Read(path, file.Memory.AsSpan());
            return true;
        }
        catch (ModelFileException)
        {
            return false;
        }
    }

    private static (List<byte[]> Tokens, float[] Scores) Read(string path, ReadOnlySpan<byte> data)
    {
        if (data.Length < sizeof(int))
        {
            throw Error(path, 0, "the file is too short");
        }

        int longest = BinaryPrimitives.ReadInt32LittleEndian(data);
        if (longest is < 1 or > MaxTokenBytes)
        {
            throw Error(path, 0, $"the most bytes of a token are {longest}; from 1 to {MaxTokenBytes} are supported");
        }

        var tokens = new List<byte[]>();
        var scores = new List<float>();
        for (int at = sizeof(int); at < data.Length;)
        {
            if (data.Length - at < TokenHeader)
            {
                throw Error(path, at, $"token {tokens.Count} is cut off");
            }

            float score = BinaryPrimitives.ReadSingleLittleEndian(data[at..]);
            int length = BinaryPrimitives.ReadInt32LittleEndian(data[(at + sizeof(float))..]);
            if (float.IsNaN(score) || length < 0 || length > longest || length > data.Length - at - TokenHeader)
            {
                throw Error(path, at, $"token {tokens.Count} has the score {score} and {length} bytes");
            }

            tokens.Add(data.Slice(at + TokenHeader, length).ToArray());
            scores.Add(score);
            at += TokenHeader + length;
        }

        return tokens.Count >= FirstPiece
            ? (tokens, [.. scores])
            : throw Error(path, data.Length, $"it has {tokens.Count} tokens, fewer than the {FirstPiece} that every such file has");
    }

    private static ModelFileException Error(string path, int offset, string problem) => new(
        FormattableString.Invariant($"{path}: not a tokenizer of llama2.c: at byte offset {offset}, {problem}; check that it is the right file."));
}
