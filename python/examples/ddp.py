"""GraphSAGE on several processes: one loader a rank, gradients averaged by DistributedDataParallel.

    torchrun --nproc-per-node 2 python/examples/ddp.py [graph.kith.h5] [--epochs 10] [--partition]

Without a file it trains on a small graph that it makes. With --partition the features are spread over the ranks
too, and the bytes that cross between them are printed. On the CPU with gloo.
"""

import argparse

import kith
import numpy as np
import torch
import torch.distributed as dist
from kith.distributed import PartitionedFeatures, count_accesses
from kith.torch import SAGEConv
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel


class SAGE(torch.nn.Module):
    """Two layers over the blocks of a batch."""

    def __init__(self, in_channels: int, hidden_channels: int, out_channels: int) -> None:
        super().__init__()
        self.first = SAGEConv(in_channels, hidden_channels)
        self.second = SAGEConv(hidden_channels, out_channels)

    def forward(self, x: torch.Tensor, blocks: list) -> torch.Tensor:
        return self.second(self.first(x, blocks[0]).relu(), blocks[1])


def small_graph() -> kith.Dataset:
    """20 blocks of 100 nodes; the class is the block's, and hard to see without the neighbours."""
    rng = np.random.default_rng(0)
    block = np.repeat(np.arange(20), 100)
    inside = np.stack([np.arange(2000).repeat(8), block.repeat(8) * 100 + rng.integers(0, 100, 16000)])
    outside = rng.integers(0, 2000, (2, 2000))
    x = rng.normal(size=(2000, 16)).astype(np.float32)
    x[np.arange(2000), block % 5] += 0.5
    split = rng.permutation(2000)
    return kith.Dataset.from_arrays(
        np.concatenate([inside, outside], 1),
        x,
        block % 5,
        train=split[:1200],
        test=split[1200:],
        communities=block,
        symmetrize=True,
    )


def train(model: torch.nn.Module, loader: kith.NeighborLoader, store: PartitionedFeatures | None, epochs: int):
    """Prints the accuracy over the roots of every epoch."""
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(epochs):
        totals = torch.zeros(2, dtype=torch.int64)
        for batch in loader:
            x = torch.from_numpy(batch.x) if store is None else store.gather(batch.n_id)
            y = torch.from_numpy(batch.y[: batch.batch_size])
            out = model(x, batch.blocks)
            optimizer.zero_grad()
            cross_entropy(out, y).backward()
            optimizer.step()
            totals += torch.tensor([len(y), int((out.argmax(1) == y).sum())])
        dist.all_reduce(totals)
        if dist.get_rank() == 0:
            print(f"epoch {epoch}: {totals[0]} roots, accuracy {totals[1] / totals[0]:.3f}", flush=True)


def run(arguments: argparse.Namespace) -> None:
    """All that holds the process group, so that nothing does when it is destroyed."""
    data = kith.Dataset.open(arguments.file) if arguments.file else small_graph()
    loader = kith.NeighborLoader(
        data,
        [10, 10],
        "train",
        batch_size=128,
        rank=dist.get_rank(),
        world_size=dist.get_world_size(),
        features=not arguments.partition,
        output="numpy",
    )
    store = None
    if arguments.partition:
        store = PartitionedFeatures(data)
        store.replicate(count_accesses(loader), num_rows=data.num_nodes // 20)
        loader.set_epoch(0)
    torch.manual_seed(0)
    model = DistributedDataParallel(SAGE(data.num_features, 64, data.num_classes))
    train(model, loader, store, arguments.epochs)
    if store is not None:
        moved = torch.tensor([store.bytes_received, store.rows["remote"], sum(store.rows.values())])
        dist.all_reduce(moved)
        if dist.get_rank() == 0:
            print(f"{moved[0]} bytes received, {moved[1]} of {moved[2]} rows from another rank", flush=True)
    dist.barrier()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", nargs="?")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--partition", action="store_true")
    arguments = parser.parse_args()
    dist.init_process_group("gloo")
    torch.set_num_threads(1)
    run(arguments)
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
