"""Epochs of PyG's NeighborLoader beside Kith's: same Data, fanouts and PyG's GraphSAGE, another loader.

    KITH_DATA_DIR=graphs python bench/peers/loader.py arxiv_cs_coauthor -o result.json

Kith's loader stands there twice: with uniform sampling of random roots, PyG's batches, and with its default
knobs, which is what an exchanged import gives. Each loader trains a model of its own from the same
parameters; its test accuracy after all runs is that over all neighbours. Needs torch_geometric and pyg-lib or
torch-sparse, which PyG's loader samples with. Runs are interleaved, the first is not counted; figures are
medians, with the range. Before anything is reported the edges that PyG and uniform Kith draw in an epoch must
agree within 1 %. `cpu` leaves PyG's worker processes out.
"""

import argparse
import itertools
import json
import os
import platform
import statistics
import sys
import time
from pathlib import Path

import kith
import numpy as np
import torch
import torch_geometric
from torch_geometric.data import Data
from torch_geometric.loader import NeighborLoader
from torch_geometric.nn import GraphSAGE
from torch_geometric.utils import to_undirected

EDGE_TOLERANCE = 0.01


def load(name):
    """The graph of an .npz file with edge_index, x (dense or CSR parts), y and train_mask."""
    path = Path(os.environ.get("KITH_DATA_DIR", ".")) / f"{name}.npz"
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    if "x" in arrays:
        x = torch.from_numpy(arrays["x"].astype(np.float32))
    else:
        parts = [torch.from_numpy(arrays[f"x_{part}"].astype(np.int64)) for part in ("indptr", "indices")]
        values = torch.from_numpy(arrays["x_data"].astype(np.float32))
        x = torch.sparse_csr_tensor(*parts, values, tuple(arrays["x_shape"].tolist())).to_dense()
    edges = torch.from_numpy(arrays["edge_index"].astype(np.int64))
    return Data(
        x=x,
        y=torch.from_numpy(arrays["y"].astype(np.int64)),
        edge_index=to_undirected(edges, num_nodes=x.size(0)),
        train_mask=torch.from_numpy(arrays["train_mask"]),
        test_mask=torch.from_numpy(arrays["test_mask"]),
    )


def make_loaders(data, args):
    """PyG's loader and Kith's two, at both settings of num_workers, by label."""
    shared = {"input_nodes": data.train_mask, "batch_size": args.batch_size, "shuffle": True}
    loaders = {}
    for workers in args.workers:
        options = {"num_workers": workers, "persistent_workers": workers > 0, **shared}
        loaders[f"pyg, {workers} workers"] = NeighborLoader(data, args.fanout, **options)
        options["prefetch"] = 0
        loaders[f"kith uniform, {workers} workers"] = kith.NeighborLoader(
            data, args.fanout, mix=1.0, p_intra=0.5, **options
        )
        loaders[f"kith defaults, {workers} workers"] = kith.NeighborLoader(data, args.fanout, **options)
    return loaders


class Learner:
    """A model of its own for one loader."""

    def __init__(self, data, args):
        torch.manual_seed(1)
        classes = int(data.y.max()) + 1
        self.model = GraphSAGE(
            data.num_features, args.hidden, num_layers=len(args.fanout), out_channels=classes, dropout=0.5
        )
        self._optimizer = torch.optim.Adam(self.model.parameters(), lr=0.003)

    def step(self, batch):
        self._optimizer.zero_grad()
        out = self.model(batch.x, batch.edge_index)[: batch.batch_size]
        torch.nn.functional.cross_entropy(out, batch.y[: batch.batch_size], ignore_index=-1).backward()
        self._optimizer.step()

    @torch.no_grad()
    def test_accuracy(self, data):
        out = self.model.eval()(data.x, data.edge_index)[data.test_mask].argmax(-1)
        truth = data.y[data.test_mask]
        return float((out == truth)[truth >= 0].float().mean())


def run_epoch(loader, learner):
    """Seconds, processor seconds, edges and nodes of one epoch. learner: None only takes the batches."""
    edges = nodes = 0
    start, cpu = time.perf_counter(), time.process_time()
    for batch in loader:
        edges += batch.num_edges
        nodes += batch.num_nodes
        if learner is not None:
            learner.step(batch)
    return time.perf_counter() - start, time.process_time() - cpu, edges, nodes


def compare(loaders, data, args, is_training):
    """One row for each loader; runs are interleaved, the first round is not counted."""
    learners = {label: Learner(data, args) if is_training else None for label in loaders}
    runs = {label: [] for label in loaders}
    for round_number, (label, loader) in itertools.product(range(args.runs + 1), loaders.items()):
        result = run_epoch(loader, learners[label])
        if round_number > 0:
            runs[label].append(result)
    rows = []
    for label, results in runs.items():
        seconds, cpu, edges, nodes = zip(*results)
        rows.append(
            {
                "loader": label,
                "what": "training epoch" if is_training else "batches only",
                "seconds": statistics.median(seconds),
                "range": [min(seconds), max(seconds)],
                "cpu": statistics.median(cpu),
                "edges": statistics.mean(edges),
                "nodes": statistics.mean(nodes),
                "test_accuracy": learners[label].test_accuracy(data) if is_training else None,
            }
        )
    alike = [row["edges"] for row in rows if "defaults" not in row["loader"]]
    if max(alike) > (1 + EDGE_TOLERANCE) * min(alike):
        sys.exit(f"the loaders do not sample the same: {min(alike):.0f} to {max(alike):.0f} edges an epoch")
    return rows


def versions():
    found = {module.__name__: module.__version__ for module in (kith, torch, torch_geometric)}
    for name in ("pyg_lib", "torch_sparse"):
        try:
            found[name] = __import__(name).__version__
        except (ImportError, OSError):
            continue
    return found


def numbers(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graph", help="name of an .npz file in KITH_DATA_DIR")
    parser.add_argument("-o", "--output", help="JSON file to write")
    parser.add_argument("--fanout", type=numbers, default=[15, 10, 5])
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--roots", type=int, help="use no more than so many of the training nodes")
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--workers", type=numbers, default=[0, 2], help="of PyG's loader, 0,2 by default")
    args = parser.parse_args()

    if not (torch_geometric.typing.WITH_PYG_LIB or torch_geometric.typing.WITH_TORCH_SPARSE):
        sys.exit("neither pyg-lib nor torch-sparse is installed, so PyG's loader cannot run")
    data = load(args.graph)
    data.train_mask &= data.train_mask.cumsum(0) <= (args.roots or data.num_nodes)
    print(f"{args.graph}: {data}, fanout {args.fanout}, batch size {args.batch_size}", file=sys.stderr)
    loaders = make_loaders(data, args)
    rows = compare(loaders, data, args, is_training=False) + compare(loaders, data, args, is_training=True)
    for row in rows:
        low, high = row["range"]
        timing = f"{row['seconds']:8.3f} s  [{low:.3f}, {high:.3f}]"
        accuracy = "" if row["test_accuracy"] is None else f", test accuracy {row['test_accuracy']:.2%}"
        print(
            f"{row['what']:15} {row['loader']:24} {timing}, cpu {row['cpu']:.3f} s,"
            f" {row['edges']:.0f} edges{accuracy}"
        )
    if args.output:
        report = {
            "options": {key: value for key, value in vars(args).items() if key != "output"},
            "machine": {"cpu": platform.machine(), "cores": os.cpu_count(), "load": os.getloadavg()[0]},
            "versions": versions(),
            "rows": rows,
        }
        Path(args.output).write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
