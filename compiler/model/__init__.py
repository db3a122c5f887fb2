"""The machine: an ordinary transformer in PyTorch, in one folder, which needs torch and nothing else of this project.

In: a `Config` and a state dict. Out: `Transformer`, an `nn.Module` from token ids to logits; `run` goes from tokens to
decoded values; `generate` writes on from a prompt. No norm, ReLU, hard-set weights, a hidden BOS position 0 that
callers never see.
Invariants: answers do not depend on padding, batching or the cache of a text that is generated, and rows of padding
reach nothing, whatever they hold; products are never rounded more than the model's dtype does, the addition to the
residual stream is rounded by itself; weights of another dtype than they were made for are refused.

    token ids [batch, n] -> embedding [batch, 1 + n, d_model] -> blocks -> logits [batch, n, d_vocab_out]

The folder may be copied out, under any name: its modules import each other from where they stand, and torch.
"""

from .config import DTYPES, Config, LayerShape, Loop, OutputSlice, Scalar, exact, value_from_json
from .errors import ModelError, NotFiniteError, require_one_tape
from .layers import MLP, Attention, Block, CrossAttention, Crossed, Embedding, Memory, Past
from .network import Network, Stack, Unembedding
from .reading import Reader, Reading, Rereading
from .transformer import Transformer

__all__ = [
    "DTYPES",
    "MLP",
    "Attention",
    "Block",
    "Config",
    "CrossAttention",
    "Crossed",
    "Embedding",
    "LayerShape",
    "Loop",
    "Memory",
    "ModelError",
    "Network",
    "NotFiniteError",
    "OutputSlice",
    "Past",
    "Reader",
    "Reading",
    "Rereading",
    "Scalar",
    "Stack",
    "Transformer",
    "Unembedding",
    "exact",
    "require_one_tape",
    "value_from_json",
]
