"""What a batch of kith.NeighborLoader costs beside sampling and gathering.

    PYTHONPATH=build/release/python python3 bench/loader_overhead.py FILE.kith.h5 [-o OUT.json]

For every output, alternating over the rounds, one epoch of random batches without prefetching, so that nothing
overlaps. Medians over the batches of all rounds, in ms: sampling and gathering as the engine times them, the
rest of the engine (arrays in PyG's layout), and Python (from the arrays to what the user is handed).
"""

import argparse
import json
import statistics
import time
from pathlib import Path

import kith
import machine
from kith import _core

OUTPUTS = ("numpy", "torch", "pyg")


class TimedStream:
    """A BatchStream that says how long each batch took it."""

    def __init__(self, stream: _core.BatchStream, seconds: list[float]) -> None:
        self._stream, self._seconds = stream, seconds

    def next(self):
        begin = time.perf_counter()
        arrays = self._stream.next()
        self._seconds.append(time.perf_counter() - begin)
        return arrays


def epoch(loader: kith.NeighborLoader) -> list[dict[str, float]]:
    """Seconds of each batch, by what they were spent on."""
    engine: list[float] = []
    own_stream = _core.BatchStream
    batches = []
    try:
        _core.BatchStream = lambda *arguments: TimedStream(own_stream(*arguments), engine)
        iterator = iter(loader)
        for _ in range(len(loader)):
            begin = time.perf_counter()
            batch = next(iterator)
            total = time.perf_counter() - begin
            sample, gather = batch.stats["sample_seconds"], batch.stats["gather_seconds"]
            layout = engine[-1] - sample - gather
            python = total - engine[-1]
            batches.append({"sample": sample, "gather": gather, "layout": layout, "python": python})
            del batch  # its memory is given back outside of what is timed
    finally:
        _core.BatchStream = own_stream
    return batches


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("graph", type=Path)
    parser.add_argument("--fanout", default="10,10")
    parser.add_argument("--batch-size", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", "--output", type=Path)
    settings = parser.parse_args()
    data = kith.Dataset.open(settings.graph)
    options = {"batch_size": settings.batch_size, "mix": 1, "p_intra": 0.5, "prefetch": 0}
    fanouts = [int(text) for text in settings.fanout.split(",")]
    loaders = {name: kith.NeighborLoader(data, fanouts, "train", output=name, **options) for name in OUTPUTS}
    batches = {name: [] for name in OUTPUTS}
    for _ in range(settings.rounds):
        for name, loader in loaders.items():
            batches[name] += epoch(loader)
    rows = []
    for name in OUTPUTS:
        median = {
            key: 1e3 * statistics.median(batch[key] for batch in batches[name]) for key in batches[name][0]
        }
        share = median["python"] / (median["sample"] + median["gather"])
        rows.append({"output": name, "ms": median, "python_to_sampling_and_gathering": share})
        text = ", ".join(f"{key} {value:.3f}" for key, value in median.items())
        print(f"{name}: {text} ms; Python is {100 * share:.1f} % of sampling and gathering")
    if settings.output:
        report = {
            "machine": machine.describe(),
            "graph": settings.graph.name.split(".")[0],
            "options": options | {"fanout": fanouts, "rounds": settings.rounds},
            "outputs": rows,
        }
        settings.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
