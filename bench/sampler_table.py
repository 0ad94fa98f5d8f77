"""What the knobs and rivals of the sampler do to a batch: rows read, edges, time, label entropy, communities.

    PYTHONPATH=build/release/python python3 bench/sampler_table.py build/graphs/big.kith.h5 -o bench/results

Every row of the table is one dict of NeighborLoader options (ROWS); a new option of the sampler is one line
more. Rows take turns: a repetition is one uncounted batch and then `--batches` counted ones of each row, so
that a row runs with warm buffers and a drift of the machine meets all rows alike. The time is that inside the
engine (`stats["sample_seconds"]`), with one batch at a time, and leaves out features. Milliseconds are the
median over the repetitions, with the smallest and largest; the other columns are means over all counted
batches. `-o FOLDER` writes sampler_table.json and sampler_table.md there.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import kith
import machine

ROWS: list[dict] = [
    *({"mix": mix, "p_intra": p} for mix in (0, 0.125, 0.25, 0.5, 1) for p in (0.5, 0.7, 0.9, 1)),
    *({"group": group, "p_intra": p} for group in (1, 4, 16, 64) for p in (0.5, 0.9, 1)),
    {"sampler": "labor", "mix": 1, "p_intra": 0.5},
    {"sampler": "labor", "mix": 0.125, "p_intra": 0.9},
    *({"dependency": k, "mix": 1, "p_intra": 0.5} for k in (8, 64)),
    *({"sampler": "labor", "dependency": k, "mix": 1, "p_intra": 0.5} for k in (8, 64)),
    *({"sampler": "cluster", "group": q} for q in (1, 2, 4)),
    {"unbiased": True, "mix": 0.125, "p_intra": 0.9},
]
COLUMNS = ("roots", "input_nodes", "reused_input_nodes", "edges", "label_entropy_bits", "communities")


def stats_of(loader: kith.NeighborLoader) -> Iterator[dict]:
    """The accounts of one batch after another, epoch after epoch."""
    while True:
        for batch in loader:
            yield batch.stats


def name_of(options: dict) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items())


def measure(data: kith.Dataset, rows: list[dict], settings: argparse.Namespace) -> list[dict]:
    """One result a row. Short last batches are left out, since they would not be comparable."""
    fixed = {
        "num_neighbors": settings.fanouts,
        "input_nodes": "train",
        "batch_size": settings.batch_size,
        "seed": settings.seed,
        "drop_last": True,
        "prefetch": 0,
    }
    loaders = [kith.NeighborLoader(data, **(fixed | options)) for options in rows]
    for options, loader in zip(rows, loaders):
        if len(loader) == 0:
            raise ValueError(f"sampler_table: the graph is too small for one full batch of {name_of(options)}")
    streams = [stats_of(loader) for loader in loaders]
    seconds: list[list[float]] = [[] for _ in rows]
    counted: list[list[dict]] = [[] for _ in rows]
    for _ in range(settings.repetitions):
        for stream, times, batches in zip(streams, seconds, counted):
            next(stream)
            latest = [next(stream) for _ in range(settings.batches)]
            times.append(statistics.fmean(stats["sample_seconds"] for stats in latest))
            batches.extend(latest)
    return [summarise(*row) for row in zip(rows, seconds, counted)]


def summarise(options: dict, seconds: list[float], batches: list[dict]) -> dict:
    result = {"options": options, "batches": len(batches)}
    for column in COLUMNS:
        result[column] = statistics.fmean(stats[column] for stats in batches)
    milliseconds = sorted(1e3 * second for second in seconds)
    result["ms"] = statistics.median(milliseconds)
    result["ms_range"] = [milliseconds[0], milliseconds[-1]]
    return result


def check(results: list[dict]) -> None:
    """Raises ValueError for counts that no correct sampler gives."""
    for result in results:
        if not result["roots"] <= result["input_nodes"] <= result["roots"] + result["edges"]:
            raise ValueError(
                f"sampler_table: {name_of(result['options'])}: {result['input_nodes']:.0f} input nodes "
                f"cannot be, with {result['roots']:.0f} roots and {result['edges']:.0f} edges"
            )


def to_markdown(results: list[dict]) -> str:
    lines = [
        "| options | input nodes | edges | ms a batch (min..max) | label entropy, bits | communities |",
        "|---|---|---|---|---|---|",
    ]
    for result in results:
        low, high = result["ms_range"]
        lines.append(
            f"| {name_of(result['options'])} | {result['input_nodes']:,.0f} | {result['edges']:,.0f} "
            f"| {result['ms']:.2f} ({low:.2f}..{high:.2f}) | {result['label_entropy_bits']:.2f} "
            f"| {result['communities']:.1f} |"
        )
    return "\n".join(lines) + "\n"


def fanouts_of(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--fanouts", type=fanouts_of, default="15,10,5")
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--batches", type=int, default=4, help="counted batches a row and repetition")
    parser.add_argument("--repetitions", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-o", "--output", type=Path, help="folder for sampler_table.json and sampler_table.md")
    settings = parser.parse_args(arguments)
    if settings.batches < 1 or settings.repetitions < 1:
        parser.error("--batches and --repetitions must be at least 1")
    return settings


def main(arguments: list[str] | None = None) -> int:
    settings = parse_arguments(arguments)
    environment = machine.describe()
    data = kith.Dataset.open(settings.file)
    results = measure(data, ROWS, settings)
    check(results)
    table = to_markdown(results)
    print(table, end="")
    if settings.output:
        report = {
            "machine": environment,
            "kith": kith.__version__,
            "graph": {"file": settings.file.name, "nodes": data.num_nodes, "edges": data.num_edges},
            "fanouts": settings.fanouts,
            "batch_size": settings.batch_size,
            "repetitions": settings.repetitions,
            "seed": settings.seed,
            "rows": results,
        }
        (settings.output / "sampler_table.json").write_text(json.dumps(report, indent=1) + "\n")
        (settings.output / "sampler_table.md").write_text(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
