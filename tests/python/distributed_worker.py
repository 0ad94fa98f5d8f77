"""What every rank of test_distributed.py runs: torchrun distributed_worker.py TEST OUT_FOLDER."""

import json
import sys
from pathlib import Path

import kith
import numpy as np
import torch
import torch.distributed as dist
from kith.distributed import PartitionedFeatures, count_accesses
from kith.torch import SAGEConv
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel


def block_model(num_nodes=4000, num_blocks=40, degree=10):
    """85 % of the edges inside a block; known communities."""
    rng = np.random.default_rng(1)
    size = num_nodes // num_blocks
    block = np.repeat(np.arange(num_blocks), size)
    source = np.arange(num_nodes).repeat(degree)
    inside = rng.random(source.size) < 0.85
    near = source // size * size + rng.integers(0, size, source.size)
    target = np.where(inside, near, rng.integers(0, num_nodes, source.size))
    x = rng.normal(size=(num_nodes, 32)).astype(np.float32)
    return kith.Dataset.from_arrays(
        np.stack([source, target]), x, block % 4, train=np.arange(num_nodes), communities=block, symmetrize=True
    )


def loader_of(data, rank, world_size, **options):
    options = {"num_neighbors": [5, 5], "batch_size": 50, "output": "numpy", **options}
    return kith.NeighborLoader(data, input_nodes="train", rank=rank, world_size=world_size, **options)


class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = SAGEConv(32, 8), SAGEConv(8, 4)

    def forward(self, x, blocks):
        return self.second(self.first(x, blocks[0]).relu(), blocks[1])


def loss_of(model, batch, x):
    return cross_entropy(model(x, batch.blocks), torch.from_numpy(batch.y[: batch.batch_size]))


def features(rank, world_size):
    """Every row arrives, from wherever it lay, before and after replication."""
    data = block_model()
    store = PartitionedFeatures(data)
    rng = np.random.default_rng(rank)
    ids = rng.integers(0, data.num_nodes, 500)  # with repeats
    same = [np.array_equal(store.gather(ids).numpy(), data.x[ids])]
    before = dict(store.rows)
    wanted = np.zeros(data.num_nodes, np.int64)
    wanted[ids] += 1
    store.replicate(wanted, num_rows=data.num_nodes)
    received = store.bytes_received
    same.append(np.array_equal(store.gather(ids).numpy(), data.x[ids]))
    same.append(store.gather([]).shape == (0, 32))
    return {
        "same": same,
        "before": before,
        "after": store.rows,
        "bytes_before": received,
        "bytes_after": store.bytes_received - received,
        "bounds": store.bounds.tolist(),
    }


def gradients(rank, world_size):
    """Losses and gradients of DDP equal those of one process over all ranks' batches."""
    data = block_model()
    ddp, alone = DistributedDataParallel(Net()), Net()
    worst = 0.0
    loaders = [loader_of(data, r, world_size) for r in range(world_size)]
    for batches in zip(*loaders):
        assert len({batch.batch_size for batch in batches}) == 1
        loss_of(ddp, batches[rank], torch.from_numpy(batches[rank].x)).backward()
        mean = sum(loss_of(alone, batch, torch.from_numpy(batch.x)) for batch in batches) / world_size
        mean.backward()
        for one, other in zip(ddp.parameters(), alone.parameters()):
            worst = max(worst, float((one.grad - other.grad).abs().max() / other.grad.abs().max()))
            with torch.no_grad():
                one -= 0.1 * other.grad
                other -= 0.1 * other.grad
        ddp.zero_grad()
        alone.zero_grad()
    return {"worst": worst}


def traffic(rank, world_size):
    """Bytes a rank receives in one epoch, random against structured batches, hot rows replicated alike."""
    data = block_model()
    received = {}
    for name, knobs in (("random", {"mix": 1, "p_intra": 0.5}), ("structured", {"mix": 0, "p_intra": 0.9})):
        loader = loader_of(data, rank, world_size, features=False, **knobs)
        store = PartitionedFeatures(data)
        store.replicate(count_accesses(loader), num_rows=data.num_nodes // 20)
        for batch in loader:
            assert batch.x is None
            store.gather(batch.n_id)
        received[name] = store.bytes_received / len(loader)
    return received


def gloo_threads():
    names = (task / "comm" for task in Path("/proc/self/task").iterdir())
    return sum(name.read_text().startswith("gloo") for name in names)


def main():
    dist.init_process_group("gloo")
    torch.set_num_threads(1)
    rank = dist.get_rank()
    result = {"features": features, "gradients": gradients, "traffic": traffic}[sys.argv[1]](
        rank, dist.get_world_size()
    )
    dist.barrier()
    threads = [gloo_threads()]
    dist.destroy_process_group()
    threads.append(gloo_threads())
    (Path(sys.argv[2]) / f"{rank}.json").write_text(json.dumps(result | {"gloo_threads": threads}))


main()
