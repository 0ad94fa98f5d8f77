"""Nothing grows: memory and open files stay flat over epochs, loader resets and reopened files.

KITH_SOAK_SECONDS=3600 makes it the long run; a short one shows gross leaks only.
"""

import os
import subprocess
import time
from pathlib import Path

import kith
import numpy as np
import pytest

SECONDS = float(os.environ.get("KITH_SOAK_SECONDS", "6"))
MAX_SAMPLES = 600  # evenly over the time: a sample a cycle would take 4 MB in an hour, more than may be missed
pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")


def resident_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return 1024 * int(line.split()[1])
    raise AssertionError("no VmRSS in /proc/self/status")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def cycle(path: Path, turn: int) -> None:
    """What a user's session does again and again: open, iterate, leave an epoch, train, predict."""
    data = kith.Dataset.open(path)
    loader = kith.NeighborLoader(data, [5, 5], "train", batch_size=128, mix=0.25, p_intra=0.9, seed=turn)
    for _ in loader:
        pass
    batches = iter(loader)
    next(batches)
    del batches  # in the middle of an epoch
    trainer = kith.Trainer(kith.nn.GraphSAGE(data.num_features, 16, data.num_classes, num_layers=2), data)
    trainer.fit(loader, epochs=1, progress=False)
    trainer.predict("test")


def test_memory_and_files_stay_flat(command, tmp_path):
    path = tmp_path / "soak.kith.h5"
    options = "--nodes 3000 --edges 30000 --communities 20 --features 32 --classes 4".split()
    subprocess.run([command, "generate", "-o", path, *options], check=True, capture_output=True)
    begin = time.monotonic()
    samples = []
    turn = 0
    while (elapsed := time.monotonic() - begin) < SECONDS or turn < 12:
        cycle(path, turn)
        turn += 1
        if elapsed >= len(samples) * SECONDS / MAX_SAMPLES:
            samples.append((resident_bytes(), open_files()))
    memory, files = np.array(samples).T
    # The first third warms up: caches, memory pools, threads.
    start = len(samples) // 3
    third = len(samples) // 3
    early, late = np.median(memory[start : start + third]), np.median(memory[-third:])
    print(f"{turn} cycles; MB: {early / 1e6:.1f}, {late / 1e6:.1f}; files: {files[start]}, {files[-1]}")
    assert late <= 1.02 * early, f"resident memory grew from {early} to {late} bytes in {turn} cycles"
    assert files[-1] == files[start], f"open files went from {files[start]} to {files[-1]}"
