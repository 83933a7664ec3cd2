using KvIL.Ops;
using KvIL.Reference.Memory;
using KvIL.Reference.Simd;
using KvIL.Reference.Threading;
using KvIL.Tensors;

namespace KvIL.Reference.Kernels;

/// <summary><c>y = Σ_j softmax_j(s_j) v_j</c> over the visible rows of the token's sequence, G query heads to a KV head.</summary>
/// <remarks>
/// Flash attention (Dao et al. 2022, arXiv:2205.14135, algorithm 1): rows come in blocks of 64; a running maximum m, the sum ℓ of
/// exp(s − m) and the output accumulate, and are rescaled by exp(m_old − m_new) when a block raises m. Nothing of the
/// size of the context is ever held.
/// </remarks>
internal sealed unsafe class AttendStep(AttendOp op) : Step
{
    private readonly int _maxTokens = op.Positions.Tensor.Shape[0].Max;
    private readonly int _width = op.Q.Tensor.Shape[1].Max;
    private readonly StoreSpec _spec = op.Store.Store;

    private int QueryHeads => _width / _spec.HeadDim;

    private int Group => QueryHeads / _spec.NumKvHeads;

    // Tokens whose queries of one group fill the lanes of a tile.
    private int TokensPerBlock => Math.Max(1, Tile.Width / Group);

    public override long ScratchBytes(int workers) =>
        DType.I32.SizeBytes(_maxTokens + 1L + 15) + ((long)workers * AttendBlock.ScratchBytes(_spec.HeadDim));

    public override void Run(Frame f)
    {
        int n = f.Value(op.Positions.Tensor.Shape[0]);
        int* blocks = (int*)f.Scratch;
        int* sequences = f.I32(op.Sequences);
        int count = SplitTokens(sequences, n, blocks);
        byte* scratch = f.Scratch + DType.I32.SizeBytes((_maxTokens + 1 + 15) / 16 * 16);
        TokenBlocks job = new(f.Store(op.Store), f.F32(op.Q), f.I32(op.Positions), sequences, f.F32(op.Y), blocks, scratch, _width, op.Rule);
        f.Workers.Run(job, count * _spec.NumKvHeads);
    }

    // Blocks of consecutive tokens of one sequence; block b is tokens blocks[b] to blocks[b + 1] - 1.
    private int SplitTokens(int* sequences, int n, int* blocks)
    {
        int count = 0;
        for (int i = 0; i < n;)
        {
            blocks[count++] = i;
            int end = Math.Min(n, i + TokensPerBlock);
            int sequence = sequences[i];
            while (i < end && sequences[i] == sequence)
            {
                i++;
            }
        }

        blocks[count] = n;
        return count;
    }

    // One item: a block of tokens, one KV head.
    private readonly struct TokenBlocks(
        HostStore store, float* q, int* positions, int* sequences, float* y, int* blocks, byte* scratch, int width, AttentionRule rule) : IJob
    {
        public void Run(int index, int worker)
        {
            StoreSpec spec = store.StoreSpec;
            int head = index % spec.NumKvHeads;
            int first = blocks[index / spec.NumKvHeads];
            int tokens = blocks[(index / spec.NumKvHeads) + 1] - first;
            int group = width / spec.HeadDim / spec.NumKvHeads;
            int run = (sequences[first] * spec.NumKvHeads) + head;
            AttendBlock block = new(store, run, rule, scratch + (worker * AttendBlock.ScratchBytes(spec.HeadDim)));

            // As a rule all lanes fit one tile; a group larger than a tile takes several tiles of one token.
            for (int lane = 0; lane < tokens * group; lane += Tile.Width)
            {
                int lanes = Math.Min(Tile.Width, (tokens * group) - lane);
                for (int l = 0; l < lanes; l++)
                {
                    int token = first + ((lane + l) / group);
                    long element = Element(token, head, (lane + l) % group);
                    int position = positions[token];
                    int hidden = rule.Window is int window ? store.VisibleRows(run, position - window) : 0;
                    block.SetLane(l, q + element, y + element, hidden, store.VisibleRows(run, position - rule.Lag));
                }

                block.Attend(lanes);
            }
        }

        private long Element(int token, int head, int member)
        {
            StoreSpec spec = store.StoreSpec;
            int group = width / spec.HeadDim / spec.NumKvHeads;
            return ((long)token * width) + ((((long)head * group) + member) * spec.HeadDim);
        }
    }
}
