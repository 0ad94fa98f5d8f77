"""A loader in a process that was forked from the one that made it."""

import os
import signal
import subprocess
import sys

import kith
import pytest
from conftest import kith_environment

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


FORK_AND_EXIT = """
import ast, os, signal, sys, time
import kith

data, staging = kith.Dataset.open(sys.argv[1]), ast.literal_eval(sys.argv[2])
loader = kith.NeighborLoader(data, [4, 4], "train", batch_size=10, **staging)
trainer = kith.Trainer(kith.nn.GCN(data.num_features, 4, data.num_classes, num_layers=2), data, **staging)
trainer.fit(kith.NeighborLoader(data, [4, 4], "train"), epochs=1, progress=False)
batches = iter(loader)
next(batches)
time.sleep(0.5)  # prefetching rests: a lock that another thread holds right now would stay locked in the fork
child = os.fork()
if child == 0:
    signal.alarm(30)
    sys.exit(0)  # frees everything
print(os.waitpid(child, 0)[1])
"""


def in_fork(action):
    """What `action` raises in a forked process, as text."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        # No return from here: the child must not go on with the test run. A wait for lost threads is cut off.
        signal.alarm(30)
        text = "nothing"
        try:
            action()
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(writer, text.encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    return text


@pytest.mark.parametrize("prefetch", [0, 3])
def test_a_loader_says_that_it_belongs_to_another_process(data, prefetch):
    loader = kith.NeighborLoader(data, [4, 4], "train", batch_size=10, prefetch=prefetch)
    running = iter(loader)
    next(running)
    for action in (lambda: next(iter(loader)), lambda: next(running), lambda: loader([0])):
        text = in_fork(action)
        assert text.startswith(f"RuntimeError: NeighborLoader: made in process {os.getpid()}"), text
    assert len(list(running)) == len(loader) - 1  # the parent goes on


@pytest.mark.parametrize("staging", [{}, {"stage": "lru", "stage_bytes": "50%", "host_bytes": 0}])
def test_a_fork_ends_whatever_it_inherits(data, tmp_path, staging):
    data.save(tmp_path / "g.kith.h5")
    command = [sys.executable, "-c", FORK_AND_EXIT, str(tmp_path / "g.kith.h5"), repr(staging)]
    done = subprocess.run(command, env=kith_environment(), capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["0"], done.stdout + done.stderr


def test_a_loader_made_in_the_fork_works(data):
    options = {"batch_size": 10, "prefetch": 3, "seed": 5}
    expected = [batch.n_id.tolist() for batch in kith.NeighborLoader(data, [4, 4], "train", **options)]

    def make_and_compare():
        loader = kith.NeighborLoader(data, [4, 4], "train", **options)
        assert [batch.n_id.tolist() for batch in loader] == expected

    assert in_fork(make_and_compare) == "nothing"


def test_workers_of_torch_get_the_same_answer(data):
    torch_data = pytest.importorskip("torch.utils.data")
    loader = kith.NeighborLoader(data, [4, 4], "train", batch_size=10)

    class Wrapped(torch_data.IterableDataset):
        def __iter__(self):
            return iter(loader)

    options = {"batch_size": None, "num_workers": 1, "multiprocessing_context": "fork"}
    with pytest.raises(RuntimeError, match="made in process"):
        next(iter(torch_data.DataLoader(Wrapped(), **options)))
