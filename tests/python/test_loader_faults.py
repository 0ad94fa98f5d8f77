"""A thread that makes batches and fails: the error comes out once, in the loop, and nothing hangs."""

import subprocess
import sys

import pytest
from conftest import kith_environment

TIMEOUT_SECONDS = 120

# A batch takes 64 MiB of features; addresses for 40 MiB are left when it is made.
SCRIPT = """
import resource, sys
import numpy as np
import kith

n, prefetch = 4000, int(sys.argv[1])
rng = np.random.default_rng(0)
data = kith.Dataset.from_arrays(
    rng.integers(0, n, (2, 8 * n)), np.ones((n, 4096), np.float32), np.zeros(n, np.int64),
    train=np.arange(n), communities=np.arange(n) // 100,
)
loader = kith.NeighborLoader(data, [4], input_nodes="train", batch_size=n // 2, prefetch=prefetch)
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
unlimited = resource.getrlimit(resource.RLIMIT_AS)
resource.setrlimit(resource.RLIMIT_AS, (used + (40 << 20), unlimited[1]))
iterator = None
try:
    iterator = iter(loader)
    next(iterator)
    print("a batch")
except (MemoryError, RuntimeError) as error:
    print("failed")
try:
    next(iterator or iter(()))
    print("another batch")
except StopIteration:
    print("ended")
resource.setrlimit(resource.RLIMIT_AS, unlimited)
print(sum(1 for _ in loader), "batches")
"""


@pytest.mark.parametrize("prefetch", [0, 1, 4])
def test_a_batch_that_finds_no_memory_raises_once_and_the_loader_goes_on(prefetch):
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(prefetch)],
        env=kith_environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split("\n")[:-1] == ["failed", "ended", "2 batches"]
