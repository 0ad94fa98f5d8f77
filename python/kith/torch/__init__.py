"""Kith's kernels in PyTorch: autograd functions, and PyG's layers over them.

Works with any torch: nothing is linked against it, tensors are read and written in place. float32 and float64,
on the CPU, and where Kith is built with CUDA on CUDA devices: there everything runs on torch's current stream.
All tensors of a call must be on one device. Imported on its own: `import kith` does not load torch.
"""

try:
    import torch as _torch  # noqa: F401
except ModuleNotFoundError as error:
    if error.name != "torch":  # torch is there, but misses something of its own
        raise
    raise ImportError(
        "kith.torch needs PyTorch, which is not installed: pip install torch (or pip install 'kith[torch]')"
    ) from error

from kith.torch.block import CheckedBlock, as_block, block_from_edge_index
from kith.torch.functional import aggregate, edge_softmax
from kith.torch.gat_conv import GATConv
from kith.torch.gcn_conv import GCNConv
from kith.torch.sage_conv import SAGEConv

__all__ = [
    "CheckedBlock",
    "GATConv",
    "GCNConv",
    "SAGEConv",
    "aggregate",
    "as_block",
    "block_from_edge_index",
    "edge_softmax",
]
