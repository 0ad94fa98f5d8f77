"""Neighbour sampling beside PyG's, on one graph, with the same roots for both.

    bench/peers/setup.sh && bench/graphs.sh
    PYTHONPATH=build/release/python build/peers-venv/bin/python bench/peers/sampling.py \\
        build/graphs/big.kith.h5

Uniform, without replacement, new nodes only expanded in each hop, relabelled, random roots. The contenders
(contenders.py) take turns inside every repetition, and the order turns with it. Whether all did the same work
is checked before any figure is printed: edges and unique nodes of all batches must agree within 1 %,
otherwise the exit code is 1 (torch-sparse may be 2 % off in nodes, for a reason told in contenders.py). With
one thread the process is pinned to one core; with two it is pinned to two, and two Python threads sample
different batches (every operator here releases the interpreter lock while it samples).

`operator` is the bare call of PyG's operator; `engine` is the time inside Kith for the same; `loader` is the
time until a batch of arrays is there in Python: edge_index, node ids, edge ids. PyG's loader has no features
to gather, and neither has Kith's. Figures are medians over the repetitions, with the smallest and largest.
`CPU` is the share of the time in which the cores worked for the bench: below 0.9 other work had them too, and
only the ratios count.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import machine

MAX_GAP = 0.01
# torch-sparse's draw is not quite uniform and reaches fewer nodes (see contenders.py), which makes it faster.
MAX_NODE_GAP = {"torch-sparse operator": 0.02, "PyG loader": 0.02}
REFERENCE = "Kith engine"


def check_equal_work(work: dict[str, dict]) -> list[str]:
    """work: edges and nodes of all batches by contender. Returns what differs by too much, a line each."""
    problems = []
    reference = work[REFERENCE]
    for name, counts in work.items():
        for what in ("edges", "nodes"):
            gap = abs(counts[what] / reference[what] - 1)
            allowed = MAX_NODE_GAP.get(name, MAX_GAP) if what == "nodes" else MAX_GAP
            if gap > allowed:
                problems.append(
                    f"{name}: {counts[what]:,} {what}, {REFERENCE}: {reference[what]:,} ({gap:.1%} apart, "
                    f"at most {allowed:.0%} is allowed)"
                )
    return problems


def spread(values: list[float]) -> dict:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def measure_fanouts(graph, fanouts: list[int], threads: int, settings: argparse.Namespace) -> dict:
    """Rates of every contender at one fanout list, and what each did in all. Runs in a child process."""
    from concurrent.futures import ThreadPoolExecutor

    import contenders
    import numpy as np

    # A stream (one a thread and contender) starts with a batch that is not counted.
    batches = 1 + settings.repetitions * settings.batches
    needed = threads * batches * settings.batch_size
    if needed > graph.num_nodes:
        raise SystemExit(f"sampling.py: expected at least {needed} nodes, the graph has {graph.num_nodes}")
    shuffled = np.random.default_rng(settings.seed).permutation(graph.num_nodes)[:needed]
    roots = shuffled.reshape(threads, batches, settings.batch_size)
    streams = {
        name: [contender(graph, chunk, fanouts, settings.seed) for chunk in roots]
        for name, contender in contenders.available().items()
    }
    work = {name: {"edges": 0, "nodes": 0, "batches": 0} for name in streams}
    rates = {name: {"edges": [], "roots": [], "cpu": []} for name in streams}
    names = list(streams)

    def take(stream) -> list:
        return [next(stream) for _ in range(settings.batches)]

    with ThreadPoolExecutor(threads) as pool:
        for parallel in streams.values():
            list(pool.map(next, parallel))
        for repetition in range(settings.repetitions):
            turn = repetition % len(names)
            for name in names[turn:] + names[:turn]:
                start, start_cpu = time.perf_counter(), time.process_time()
                done = [item for part in pool.map(take, streams[name]) for item in part]
                share = (time.process_time() - start_cpu) / (time.perf_counter() - start) / threads
                edges = sum(item.edges for item in done)
                seconds = sum(item.seconds for item in done) / threads
                work[name]["edges"] += edges
                work[name]["nodes"] += sum(item.nodes for item in done)
                work[name]["batches"] += len(done)
                rates[name]["edges"].append(edges / seconds)
                rates[name]["roots"].append(len(done) * settings.batch_size / seconds)
                rates[name]["cpu"].append(share)
    rows = [
        {
            "contender": name,
            "fanouts": fanouts,
            "threads": threads,
            "edges_per_batch": work[name]["edges"] / work[name]["batches"],
            "nodes_per_batch": work[name]["nodes"] / work[name]["batches"],
            "edges_per_second": spread(rates[name]["edges"]),
            "roots_per_second": spread(rates[name]["roots"]),
            "cpu_share": spread(rates[name]["cpu"]),
        }
        for name in names
    ]
    return {"rows": rows, "problems": check_equal_work(work)}


def versions() -> dict[str, str]:
    import importlib

    found = {"python": sys.version.split()[0]}
    for name in ("kith", "torch", "torch_geometric", "pyg_lib", "torch_sparse", "numpy"):
        try:
            found[name] = importlib.import_module(name).__version__
        except ImportError:
            found[name] = "not installed"
    return found


def run_child(settings: argparse.Namespace) -> int:
    """One thread count: measures and writes JSON to stdout. The process is pinned already."""
    import contenders
    import torch

    torch.manual_seed(settings.seed)
    with tempfile.TemporaryDirectory(dir=settings.scratch) as scratch:
        graph = contenders.Graph.open(settings.file, Path(scratch))
    report = {
        "versions": versions(),
        "graph": {"file": settings.file.name, "nodes": graph.num_nodes, "edges": graph.edge_index.shape[1]},
        "results": [
            measure_fanouts(graph, fanouts, settings.threads[0], settings) for fanouts in settings.fanouts
        ],
    }
    json.dump(report, sys.stdout)
    return 0


def start_child(threads: int, arguments: list[str]) -> dict:
    """Runs this script for one thread count, on as many cores."""
    cores = sorted(os.sched_getaffinity(0))
    if threads > len(cores):
        raise SystemExit(f"sampling.py: {threads} threads need as many cores, {len(cores)} are allowed here")
    command = ["taskset", "-c", ",".join(map(str, cores[:threads])), sys.executable, __file__, *arguments]
    command += ["--threads", str(threads), "--child"]
    # PyG's Python side must not start threads of its own beside those that are compared.
    done = subprocess.run(command, stdout=subprocess.PIPE, env=os.environ | {"OMP_NUM_THREADS": "1"})
    if done.returncode:
        raise SystemExit(done.returncode)
    return json.loads(done.stdout)


def print_rows(rows: list[dict]) -> None:
    print("| fanouts | threads | contender | edges, nodes | M edges/s (range) | k roots/s | of Kith's | CPU |")
    print("|---|---|---|---|---|---|---|---|")
    reference = {
        (str(row["fanouts"]), row["threads"], row["contender"].split()[-1]): row["edges_per_second"]["median"]
        for row in rows
        if row["contender"].startswith("Kith")
    }
    for row in rows:
        edges = row["edges_per_second"]
        kind = "loader" if row["contender"].endswith("loader") else "engine"
        share = edges["median"] / reference[str(row["fanouts"]), row["threads"], kind]
        print(
            f"| {row['fanouts']} | {row['threads']} | {row['contender']} "
            f"| {row['edges_per_batch']:,.0f}, {row['nodes_per_batch']:,.0f} "
            f"| {edges['median'] / 1e6:.2f} ({edges['min'] / 1e6:.2f}..{edges['max'] / 1e6:.2f}) "
            f"| {row['roots_per_second']['median'] / 1e3:.1f} | {share:.3f} "
            f"| {row['cpu_share']['median']:.2f} |"
        )


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--fanouts", nargs="+", default=["15,10,5", "10,10,10"])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--batches", type=int, default=3, help="a thread and repetition")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scratch", type=Path, default=Path("build"), help="folder for a copy of the graph")
    parser.add_argument("-o", "--output", type=Path, help="JSON to write, say bench/results/sampling.json")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    settings = parser.parse_args(arguments)
    settings.fanouts = [[int(part) for part in text.split(",")] for text in settings.fanouts]
    return settings


def main(arguments: list[str] | None = None) -> int:
    arguments = sys.argv[1:] if arguments is None else arguments
    settings = parse_arguments(arguments)
    if settings.child:
        return run_child(settings)
    report = {"machine": machine.describe(), "batch_size": settings.batch_size}
    report |= {"repetitions": settings.repetitions, "batches": settings.batches, "seed": settings.seed}
    rows, problems = [], []
    for threads in settings.threads:
        part = start_child(threads, arguments)
        report |= {"versions": part["versions"], "graph": part["graph"]}
        for result in part["results"]:
            rows += result["rows"]
            problems += result["problems"]
    if problems:
        print("sampling.py: the contenders did not do the same work", *problems, sep="\n", file=sys.stderr)
        return 1
    print_rows(rows)
    if settings.output:
        settings.output.write_text(json.dumps(report | {"rows": rows}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
