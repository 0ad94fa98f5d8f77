"""Puts the built package on the path and makes the graphs that the tests share.

KITH_PYTHON_PATH names another folder than build/release/python, KITH_COMMAND another command than
build/release/kith.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = os.environ.get("KITH_PYTHON_PATH", str(ROOT / "build" / "release" / "python"))
sys.path.insert(0, PACKAGE)

import emulated_device  # noqa: E402

if emulated_device.FILE is not None:
    emulated_device.install()

import kith  # noqa: E402  (a missing module is to fail the run)


def kith_environment():
    """The environment of a Python process that is to find the same package."""
    return {**os.environ, "PYTHONPATH": PACKAGE}


def make_arrays(num_nodes=400, num_blocks=8, degree=6, num_features=12, seed=0):
    """A block model whose features tell the class: arrays as a user would bring them."""
    rng = np.random.default_rng(seed)
    block = rng.integers(0, num_blocks, num_nodes)
    members = [np.flatnonzero(block == b) for b in range(num_blocks)]
    source = np.repeat(np.arange(num_nodes), degree)
    inside = rng.random(source.size) < 0.8
    target = np.where(
        inside, [rng.choice(members[block[u]]) for u in source], rng.integers(0, num_nodes, source.size)
    )
    edge_index = np.stack([source, target])[:, source != target]
    y = block % 4
    x = rng.normal(size=(num_nodes, num_features)).astype(np.float32)
    x[np.arange(num_nodes), y] += 2
    order = rng.permutation(num_nodes)
    third = num_nodes // 3
    return {
        "edge_index": edge_index,
        "x": x,
        "y": y,
        "train": order[:third],
        "valid": order[third : 2 * third],
        "test": order[2 * third :],
        "communities": block,
    }


@pytest.fixture(scope="session")
def arrays():
    return make_arrays()


@pytest.fixture(scope="session")
def data(arrays):
    """The arrays as a dataset: directed, eight communities."""
    return kith.Dataset.from_arrays(**arrays)


@pytest.fixture(scope="session")
def command():
    path = Path(os.environ.get("KITH_COMMAND", ROOT / "build" / "release" / "kith"))
    if not path.exists():
        pytest.skip(f"the kith command is not built ({path})")
    return path


@pytest.fixture(autouse=True)
def numpy_batches(monkeypatch):
    """Loaders hand out NumPy arrays unless a test asks for more, whatever other tests have imported."""
    monkeypatch.setattr("kith._output._richest_imported", lambda: "numpy")
