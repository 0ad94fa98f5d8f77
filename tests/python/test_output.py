"""Batches as PyG's Data, torch tensors or NumPy arrays, and the ids that they speak."""

import copy
import gc
import subprocess
import sys
import warnings

import kith
import numpy as np
import pytest
from conftest import kith_environment

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")
from torch_geometric.data import Data  # noqa: E402

NUM_NODES, NUM_EDGES = 100, 500


def make_data():
    generator = torch.Generator().manual_seed(1)
    flat = torch.randperm(NUM_NODES * NUM_NODES, generator=generator)[:NUM_EDGES]
    return Data(
        x=torch.randn(NUM_NODES, 16, generator=generator),
        y=torch.arange(NUM_NODES) % 4,
        edge_index=torch.stack([flat // NUM_NODES, flat % NUM_NODES]),
    )


@pytest.fixture
def graph():
    return make_data()


def test_every_output_holds_the_same_batch(data):
    options = {"num_neighbors": [4, 3], "input_nodes": "train", "batch_size": 30}
    as_array = next(iter(kith.NeighborLoader(data, output="numpy", **options)))
    as_tensor = next(iter(kith.NeighborLoader(data, output="torch", **options)))
    as_data = next(iter(kith.NeighborLoader(data, output="pyg", **options)))
    assert isinstance(as_tensor, kith.Batch) and type(as_data) is Data
    for name in ("x", "y", "edge_index", "n_id", "e_id", "input_id"):
        expected = torch.from_numpy(getattr(as_array, name))
        assert torch.equal(getattr(as_tensor, name), expected) and torch.equal(as_data[name], expected)
    for name in ("batch_size", "num_nodes", "num_edges", "num_sampled_nodes", "num_sampled_edges"):
        assert getattr(as_array, name) == getattr(as_tensor, name) == getattr(as_data, name)
    assert as_data.stats["edges"] == as_data.num_edges
    for one, other, last in zip(as_array.blocks, as_tensor.blocks, as_data.blocks):
        assert one[:2] == other[:2] == last[:2]
        assert np.array_equal(one.indices, other.indices) and torch.equal(other.indptr, last.indptr)


@pytest.mark.parametrize("output", ["torch", "pyg"])
def test_tensors_lie_where_the_engine_put_them(data, output, monkeypatch):
    arrays = {}
    make = kith.loader.Batch

    def spy(**fields):
        arrays.update(fields)
        return make(**fields)

    monkeypatch.setattr("kith.loader.Batch", spy)
    batch = next(iter(kith.NeighborLoader(data, [4, 3], "train", batch_size=30, output=output)))
    for name in ("x", "y", "edge_index", "n_id", "e_id", "input_id"):
        assert getattr(batch, name).data_ptr() == arrays[name].ctypes.data, name
    assert batch.blocks[0].indices.data_ptr() == arrays["indices"].ctypes.data


def test_features_of_a_data_are_not_copied_again(graph, monkeypatch):
    arrays = {}
    make = kith.loader.Batch
    monkeypatch.setattr("kith.loader.Batch", lambda **fields: arrays.update(fields) or make(**fields))
    batch = next(iter(kith.NeighborLoader(graph, [4, 3], batch_size=30)))
    for name in ("x", "y", "edge_index", "e_id"):
        assert batch[name].data_ptr() == arrays[name].ctypes.data, name


@pytest.mark.parametrize("output", ["torch", "numpy"])
def test_a_data_can_give_plain_batches(graph, output):
    graph.x = graph.x.double()  # which the engine does not hold
    for batch in kith.NeighborLoader(graph, [4], batch_size=25, output=output):
        assert isinstance(batch.x, np.ndarray if output == "numpy" else torch.Tensor)
        assert np.array_equal(batch.x, graph.x[batch.n_id]) and np.array_equal(batch.y, graph.y[batch.n_id])


def test_a_batch_moves_and_copies_like_any_data(graph):
    batch = next(iter(kith.NeighborLoader(graph, [4, 3], batch_size=30)))
    moved = batch.to("meta")
    assert moved.x.device.type == moved.blocks[0].indices.device.type == "meta"
    batch = next(iter(kith.NeighborLoader(graph, [4, 3], batch_size=30)))
    assert torch.equal(copy.deepcopy(batch).x, batch.x) and "Blocks(2)" in str(batch)


def test_a_batch_outlives_everything():
    batch = next(iter(kith.NeighborLoader(make_data(), [4, 3], batch_size=30)))
    expected = batch.x.clone()
    gc.collect()
    assert torch.equal(batch.x, expected)
    batch.x.add_(1)  # its own memory, so it can be written


# --- what is imported


def run_python(code):
    result = subprocess.run(
        [sys.executable, "-c", code],
        env=kith_environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return result.stdout.split()


LOADER = """
loader = kith.NeighborLoader((numpy.array([[0, 1, 2], [1, 2, 0]]), numpy.ones((3, 2), numpy.float32)), [2])
batch = next(iter(loader))
print(type(batch).__name__, type(batch.x).__name__)
"""


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        ("", ["Batch", "ndarray"]),
        ("import torch", ["Batch", "Tensor"]),
        ("import torch_geometric", ["Data", "Tensor"]),
    ],
    ids=["neither", "torch", "pyg"],
)
def test_the_output_follows_what_is_imported(first, expected):
    assert run_python(f"{first}\nimport kith, numpy\n{LOADER}") == expected


def test_no_warning_comes_from_sharing_memory(graph):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sum(batch.batch_size for batch in kith.NeighborLoader(graph, [3], batch_size=32)) == NUM_NODES
