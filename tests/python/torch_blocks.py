"""Small blocks and plain loops over them, for the tests of kith.torch."""

import kith
import numpy as np

BLOCKS = {
    "empty row, duplicates": kith.Block(4, 5, np.int32([0, 3, 3, 5, 6]), np.int32([4, 4, 0, 2, 3, 1])),
    "one destination": kith.Block(1, 3, np.int32([0, 3]), np.int32([2, 0, 1])),
    "no edges": kith.Block(2, 3, np.int32([0, 0, 0]), np.int32([])),
    "no destinations": kith.Block(0, 2, np.int32([0]), np.int32([])),
    "more destinations than sources": kith.Block(3, 1, np.int32([0, 1, 2, 2]), np.int32([0, 0])),
}


def random_block(num_dst=60, num_src=90, seed=0):
    """Rows of 0 to 8 edges, with duplicates and self-loops."""
    rng = np.random.default_rng(seed)
    indptr = np.concatenate([[0], np.cumsum(rng.integers(0, 9, num_dst))]).astype(np.int32)
    return kith.Block(num_dst, num_src, indptr, rng.integers(0, num_src, indptr[-1]).astype(np.int32))


def edges_of(block):
    """(source, destination) of each edge, as lists."""
    destinations = np.repeat(np.arange(block.num_dst), np.diff(block.indptr))
    return list(zip(block.indices.tolist(), destinations.tolist()))
