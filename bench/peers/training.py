"""Training steps of PyG's GraphSAGE beside Kith's: sample, gather, forward, backward and Adam.

    bench/graphs.sh build/graphs train
    python bench/peers/training.py build/graphs/train.kith.h5 --batches 4 -o result.json

Three layers of 256, mean aggregation, fanout 15,10,5, batch size 1024, dropout 0.5; both start from the same
parameters and train on the same roots in the same order, drawn uniformly without replacement. PyG runs as well
as it can be installed: its loader over torch-sparse or pyg-lib, layers trimmed to the hops that they need, and
the C library told to keep freed memory and to use huge pages (the process starts itself anew with those
settings, for both). Rounds are interleaved; figures are medians of the rounds after the first, with the range.
Before anything is reported both must have drawn the same number of edges within 1 %, and their mean losses over
the rounds must agree within --loss-tolerance.

`parts` is what the machine would need for the batch at the rates that torch reaches for it: the matrix products
of all layers at the measured rate of each shape, the rows that aggregation and gather read at the measured rate
of reading random rows, and Kith's own time for sampling. Activations, bias, dropout and the optimiser are left
out, so `ratio_to_parts` is an upper bound of what is lost.
"""

import argparse
import json
import os
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

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from machine import describe

FANOUT = [15, 10, 5]
BATCH_SIZE = 1024
HIDDEN = 256
LR = 0.003
DROPOUT = 0.5
EDGE_TOLERANCE = 0.01
ALLOCATOR = ":".join(
    f"glibc.malloc.{name}" for name in ("mmap_threshold=1073741824", "trim_threshold=17179869184", "hugetlb=1")
)


def per_hop(batch):
    """New nodes and edges of each hop, which PyG needs to trim layers.

    torch-sparse does not say, but keeps order: a hop's edges end at the nodes that the hop before it added.
    """
    if "num_sampled_nodes" in batch:
        return batch.num_sampled_nodes, batch.num_sampled_edges
    source, target = batch.edge_index
    node_bounds, edge_bounds = [0, batch.batch_size], [0]
    for _ in FANOUT:
        end = int(torch.searchsorted(target, node_bounds[-1]))
        edge_bounds.append(end)
        node_bounds.append(max(int(source[:end].max()) + 1, node_bounds[-1]) if end else node_bounds[-1])
    return np.diff(node_bounds).tolist(), np.diff(edge_bounds).tolist()


class PyG:
    """A loader and a trimmed model, trained as PyG's examples do."""

    def __init__(self, dataset, roots, model):
        data = Data(
            x=torch.from_numpy(np.array(dataset.x)),
            y=torch.from_numpy(dataset.y.astype(np.int64)),
            edge_index=torch.from_numpy(dataset.edge_index),
        )
        self.loader = NeighborLoader(
            data, FANOUT, torch.from_numpy(roots), batch_size=BATCH_SIZE, is_sorted=True, shuffle=False
        )
        self.model = model
        self.optimizer = torch.optim.Adam(model.parameters(), lr=LR)

    def run(self):
        self.model.train()
        losses, edges = [], 0
        start = time.perf_counter()
        for batch in self.loader:
            self.optimizer.zero_grad()
            nodes, sampled_edges = per_hop(batch)
            out = self.model(
                batch.x,
                batch.edge_index,
                num_sampled_nodes_per_hop=nodes,
                num_sampled_edges_per_hop=sampled_edges,
            )[: batch.batch_size]
            loss = torch.nn.functional.cross_entropy(out, batch.y[: batch.batch_size])
            loss.backward()
            self.optimizer.step()
            losses.append(float(loss.detach()))
            edges += batch.num_edges
        return {
            "seconds": time.perf_counter() - start,
            "loss": statistics.mean(losses),
            "edges": edges / len(losses),
        }


class Kith:
    """kith.Trainer on the same roots."""

    def __init__(self, dataset, roots, model, **knobs):
        options = {"mix": 1.0, "p_intra": 0.5, "shuffle": False, "batch_size": BATCH_SIZE} | knobs
        self.loader = kith.NeighborLoader(dataset, FANOUT, roots, **options)
        self.trainer = kith.Trainer(kith.nn.GraphSAGE.from_torch(model), dataset, lr=LR, device="cpu")

    def run(self):
        start = time.perf_counter()
        report = self.trainer._run_epoch(self.loader, lambda done, of: None)
        seconds = time.perf_counter() - start
        batches = report["batches"]
        return {
            "seconds": seconds,
            "loss": report["train_loss"],
            "edges": report["edges"] / batches,
            "nodes": report["input_nodes"] / batches,
            "parts": {name: value / batches for name, value in report["seconds"].items()},
        }


def median_seconds(run, repeats=5):
    run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def product_seconds(rows, inner, cols):
    """Seconds of the forward product and of the two of its backward pass."""
    x, weight, grad = torch.randn(rows, inner), torch.randn(inner, cols), torch.randn(rows, cols)
    forward = median_seconds(lambda: x @ weight)
    return forward, forward + median_seconds(lambda: x.T @ grad) + median_seconds(lambda: grad @ weight.T)


def hardware_parts(dataset, batch, classes):
    """Seconds of a batch by part, at the rates that the machine reaches; see the head of this file."""
    nodes = np.cumsum(batch.num_sampled_nodes)  # roots, + hop 1, ...
    edges = np.cumsum(batch.num_sampled_edges)
    sizes = [dataset.num_features, HIDDEN, HIDDEN, classes]
    num_layers = len(FANOUT)
    products = 0.0
    floats_read = 0
    for layer in range(num_layers):
        rows = int(nodes[num_layers - 1 - layer])
        inner, cols = sizes[layer], sizes[layer + 1]
        forward, total = product_seconds(rows, inner, cols)
        first_backward = forward + (total - forward) / 2  # features have no gradient
        products += 2 * (total if layer > 0 else first_backward)  # neighbours and the node itself
        passes = 2 if layer > 0 else 1
        floats_read += passes * int(edges[num_layers - 1 - layer]) * inner + (rows * inner if layer == 0 else 0)
    table = torch.randn(int(nodes[-1]), HIDDEN)
    ids = torch.randint(0, table.shape[0], (1 << 18,))
    out = torch.empty(ids.numel(), HIDDEN)
    rate = ids.numel() * HIDDEN / median_seconds(lambda: torch.index_select(table, 0, ids, out=out))
    return {"products": products, "rows": floats_read / rate, "gather_gb_per_second": 4e-9 * rate}


def contenders(dataset, roots, classes):
    torch.manual_seed(1)
    sizes = (dataset.num_features, HIDDEN, len(FANOUT), classes)
    start = GraphSAGE(*sizes, dropout=DROPOUT)
    twin = GraphSAGE(*sizes, dropout=DROPOUT)
    twin.load_state_dict(start.state_dict())
    return {
        "pyg": PyG(dataset, roots, twin),
        "kith": Kith(dataset, roots, start),
        "kith mix 0.125 p 0.9": Kith(dataset, roots, start, mix=0.125, p_intra=0.9, shuffle=True),
    }


def measure(runners, rounds):
    """Interleaved; one untimed round first."""
    results = {name: [] for name in runners}
    for _ in range(rounds + 1):
        for name, runner in runners.items():
            results[name].append(runner.run())
            print(f"{name}: {results[name][-1]['seconds']:.2f} s", file=sys.stderr)
    return results


def check_same_work(results, loss_tolerance):
    for key, tolerance in (("edges", EDGE_TOLERANCE), ("loss", loss_tolerance)):
        pyg, own = (statistics.mean(run[key] for run in results[name]) for name in ("pyg", "kith"))
        if abs(own - pyg) > tolerance * pyg:
            sys.exit(f"not the same work: mean {key} is {pyg:.4g} in PyG and {own:.4g} in Kith")


def summarise(results, batches):
    rows = []
    for name, runs in results.items():
        seconds = [run["seconds"] / batches for run in runs[1:]]
        row = {
            "name": name,
            "seconds_per_batch": statistics.median(seconds),
            "range": [min(seconds), max(seconds)],
            "edges_per_batch": runs[-1]["edges"],
            "losses": [run["loss"] for run in runs],
        }
        if "parts" in runs[-1]:
            row["input_nodes_per_batch"] = runs[-1]["nodes"]
            row["seconds_per_batch_by_part"] = {
                part: statistics.median(run["parts"][part] for run in runs[1:]) for part in runs[-1]["parts"]
            }
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graph", type=Path, help="a *.kith.h5 file with features and labels")
    parser.add_argument("-o", "--output", type=Path, help="JSON file to write")
    parser.add_argument("--batches", type=int, default=8, help="a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--loss-tolerance", type=float, default=0.02)
    parser.add_argument("--stock-allocator", action="store_true", help="do not tune the C library")
    args = parser.parse_args()
    if not args.stock_allocator and os.environ.get("GLIBC_TUNABLES") != ALLOCATOR:
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | {"GLIBC_TUNABLES": ALLOCATOR})
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.threads])  # Kith takes the cores it may use
    torch.set_num_threads(args.threads)
    dataset = kith.Dataset.open(args.graph)
    roots = np.random.default_rng(1).permutation(dataset.train)[: args.batches * BATCH_SIZE].astype(np.int64)
    results = measure(contenders(dataset, roots, dataset.num_classes), args.rounds)
    check_same_work(results, args.loss_tolerance)
    rows = summarise(results, args.batches)
    sample = next(iter(kith.NeighborLoader(dataset, FANOUT, roots, batch_size=BATCH_SIZE, mix=1, p_intra=0.5)))
    parts = hardware_parts(dataset, sample, dataset.num_classes)
    own = rows[1]
    parts["sampling"] = own["seconds_per_batch_by_part"]["sample"]
    parts["sum"] = parts["products"] + parts["rows"] + parts["sampling"]
    report = {
        "machine": describe(),
        "versions": {m.__name__: m.__version__ for m in (kith, torch, torch_geometric)},
        "options": {
            name: value.name if isinstance(value, Path) else value for name, value in vars(args).items()
        },
        "rows": rows,
        "speedup_over_pyg": rows[0]["seconds_per_batch"] / own["seconds_per_batch"],
        "structured_over_random": own["seconds_per_batch"] / rows[2]["seconds_per_batch"],
        "hardware_parts": parts,
        "ratio_to_parts": own["seconds_per_batch"] / parts["sum"],
    }
    text = json.dumps(report, indent=2) + "\n"
    print(text, end="")
    if args.output:
        args.output.write_text(text)


if __name__ == "__main__":
    main()
