"""Mean aggregation by torch on the shapes of bench/kernels/device_bench.cpp, forwards: a scatter (index_add_,
and torch_geometric.utils.scatter where it is installed) and torch.sparse's CSR product.

    python bench/peers/gpu_aggregation.py -o torch.json [--device cuda] [--shape 0 --features 100 ...]

Every result is compared with a loop in double precision before it is timed. Times are medians between CUDA
events (of the clock on a CPU). A CSR tensor is made once and kept, as Kith's and cuSPARSE's plans are.
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import torch

# Sources, destinations and edges: kShapes of bench/kernels/random_block.h.
SHAPES = [(164_000, 107_000, 537_000), (107_000, 15_500, 160_000), (1_500, 400, 3_000)]


class Block:
    """A random block whose rows differ in length by at most one, and rows of features."""

    def __init__(self, shape, features, device):
        self.num_sources, self.num_rows, num_edges = SHAPES[shape]
        generator = torch.Generator().manual_seed(7)
        self.offsets = num_edges * torch.arange(self.num_rows + 1) // self.num_rows
        self.sources = torch.randint(self.num_sources, (num_edges,), generator=generator)
        self.x = torch.rand(self.num_sources, features, generator=generator) * 2 - 1
        self.rows = torch.arange(self.num_rows).repeat_interleave(self.offsets.diff())
        self.degree = self.offsets.diff().clamp(min=1)
        for name in ("offsets", "sources", "x", "rows", "degree"):
            setattr(self, name, getattr(self, name).to(device))

    def expected(self, row):
        """One row of the result, in double precision on the CPU."""
        begin, end = self.offsets[row], self.offsets[row + 1]
        return self.x[self.sources[begin:end]].double().sum(0).cpu() / max(int(end - begin), 1)

    def is_right(self, out):
        picked = range(0, self.num_rows, max(self.num_rows // 50, 1))
        return all(torch.allclose(out[row].double().cpu(), self.expected(row), atol=1e-5) for row in picked)


def scatter(block):
    """Gathers a row an edge, then adds it to its destination with atomics."""

    def call():
        out = torch.zeros(block.num_rows, block.x.shape[1], device=block.x.device)
        out.index_add_(0, block.rows, block.x.index_select(0, block.sources))
        return out / block.degree.unsqueeze(1)

    return call


def pyg_scatter(block):
    from torch_geometric.utils import scatter as reduce

    return lambda: reduce(block.x.index_select(0, block.sources), block.rows, 0, block.num_rows, reduce="mean")


def sparse(block):
    """torch.sparse: cuSPARSE's SpMM on a GPU."""
    values = 1 / block.degree.index_select(0, block.rows).float()
    size = (block.num_rows, block.num_sources)
    matrix = torch.sparse_csr_tensor(block.offsets.int(), block.sources.int(), values, size)
    return lambda: matrix @ block.x


WAYS = {"torch scatter": scatter, "PyG scatter": pyg_scatter, "torch.sparse": sparse}


def seconds_of(call, device, calls, rounds):
    """Median over the rounds of the seconds of one call."""
    for _ in range(3):
        call()
    measured = []
    for _ in range(rounds):
        if device == "cuda":
            begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            begin.record()
            for _ in range(calls):
                call()
            end.record()
            end.synchronize()
            measured.append(begin.elapsed_time(end) * 1e-3 / calls)
        else:
            start = time.perf_counter()
            for _ in range(calls):
                call()
            measured.append((time.perf_counter() - start) / calls)
    return statistics.median(measured)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--shape", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--features", type=int, nargs="*", default=[47, 100, 256])
    parser.add_argument("--calls", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    rows = []
    for shape in args.shape:
        for features in args.features:
            block = Block(shape, features, args.device)
            for name, make in WAYS.items():
                row = {"way": name, "shape": shape, "features": features}
                try:
                    call = make(block)
                    if not block.is_right(call()):
                        raise RuntimeError("wrong result")
                    row["microseconds"] = 1e6 * seconds_of(call, args.device, args.calls, args.rounds)
                    row["GB/s"] = 4e-3 * len(block.sources) * features / row["microseconds"]
                except (ImportError, RuntimeError) as error:
                    row["error"] = str(error).splitlines()[0]
                rows.append(row)
                print(
                    *(
                        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
                        for key, value in row.items()
                    )
                )
    report = {"torch": torch.__version__, "device": args.device, "rows": rows}
    args.output.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
