"""Features spread over the processes of a data-parallel run. Needs PyTorch and an initialised process group.

Import it before torch.distributed.init_process_group, and let go of DistributedDataParallel before
destroy_process_group, so that this ends the group's threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

# DistributedDataParallel imports this too. After init_process_group its functions keep the group as a default
# argument: destroy_process_group then does not end gloo's threads, and one that is late aborts the process.
import torch.distributed.nn.functional
from torch import Tensor

from kith._arguments import integer, integers
from kith.dataset import Dataset

_ID_BYTES = 8


class PartitionedFeatures:
    """The feature rows of a dataset, each on one rank, the most wanted ones on every rank.

    A rank owns the rows of one stretch of whole communities. `gather` brings the rows of a batch together: own
    and replicated rows from memory, the others from their owners with `all_to_all_single`. After FlexShard
    (arXiv 2301.02959): the rows that are asked for most across ranks are worth a copy on each.

    data: the dataset; only the rank's own rows (and replicated ones) are read. level: of the communities that
    are kept whole. group: the process group, None = the default one. All ranks must make it, and call its
    methods, together.
    """

    def __init__(self, data: Dataset, *, level: int = 0, group: Any = None) -> None:
        if data.num_features == 0:
            raise ValueError("PartitionedFeatures: the dataset has no features")
        if not dist.is_initialized():
            raise RuntimeError("PartitionedFeatures: call torch.distributed.init_process_group first")
        self._data, self._group = data, group
        self._rank, self._world_size = dist.get_rank(group), dist.get_world_size(group)
        self.bounds = split_communities(data.community_offsets(level), self._world_size)
        """[world_size + 1] rank r owns the nodes bounds[r] to bounds[r + 1] - 1."""
        self._own = self._read(np.arange(self.bounds[self._rank], self.bounds[self._rank + 1]))
        self._hot_ids = np.empty(0, np.int64)
        self._hot = self._own[:0]
        self.rows = {"own": 0, "replicated": 0, "remote": 0}
        """Rows that `gather` has handed out, by where they lay."""
        self.bytes_received = 0
        """Bytes that came from other ranks: rows, and the ids that others asked for."""

    @property
    def row_bytes(self) -> int:
        return self._own.element_size() * self._own.size(1)

    def replicate(self, accesses: npt.ArrayLike, num_rows: int) -> None:
        """Copies the `num_rows` rows that cross between ranks most to every rank.

        accesses: [num_nodes] how often this rank has asked for each row (`count_accesses`).
        """
        counts = integers("accesses", accesses)
        if counts.shape != (self._data.num_nodes,):
            raise ValueError(f"accesses must have the shape [{self._data.num_nodes}], got {list(counts.shape)}")
        num_rows = integer("num_rows", num_rows, 0, self._data.num_nodes)
        crossing = torch.from_numpy(counts.copy())
        crossing[int(self.bounds[self._rank]) : int(self.bounds[self._rank + 1])] = 0  # own rows do not cross
        dist.all_reduce(crossing, group=self._group)
        order = torch.argsort(crossing, descending=True, stable=True)[:num_rows].numpy()
        self._hot_ids = np.sort(order[crossing.numpy()[order] > 0])
        self._hot = self._read(self._hot_ids)

    def gather(self, n_id: npt.ArrayLike) -> Tensor:
        """[n, F] float32 rows of the nodes n_id (the dataset's ids), in their order. Every rank must call it.

        A rank that has no batch left calls it with no ids.
        """
        ids = integers("n_id", n_id)
        if ids.size and (ids.min() < 0 or ids.max() >= self._data.num_nodes):
            raise ValueError(f"n_id must be in [0, {self._data.num_nodes}), got {ids.min()} to {ids.max()}")
        out = torch.empty(ids.size, self._own.size(1), dtype=self._own.dtype)
        first, last = self.bounds[self._rank], self.bounds[self._rank + 1]
        is_own = (ids >= first) & (ids < last)
        out[torch.from_numpy(is_own)] = self._own[torch.from_numpy(ids[is_own] - first)]
        place = np.searchsorted(self._hot_ids, ids)
        is_hot = ~is_own & np.isin(ids, self._hot_ids)
        out[torch.from_numpy(is_hot)] = self._hot[torch.from_numpy(place[is_hot])]
        places = np.flatnonzero(~is_own & ~is_hot)
        self._fetch(ids[places], places, out)
        counts = {"own": is_own.sum(), "replicated": is_hot.sum(), "remote": places.size}
        for kind, count in counts.items():
            self.rows[kind] += int(count)
        return out.float()

    def _fetch(self, ids: npt.NDArray[np.int64], places: npt.NDArray[np.int64], out: Tensor) -> None:
        """Rows of other ranks into out[places]."""
        owner = np.searchsorted(self.bounds, ids, side="right") - 1
        order = np.argsort(owner, kind="stable")
        asked = np.bincount(owner, minlength=self._world_size).tolist()
        wanted = torch.tensor(asked)
        served = torch.empty_like(wanted)
        dist.all_to_all_single(served, wanted, group=self._group)
        served = served.tolist()
        requests = self._exchange(torch.from_numpy(ids[order]), asked, served)
        rows = self._exchange(self._own[requests - int(self.bounds[self._rank])], served, asked)
        out[torch.from_numpy(places[order])] = rows
        self.bytes_received += len(ids) * self.row_bytes + sum(served) * _ID_BYTES

    def _exchange(self, values: Tensor, sent: list[int], received: list[int]) -> Tensor:
        """values[...] to each rank in turn, `sent` rows each; what came, `received` rows from each."""
        out = values.new_empty(sum(received), *values.shape[1:])
        dist.all_to_all_single(out, values.contiguous(), received, sent, group=self._group)
        return out

    def _read(self, ids: npt.NDArray[np.int64]) -> Tensor:
        if self._data.feature_type == "bf16":
            return torch.from_numpy(self._data.x[ids]).view(torch.bfloat16)
        return torch.from_numpy(self._data.x[ids])


def split_communities(offsets: npt.ArrayLike, num_parts: int) -> npt.NDArray[np.int64]:
    """[num_parts + 1] bounds of stretches of about equally many nodes, each of whole communities.

    offsets: [num_communities + 1], as `Dataset.community_offsets`. A part may be empty where there are fewer
    communities than parts.
    """
    offsets = integers("offsets", offsets)
    targets = np.arange(num_parts + 1) * int(offsets[-1]) / num_parts
    after = np.searchsorted(offsets, targets)
    before = np.maximum(after - 1, 0)
    nearest = np.where(targets - offsets[before] < offsets[after] - targets, before, after)
    return offsets[nearest]


def count_accesses(loader: Any) -> npt.NDArray[np.int64]:
    """[num_nodes] how often the batches of one epoch of `loader`, over a kith.Dataset, ask for each node.

    Draws the epoch, so it moves the loader on as an iteration does.
    """
    counts = np.zeros(loader.dataset.num_nodes, np.int64)
    for batch in loader:
        counts[np.asarray(batch.n_id)] += 1  # a batch has each node once
    return counts
