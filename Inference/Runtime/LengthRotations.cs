using System.Collections.Immutable;
using KvIL.Backends;
using KvIL.Inference.Files;
using KvIL.Tensors;

namespace KvIL.Inference.Runtime;

/// <summary>The rotations that depend on the length of a sequence, or have rounded angles: the host takes them and uploads them.</summary>
/// <remarks>
/// Cosines and sines are taken in double and rounded once, as a <see cref="Ops.RotationOp"/> does; rounded angles are products in float32. All tokens of a prompt take the length
/// of the whole prompt, however it is split into chunks; a decoded token takes the length up to itself.
/// </remarks>
internal sealed class LengthRotations : IDisposable
{
    private readonly Table[] _tables;

    public LengthRotations(IBackend backend, ImmutableArray<RopeConfig> ropes, int tokens) =>
        _tables = [.. ropes.Index().Where(rope => rope.Item.IsOfHost).Select(rope => new Table(
            rope.Index,
            rope.Item,
            backend.Allocate(new(DType.F32, tokens, rope.Item.RotaryDim), MemoryKind.Activations),
            new float[(long)tokens * rope.Item.RotaryDim]))];

    /// <summary>The buffers, by number of the rope.</summary>
    public IEnumerable<(int Rope, IBuffer Buffer)> Buffers => _tables.Select(table => (table.Index, table.Buffer));

    /// <summary>Bytes of the buffers.</summary>
    public long SizeBytes => _tables.Sum(table => table.Buffer.Spec.SizeBytes);

    /// <summary>Takes the rotations of <paramref name="positions"/> in a sequence of <paramref name="length"/> tokens, as rows from <paramref name="row"/> on.</summary>
    public void Fill(int row, ReadOnlySpan<int> positions, int length)
    {
        foreach (Table table in _tables)
        {
            ImmutableArray<double> frequencies = table.Rope.Frequencies(length);
            double factor = table.Rope.AttentionFactor;
            int half = frequencies.Length;
            for (int i = 0; i < positions.Length; i++)
            {
                Span<float> rotation = table.Values.AsSpan((row + i) * 2 * half, 2 * half);
                for (int f = 0; f < half; f++)
                {
                    double angle = table.Rope.RoundsAngles ? (double)(positions[i] * (float)frequencies[f]) : positions[i] * frequencies[f];
                    (double sin, double cos) = Math.SinCos(angle);
                    rotation[f] = (float)(factor * cos);
                    rotation[half + f] = (float)(factor * sin);
                }
            }
        }
    }

    /// <summary>Uploads the first <paramref name="rows"/> rows.</summary>
    public void Upload(IQueue queue, int rows)
    {
        foreach (Table table in _tables)
        {
            queue.Upload<float>(table.Values.AsSpan(0, rows * table.Rope.RotaryDim), table.Buffer);
        }
    }

    public void Dispose()
    {
        foreach (Table table in _tables)
        {
            table.Buffer.Dispose();
        }
    }

    private sealed record Table(int Index, RopeConfig Rope, IBuffer Buffer, float[] Values);
}
