"""Epochs of PyG's GraphSAGE on a GPU, for bench/gpu.sh: its own sampler with workers, features on the GPU.

    python bench/peers/gpu_training.py graph.kith.h5 -o pyg.json

3 x 256, fanouts 15,10,5 and 10,10,10, batch size 1024, layers trimmed to the hops that they need, Adam. Needs
torch with CUDA, torch_geometric and pyg-lib or torch-sparse. `sampler` in the result names the one that ran.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import h5py
import numpy as np
import torch
import torch_geometric
import torch_geometric.typing
from torch_geometric.data import Data
from torch_geometric.loader import NeighborLoader
from torch_geometric.nn import GraphSAGE

BATCH_SIZE = 1024
HIDDEN = 256


def load(path):
    """The graph without features, the features on the GPU, and the training nodes."""
    with h5py.File(path) as file:
        offsets = file["graph/offsets"][:]
        row = torch.from_numpy(file["graph/neighbors"][:].astype(np.int64))
        x = torch.from_numpy(file["features"][:]).cuda()
        y = torch.from_numpy(file["nodes/label"][:].astype(np.int64)).cuda()
        train = torch.from_numpy(file["split/train"][:].astype(np.int64))
    col = torch.arange(len(offsets) - 1).repeat_interleave(torch.from_numpy(np.diff(offsets)))
    return Data(edge_index=torch.stack([row, col]), num_nodes=len(offsets) - 1), x, y, train


def count_hops(batch):
    """Sets the sizes of hops if the sampler does not tell them (torch-sparse): it expands nodes in order."""
    if "num_sampled_nodes" in batch:
        return batch
    source, target = batch.edge_index
    nodes, edges = [batch.batch_size], []
    while sum(edges) < len(target):
        known, first = sum(nodes), sum(edges)
        end = int(torch.searchsorted(target, known))
        nodes.append(max(int(source[first:end].max()) + 1 - known, 0))
        edges.append(end - first)
    batch.num_sampled_nodes, batch.num_sampled_edges = nodes, edges
    return batch


def run_epoch(loader, model, optimizer, x, y, limit):
    """Seconds of `limit` batches, scaled to the whole epoch."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    done = 0
    for batch in loader:
        ids = batch.n_id.cuda(non_blocking=True)
        edges = batch.edge_index.cuda(non_blocking=True)
        optimizer.zero_grad()
        out = model(
            x[ids],
            edges,
            num_sampled_nodes_per_hop=batch.num_sampled_nodes,
            num_sampled_edges_per_hop=batch.num_sampled_edges,
        )[: batch.batch_size]
        torch.nn.functional.cross_entropy(out, y[ids[: batch.batch_size]]).backward()
        optimizer.step()
        done += 1
        if done == limit:
            break
    torch.cuda.synchronize()
    return (time.perf_counter() - start) * len(loader) / done


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graph", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--batches", type=int, default=30, help="batches a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--fanouts", nargs="*", default=["15,10,5", "10,10,10"])
    args = parser.parse_args()
    data, x, y, train = load(args.graph)
    sampler = "pyg-lib" if torch_geometric.typing.WITH_PYG_LIB else "torch-sparse"
    report = {
        "sampler": sampler,
        "workers": args.workers,
        "versions": {module.__name__: module.__version__ for module in (torch, torch_geometric)},
        "rows": [],
    }
    for fanout in ([int(count) for count in text.split(",")] for text in args.fanouts):
        loader = NeighborLoader(
            data,
            fanout,
            train,
            batch_size=BATCH_SIZE,
            shuffle=True,
            is_sorted=True,
            num_workers=args.workers,
            persistent_workers=True,
            pin_memory=True,
            transform=count_hops,
        )
        model = GraphSAGE(x.shape[1], HIDDEN, len(fanout), int(y.max()) + 1, dropout=0.5).cuda()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
        rounds = [run_epoch(loader, model, optimizer, x, y, args.batches) for _ in range(args.rounds + 1)][1:]
        seconds = statistics.median(rounds)
        report["rows"].append({"fanout": fanout, "seconds_per_epoch": seconds, "rounds": rounds})
        print(f"PyG {fanout}: {seconds:.2f} s an epoch", flush=True)
        args.output.write_text(json.dumps(report, indent=2) + "\n")  # what there is, should time run out


if __name__ == "__main__":
    main()
