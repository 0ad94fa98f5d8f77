"""Which reading of `mix` reads the fewest rows for the variety of labels that it keeps.

    PYTHONPATH=build/release/python python3 bench/mixing.py FILE.kith.h5... [-o OUT.json]

For every mixing, and a grid of its values, one epoch of batches over the training nodes: input nodes a batch
and entropy of the roots' labels a batch. The knob does not mean the same in two mixings, so they are compared
at equal entropy: the input nodes of each are interpolated along its own curve.
"""

import argparse
import json
import statistics
from pathlib import Path

import kith
import numpy as np

SHARES = (0.0, 0.01, 0.02, 0.05, 0.125, 0.25, 0.5, 0.75, 1.0)
MIXINGS = ("communities", "balanced", "nested", "leaky")
ENTROPY_SHARES = (0.3, 0.5, 0.7, 0.8, 0.9, 0.95)  # of the way from mix 0 to mix 1


def measure(data: kith.Dataset, mixing: str, mix: float, options: dict) -> dict:
    """Means over one epoch."""
    loader = kith.NeighborLoader(data, input_nodes="train", mixing=mixing, mix=mix, **options)
    stats = [batch.stats for batch in loader]
    return {
        "mixing": mixing,
        "mix": mix,
        "input_nodes": statistics.fmean(s["input_nodes"] for s in stats),
        "label_entropy_bits": statistics.fmean(s["label_entropy_bits"] for s in stats),
        "communities": statistics.fmean(s["communities"] for s in stats),
    }


def at_equal_entropy(rows: list[dict]) -> list[dict]:
    """Input nodes of every mixing at the same entropies, by linear interpolation along its own curve."""
    curves = {}
    for mixing in MIXINGS:
        points = sorted((r["label_entropy_bits"], r["input_nodes"]) for r in rows if r["mixing"] == mixing)
        curves[mixing] = np.array(points).T
    low = max(curve[0][0] for curve in curves.values())
    high = min(curve[0][-1] for curve in curves.values())
    table = []
    for share in ENTROPY_SHARES:
        entropy = low + share * (high - low)
        nodes = {m: float(np.interp(entropy, *curve)) for m, curve in curves.items()}
        table.append({"label_entropy_bits": entropy, **nodes})
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--fanout", default="10,10")
    parser.add_argument("--p-intra", type=float, nargs="+", default=[0.5, 0.9])
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    fanouts = [int(fanout) for fanout in arguments.fanout.split(",")]
    report = []
    for path in arguments.files:
        data = kith.Dataset.open(path)
        for p_intra in arguments.p_intra:
            options = {"num_neighbors": fanouts, "p_intra": p_intra, "seed": 1}
            rows = [measure(data, mixing, mix, options) for mixing in MIXINGS for mix in SHARES]
            table = at_equal_entropy(rows)
            report.append({"graph": path.name, "p_intra": p_intra, "rows": rows, "equal_entropy": table})
            print(f"\n{path.name}, p_intra {p_intra}: input nodes a batch at equal label entropy")
            print("| entropy, bits | " + " | ".join(MIXINGS) + " |")
            print("|---" * (len(MIXINGS) + 1) + "|")
            for line in table:
                cells = (f"{line[mixing]:,.0f}" for mixing in MIXINGS)
                print(f"| {line['label_entropy_bits']:.3f} | " + " | ".join(cells) + " |", flush=True)
    if arguments.output:
        arguments.output.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
