"""Kith: GNN training with mini-batches that follow the structure of the graph."""

from kith import communities, nn
from kith._core import available_devices
from kith._core import version as __version__
from kith.communities import partition
from kith.dataset import Dataset
from kith.loader import Batch, Block, NeighborLoader
from kith.trainer import Trainer

__all__ = [
    "Batch",
    "Block",
    "Dataset",
    "NeighborLoader",
    "Trainer",
    "__version__",
    "available_devices",
    "communities",
    "nn",
    "partition",
]
