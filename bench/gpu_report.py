"""Joins what bench/gpu.sh left in its folder into one JSON that names the GPU, and prints a table."""

import argparse
import datetime
import json
import re
import statistics
import subprocess
from pathlib import Path

from machine import describe


def gpu():
    fields = "name,driver_version,memory.total,clocks.max.sm"
    query = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True, check=True).stdout
    return dict(zip(fields.split(","), answer.splitlines()[0].split(", ")))


def tests(log):
    found = re.search(r"(\d+)% tests passed, (\d+) tests failed out of (\d+)", log.read_text())
    return {"failed": int(found[2]), "of": int(found[3])} if found else {}


def training(folder):
    """Seconds an epoch of every run, by part; the first epoch, which brings data to the device, is left out."""
    rows = []
    for path in sorted(folder.glob("train-*.json")):
        report = json.loads(path.read_text())
        epochs = report["epochs"][1:]
        seconds = {
            part: statistics.median(epoch["seconds"][part] for epoch in epochs) for part in epochs[0]["seconds"]
        }
        rows.append(
            {
                "fanout": report["options"]["fanout"],
                "mix": report["options"]["mix"],
                "p_intra": report["options"]["p_intra"],
                "batches": epochs[0]["batches"],
                "input_nodes_per_batch": epochs[-1]["input_nodes_per_batch"],
                "edges_per_batch": epochs[-1]["edges_per_batch"],
                "seconds_per_epoch": seconds,
            }
        )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    report = {
        "gpu": gpu(),
        "date": datetime.date.today().isoformat(),
        "machine": describe(),
        "tests": tests(args.folder / "tests.log"),
        "sanitizer": sorted(set(re.findall(r"ERROR SUMMARY: .*", (args.folder / "sanitizer.log").read_text()))),
        "kernels": json.loads((args.folder / "kernels.json").read_text())["benchmarks"],
        "training": training(args.folder),
    }
    pyg = args.folder / "pyg.json"
    if pyg.exists():
        report["pyg"] = json.loads(pyg.read_text())
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(json.dumps(report, indent=2) + "\n")
    for row in report["training"]:
        total = row["seconds_per_epoch"]["total"]
        print(f"{row['fanout']!s:14} mix {row['mix']:<6} p {row['p_intra']:<4} {total:8.3f} s an epoch")


if __name__ == "__main__":
    main()
