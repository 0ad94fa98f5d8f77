"""Epochs with features on disk and a fast tier of a tenth of them, beside epochs with all of them in memory.

    python3 bench/out_of_core.py build/release/kith GRAPH.kith.h5... -o bench/results

Every round runs every configuration once, so that what else the machine does falls on all of them, and after
each of them measures the disk: reads at random places, O_DIRECT, as many under way as the engine has, of whole
pages and of single sectors, as many of each as make the mean size of the run's own reads. Medians over the
rounds of the epochs after the first. `-o FOLDER` writes out_of_core.json and out_of_core.md there.
"""

import argparse
import json
import mmap
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import machine

KNOBS = {
    "random": ["--mix", "1", "--p-intra", "0.5"],
    "0.125, 0.9": ["--mix", "0.125", "--p-intra", "0.9"],
    "0.125, 1": ["--mix", "0.125", "--p-intra", "1"],
    "0, 1": ["--mix", "0", "--p-intra", "1"],
}
PAGE_BYTES = 64 << 10
SECTOR_BYTES = 4 << 10
QUEUE_DEPTH = 64
# The disk's limit counts where the run waits for it: a share of the epoch.
DISK_BOUND = 0.5


def disk_bandwidth(path: Path, mean_bytes: float = PAGE_BYTES, seconds: float = 0.5) -> float:
    """Bytes a second of reads past the page cache, of whole pages and single sectors of a file, at random."""
    pages = max(path.stat().st_size // PAGE_BYTES, 1)
    share_of_pages = (mean_bytes - SECTOR_BYTES) / (PAGE_BYTES - SECTOR_BYTES)
    file = os.open(path, os.O_RDONLY | os.O_DIRECT)
    counts = [0] * QUEUE_DEPTH
    end = time.monotonic() + seconds

    def read(worker: int) -> None:
        page = mmap.mmap(-1, PAGE_BYTES)  # aligned, as O_DIRECT wants
        sector = memoryview(page)[:SECTOR_BYTES]
        draws = random.Random(worker)
        while time.monotonic() < end:
            buffer = page if draws.random() < share_of_pages else sector
            counts[worker] += os.preadv(file, [buffer], draws.randrange(pages) * PAGE_BYTES)

    workers = [threading.Thread(target=read, args=(i,)) for i in range(QUEUE_DEPTH)]
    begin = time.monotonic()
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    os.close(file)
    return sum(counts) / (time.monotonic() - begin)


def staging_of(policy: str, size: str) -> list[str]:
    if policy == "in memory":
        return []
    if policy == "none":  # no fast tier: every row of every batch is read
        return ["--stage", "lru", "--stage-bytes", "0", "--host-bytes", "0"]
    return ["--stage", policy, "--stage-bytes", size, "--host-bytes", "0"]


def train(settings: argparse.Namespace, graph: Path, knobs: str, policy: str) -> list[dict]:
    """The epochs of one run but the first."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [settings.kith, "train", graph, "--device", "cpu", "--patience", "0"]
        command += ["--layers", "2", "--fanout", "10,10", "--hidden", str(settings.hidden)]
        command += ["--epochs", str(settings.epochs), "--threads", str(settings.threads), *KNOBS[knobs]]
        command += [*staging_of(policy, settings.size), "--json", report]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return json.loads(report.read_text())["epochs"][1:]


def row_bytes_of(kith: Path, graph: Path) -> int:
    done = subprocess.run([kith, "info", graph, "--json", "-"], check=True, capture_output=True, text=True)
    info = json.loads(done.stdout)
    return info["features"] * {"f32": 4, "f16": 2, "bf16": 2}[info["feature_type"]]


def mean_read(epochs: list[dict]) -> float:
    """Bytes of a read of the file; 0 if there is none."""
    reads = sum(epoch.get("staged_reads_from_disk", 0) for epoch in epochs)
    return sum(epoch["staged_bytes_from_disk"] for epoch in epochs) / reads if reads else 0


def summarize(epochs: list[dict], in_memory: list[dict], disk: float, row_bytes: int) -> dict:
    """Medians of one configuration. disk: bytes a second for reads like its own; epochs: of all rounds."""

    def median(key) -> float:
        return statistics.median(map(key, epochs))

    def missed(epoch: dict) -> float:
        return epoch["batches"] * epoch["input_nodes_per_batch"] * (1 - epoch["hit_rate"]) * row_bytes

    seconds = median(lambda epoch: epoch["seconds"]["total"])
    read = median(lambda epoch: epoch.get("staged_bytes_from_disk", 0))
    summary = {
        "seconds": seconds,
        "to_in_memory": seconds / statistics.median(epoch["seconds"]["total"] for epoch in in_memory),
        "cpu_to_in_memory": median(lambda epoch: epoch["seconds"]["cpu"])
        / statistics.median(epoch["seconds"]["cpu"] for epoch in in_memory),
        "stall_share": median(lambda epoch: epoch["seconds"]["stall"] / epoch["seconds"]["total"]),
    }
    if read == 0:
        return summary
    rate = median(lambda epoch: epoch["staged_bytes_from_disk"] / epoch["seconds"]["total"])
    return summary | {
        "hit_rate": median(lambda epoch: epoch["hit_rate"]),
        "disk_bytes": read,
        "read_bytes": read / median(lambda epoch: epoch["staged_reads_from_disk"]),
        "amplification": read / median(missed),
        "bytes_a_second": rate,
        "disk": disk,
        "of_disk": rate / disk,
        "is_disk_bound": summary["stall_share"] >= DISK_BOUND,
    }


def to_markdown(runs: list[dict], settings: argparse.Namespace) -> str:
    lines = [
        f"Epochs with features on disk and a fast tier of {settings.size}, medians of {settings.rounds}",
        f"rounds, two hops of 10, {settings.hidden} hidden units, {settings.threads} threads. Amplification:",
        "bytes read for each byte that the fast tier lacked. Of the disk: bytes read a second, as a share of",
        f"what {QUEUE_DEPTH} random reads under way give, pages of {PAGE_BYTES >> 10} KiB and sectors of",
        f"{SECTOR_BYTES >> 10} KiB in the proportion that makes the run's mean read; bold where the run waits",
        "for reads in half of its time or more.",
        "",
    ]
    for graph in dict.fromkeys(run["graph"] for run in runs):
        lines += [f"### {graph}", ""]
        heads = "batches|policy|epoch, s|to in memory|CPU|waiting|hits|MB|KiB a read|amplification"
        heads += "|disk, MB/s|of the disk"
        lines.append("| " + heads.replace("|", " | ") + " |")
        lines.append("|---" * 12 + "|")
        for run in runs:
            if run["graph"] != graph:
                continue
            cells = [run["knobs"], run["policy"], f"{run['seconds']:.3f}", f"{run['to_in_memory']:.2f}"]
            cells += [f"{run['cpu_to_in_memory']:.2f}", f"{100 * run['stall_share']:.0f} %"]
            if "disk_bytes" in run:
                cells += [f"{100 * run['hit_rate']:.0f} %", f"{run['disk_bytes'] / 1e6:.0f}"]
                share = f"{100 * run['of_disk']:.0f} %"
                cells += [f"{run['read_bytes'] / 1024:.0f}", f"{run['amplification']:.1f}"]
                cells += [f"{run['disk'] / 1e6:.0f}", f"**{share}**" if run["is_disk_bound"] else share]
            lines.append("| " + " | ".join(cells) + " |" + "  |" * (12 - len(cells)))
        lines.append("")
    return "\n".join(lines)


def measure(settings: argparse.Namespace, graph: Path, knobs: str) -> list[dict]:
    policies = ["in memory", *settings.policies.split(",")]
    epochs: dict[str, list[dict]] = {policy: [] for policy in policies}
    disk: dict[str, list[float]] = {policy: [] for policy in policies}
    for _ in range(settings.rounds):
        for policy in policies:
            done = train(settings, graph, knobs, policy)
            epochs[policy] += done
            if size := mean_read(done):
                disk[policy].append(disk_bandwidth(graph, size))
    row_bytes = row_bytes_of(settings.kith, graph)
    # The best that the disk gave: what else the machine does can only make it look slower than it is.
    return [
        {"graph": graph.name.split(".")[0], "knobs": knobs, "policy": policy}
        | summarize(epochs[policy], epochs["in memory"], max(disk[policy], default=0), row_bytes)
        for policy in policies
    ]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kith", type=lambda text: Path(text).resolve())
    parser.add_argument("graphs", type=Path, nargs="+")
    parser.add_argument("--size", default="10%", help="of the fast tier")
    parser.add_argument("--policies", default="none,degree,presample,lru,sieve,lookahead,auto")
    parser.add_argument("--knobs", default=";".join(KNOBS), help="of KNOBS, separated by semicolons")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=3, help="of a run; the first is left out")
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("-o", "--output", type=Path, help="folder for out_of_core.json and out_of_core.md")
    settings = parser.parse_args(arguments)
    runs = []
    for graph in settings.graphs:
        for knobs in settings.knobs.split(";"):
            runs += measure(settings, graph, knobs)
            print(f"{graph.name} {knobs}", file=sys.stderr)
    table = to_markdown(runs, settings)
    print(table, end="")
    if settings.output:
        settings.output.mkdir(parents=True, exist_ok=True)
        options = {key: getattr(settings, key) for key in ("size", "rounds", "epochs", "hidden", "threads")}
        report = {"machine": machine.describe(), "options": options, "runs": runs}
        (settings.output / "out_of_core.json").write_text(json.dumps(report, indent=1) + "\n")
        (settings.output / "out_of_core.md").write_text(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
