"""kith prepare with edges in one file and features, labels and masks in another."""

import json

import kith as package
import numpy as np
import pytest
from test_command import BAD_INPUT, kith  # noqa: F401

NUM_NODES = 40


@pytest.fixture
def two_files(kith):  # noqa: F811
    """Node 39 has no edges; ids are the rows."""
    rng = np.random.default_rng(3)
    edges = rng.integers(0, NUM_NODES - 1, (150, 2))
    np.savetxt(kith.folder / "edges.csv", edges, fmt="%d", delimiter=",", header="src,dst", comments="")
    x = np.arange(NUM_NODES * 3, dtype=np.float32).reshape(NUM_NODES, 3)
    y = np.arange(NUM_NODES) % 4
    np.savez(kith.folder / "nodes.npz", x=x, y=y)
    return edges, x, y


def test_a_row_goes_to_the_node_of_that_id(kith, two_files):  # noqa: F811
    edges, x, y = two_files
    kith.ok("prepare", "edges.csv", "--node-data", "nodes.npz", "--random-split", "0.5,0.25", "-o", "g.kith.h5")
    data = package.Dataset.open(kith.folder / "g.kith.h5")
    np.testing.assert_array_equal(data.x, x[data.original_id])
    np.testing.assert_array_equal(data.y, y[data.original_id])
    sizes = [len(part) for part in (data.train, data.valid, data.test)]
    assert sizes == [20, 10, 10]
    expected = {tuple(edge) for edge in edges}
    source, target = data.original_id[data.edge_index]
    assert set(zip(source, target, strict=True)) == expected
    kith.ok("train", "g.kith.h5", *"--layers 1 --fanout 2 --hidden 4 --epochs 1 --device cpu".split())


def test_the_seed_decides_on_the_split(kith, two_files):  # noqa: F811
    def split(seed):
        options = ["--node-data", "nodes.npz", "--random-split", "0.5,0.25", "--seed", seed]
        kith.ok("prepare", "edges.csv", *options, "-o", "g.kith.h5")
        data = package.Dataset.open(kith.folder / "g.kith.h5")
        return set(data.original_id[data.train])

    assert split(1) == split(1)
    assert split(1) != split(2)


def test_what_does_not_fit_is_named(kith, two_files):  # noqa: F811
    prepare = ["prepare", "edges.csv", "-o", "g.kith.h5"]
    kith.fails(BAD_INPUT, *prepare, "--node-data", "none.npz", says="none.npz")
    kith.fails(BAD_INPUT, *prepare, "--random-split", "0.5,0.2", says="no node has a label")
    kith.fails(BAD_INPUT, *prepare, "--node-data", "nodes.npz", "--random-split", "half", says="as in 0.6,0.2")
    np.savez(kith.folder / "few.npz", x=np.zeros((5, 2)))
    kith.fails(BAD_INPUT, *prepare, "--node-data", "few.npz", says="has rows for the nodes 0..4")


def test_training_without_a_split_says_what_to_do(kith, two_files):  # noqa: F811
    kith.ok("prepare", "edges.csv", "--node-data", "nodes.npz", "-o", "g.kith.h5")
    report = json.loads(kith.ok("info", "g.kith.h5", "--json", "-"))
    assert report["nodes"] == NUM_NODES
    kith.fails(BAD_INPUT, "train", "g.kith.h5", says="kith prepare --random-split")
