"""Memory of the batches: released when their user lets go, and kept for the next ones."""

import subprocess
import sys
import weakref

import kith
import numpy as np
import pytest
from conftest import kith_environment

# Faults a batch, median over epochs after one that sizes everything; the arrays of a batch take several MB. In
# one or another of these epochs a batch larger than all before may still grow the heap once.
COUNT_FAULTS = """
import resource, statistics, sys
import kith

data = kith.Dataset.open(sys.argv[1])
loader = kith.NeighborLoader(data, [15, 10], batch_size=4096, mix=1, p_intra=0.5, prefetch=0)
faults = []
for _ in range(6):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for batch in loader:
        pass
    faults.append((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / len(loader))
print(statistics.median(faults[1:]))
"""


def test_memory_of_a_released_batch_serves_the_next_one(tmp_path):
    rng = np.random.default_rng(0)
    edges, communities = rng.integers(0, 40_000, (2, 800_000)), np.arange(40_000) // 200
    data = kith.Dataset.from_arrays(edges, train=np.arange(20_000), communities=communities)
    data.save(tmp_path / "g.kith.h5")
    command = [sys.executable, "-c", COUNT_FAULTS, str(tmp_path / "g.kith.h5")]
    done = subprocess.run(command, env=kith_environment(), capture_output=True, text=True, check=True)
    assert float(done.stdout) < 60  # pages of 4 KiB; hundreds where every batch is mapped anew


@pytest.mark.parametrize("output", ["numpy", "torch"])
def test_an_iteration_does_not_hold_on_to_its_latest_batch(data, output):
    if output == "torch":
        pytest.importorskip("torch")
    batches = iter(kith.NeighborLoader(data, [5, 5], batch_size=64, output=output))
    array = weakref.ref(next(batches).edge_index)
    assert array() is None
