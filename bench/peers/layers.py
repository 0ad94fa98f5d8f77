"""kith.torch's layers beside PyG's on the same block, values and device: milliseconds forwards and backwards.

    PYTHONPATH=build/cuda/python python bench/peers/layers.py -o layers.json [--device cuda] [--shape 0]

The block and its arrays are on the device before anything is timed, for PyG as an edge_index that is sorted by
destination. Kith's is used once only (its sort by source is paid in every step, as a batch's is) and again and
again (it is kept). Outputs and gradients are compared before. Medians between CUDA events (a clock on a CPU).
"""

import argparse
import json
from pathlib import Path
from types import SimpleNamespace

import kith.torch as kt
import torch
import torch_geometric.nn as pyg
from gpu_aggregation import SHAPES, Block, seconds_of

LAYERS = {
    "SAGEConv": lambda layers, channels, hidden: layers.SAGEConv((channels, channels), hidden),
    "GATConv, 4 heads": lambda layers, channels, hidden: layers.GATConv(
        (channels, channels), hidden // 4, heads=4, add_self_loops=False
    ),
}


class Step:
    """Forwards and backwards of one layer, all gradients fresh."""

    def __init__(self, layer, x_src, x_dst, edges):
        self.layer, self.x_src, self.x_dst, self.edges = layer, x_src, x_dst, edges

    def __call__(self):
        self.x_src.grad = self.x_dst.grad = None
        self.layer.zero_grad(set_to_none=True)
        out = self.layer((self.x_src, self.x_dst), self.edges())
        out.square().mean().backward()
        return out


def differs(a, b):
    """Largest difference over the largest value."""
    return ((a - b).abs().max() / b.abs().max()).item()


def measure(shape, channels, hidden, name, args):
    block = Block(shape, channels, args.device)
    offsets, sources = block.offsets.int(), block.sources.int()
    parts = {"num_dst": block.num_rows, "num_src": block.num_sources, "indptr": offsets, "indices": sources}
    kept = kt.as_block(SimpleNamespace(**parts))
    edge_index = torch.stack([block.sources, block.rows])
    x_src = block.x.clone().requires_grad_()
    x_dst = block.x[: block.num_rows].clone().requires_grad_()
    theirs = LAYERS[name](pyg, channels, hidden).to(args.device)
    ours = LAYERS[name](kt, channels, hidden).to(args.device)
    ours.load_state_dict(theirs.state_dict())
    fresh = [kt.as_block(SimpleNamespace(**parts)) for _ in range(args.calls * args.rounds + 4)]
    steps = {
        "PyG": Step(theirs, x_src, x_dst, lambda: edge_index),
        "Kith, block kept": Step(ours, x_src, x_dst, lambda: kept),
        "Kith, new block": Step(ours, x_src, x_dst, lambda: fresh.pop()),
    }
    expected = steps["PyG"]().detach().clone()
    gradient = x_src.grad.clone()
    rows = []
    for way, step in steps.items():
        error = max(differs(step().detach(), expected), differs(x_src.grad, gradient))
        if error > 1e-3:
            raise RuntimeError(f"{way}, {name}: differs by {error:.1e}")
        seconds = seconds_of(step, args.device, args.calls, args.rounds)
        row = {"layer": name, "shape": shape, "channels": channels, "way": way, "milliseconds": 1e3 * seconds}
        print(*(f"{key}={value}" for key, value in row.items()), flush=True)
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--shape", type=int, nargs="*", default=[0, 1], choices=range(len(SHAPES)))
    parser.add_argument("--channels", type=int, nargs="*", default=[100, 256])
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--calls", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    torch.manual_seed(0)
    rows = []
    for shape in args.shape:
        for channels in args.channels:
            for name in LAYERS:
                rows += measure(shape, channels, args.hidden, name, args)
    report = {"torch": torch.__version__, "device": args.device, "rows": rows}
    args.output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
