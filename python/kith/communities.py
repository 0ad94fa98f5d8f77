"""Communities of a graph, as plain functions on arrays: find them, and say how good they are."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from kith._arguments import INT32_MAX, integer, integers
from kith.dataset import Dataset


def partition(
    edge_index: npt.ArrayLike,
    num_nodes: int | None = None,
    num_communities: int | None = None,
    *,
    community_size: int = 256,
    method: str = "metis",
    imbalance: float = 1.0,
    seed: int = 0,
) -> npt.NDArray[np.int64]:
    """[num_nodes] the community of each node, numbered from 0; near numbers are near in the graph.

    edge_index: [2, E] node ids; direction, repeats and self-loops do not matter. num_nodes: by default the
    largest id + 1. num_communities: how many; None aims at `community_size` nodes each. Nodes without an edge
    may get communities of their own on top. method: "metis" (k-way, Karypis and Kumar 1998) or "lpa"
    (size-bounded label propagation, faster, `num_communities` only sets the size). imbalance: the largest may
    hold 1 + imbalance times the mean. The result depends on the arguments alone. Raises ValueError.
    """
    data = Dataset.from_arrays(
        edge_index,
        num_nodes=num_nodes,
        num_communities=num_communities,
        community_size=community_size,
        method=method,
        imbalance=imbalance,
        num_levels=1,
        seed=seed,
    )
    community = np.empty(data.num_nodes, np.int64)
    community[data.original_id] = data.communities(0)
    return community


class Quality(NamedTuple):
    """How well communities fit a graph."""

    num_communities: int
    """Communities that have a node."""
    intra_edge_fraction: float
    """Share of the edges that stay inside a community; self-loops do not count. NaN without edges."""
    modularity: float
    """Newman and Girvan's (2004), of the edges read as undirected and of equal weight. NaN without edges."""
    sizes: npt.NDArray[np.int64]
    """[num_communities] nodes of each, largest first."""


def quality(edge_index: npt.ArrayLike, community: npt.ArrayLike) -> Quality:
    """How good `community` ([N] the community of each node, any numbers) is for the graph edge_index ([2, E]).

    Storing an undirected edge once or in both directions gives the same result; an edge that is repeated counts
    as often as it comes. Raises ValueError.
    """
    edges = integers("edge_index", edge_index)
    if edges.ndim != 2 or edges.shape[0] != 2:
        raise ValueError(f"edge_index must have the shape [2, E], got {list(edges.shape)}")
    given = integers("community", community)
    if given.ndim != 1:
        raise ValueError(f"community must have the shape [N], got {list(given.shape)}")
    integer("the length of community", given.size, 0, INT32_MAX)
    outside = (edges < 0) | (edges >= given.size)
    if outside.any():
        raise ValueError(f"edge_index must hold node ids in [0, {given.size}), got {edges[outside][0]}")
    _, of_node, counts = np.unique(given, return_inverse=True, return_counts=True)
    source, target = of_node[edges[0]], of_node[edges[1]]
    is_inside = source == target
    is_loop = edges[0] == edges[1]
    share = _ratio(np.count_nonzero(is_inside & ~is_loop), np.count_nonzero(~is_loop))
    ends = np.bincount(source, minlength=counts.size) + np.bincount(target, minlength=counts.size)
    expected = float(np.sum((ends / max(2 * source.size, 1)) ** 2))
    modularity = _ratio(np.count_nonzero(is_inside), source.size) - expected
    return Quality(int(counts.size), share, modularity, np.sort(counts)[::-1])


def _ratio(part: Any, whole: Any) -> float:
    return float(part) / float(whole) if whole else float("nan")
