"""The kith command on data at the edges and strange names: an answer or one clear line."""

import json
import os

import numpy as np
import pytest
from test_command import BAD_INPUT, change, generated, kith, small, write_npz  # noqa: F401

TRAIN = "--layers 2 --fanout 2,2 --epochs 2 --batch-size 2 --hidden 4 --device cpu".split()
MODELS = ("sage", "gcn", "gat", "gin")

ONE_NODE = {"x": np.ones((1, 2), np.float32), "y": np.zeros(1, np.int16)} | {
    f"{name}_mask": np.ones(1, bool) for name in ("train", "val", "test")
}
TRAINABLE = {
    "a class without members": {"y": np.array([0, 0, 0, 5, 5, 5], np.int16)},
    "one class": {"y": np.zeros(6, np.int16)},
    "no edges": {"edge_index": np.zeros((2, 0), np.int32)},
    "one node": {"edge_index": np.zeros((2, 0), np.int32), **ONE_NODE},
    "one node and its loop": {"edge_index": np.zeros((2, 1), np.int32), **ONE_NODE},
    "no validation nodes": {"val_mask": None, "test_mask": None},
    "unlabelled among the training nodes": {"y": np.array([-1, 0, 0, 1, 1, 1], np.int16)},
}
NOT_TRAINABLE = {
    "no labels": ({"y": np.full(6, -1, np.int16)}, "no labels"),
    "no label in training": ({"y": np.array([-1, 0, 0, -1, 1, 1], np.int16)}, "none of the 2 training nodes"),
    "no training nodes": ({"train_mask": None}, "no training nodes"),
    "no features": ({"x": None}, "no features"),
    "no nodes": (
        {"edge_index": np.zeros((2, 0), np.int32), "x": np.ones((0, 2), np.float32), "y": np.zeros(0, np.int16)}
        | dict.fromkeys(["train_mask", "val_mask", "test_mask"]),
        "no training nodes",
    ),
}


def prepare(kith, changes):  # noqa: F811
    write_npz(kith.folder / "g.npz", **changes)
    kith.ok("prepare", "g.npz", "-o", "g.kith.h5", "--partition-cache", "none")
    kith.ok("info", "g.kith.h5", "--verify")


@pytest.mark.parametrize("name", TRAINABLE)
def test_graphs_at_the_edges_train(kith, name):  # noqa: F811
    prepare(kith, TRAINABLE[name])
    for model in MODELS:
        report = json.loads(kith.ok("train", "g.kith.h5", *TRAIN, "--model", model, "--json", "-"))
        assert all(np.isfinite(epoch["train_loss"]) for epoch in report["epochs"])


@pytest.mark.parametrize("name", NOT_TRAINABLE)
def test_what_cannot_be_learned_from_is_refused(kith, name):  # noqa: F811
    changes, says = NOT_TRAINABLE[name]
    prepare(kith, changes)
    kith.fails(BAD_INPUT, "train", "g.kith.h5", *TRAIN, says=says)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite_are_refused_with_their_node(kith, small, value):  # noqa: F811
    change(small, "features", (3, 2), value)
    kith.fails(BAD_INPUT, "train", small.name, *TRAIN, says="node 3 ")


def test_a_name_of_any_bytes_is_shown_in_one_line_and_as_json(kith, small):  # noqa: F811
    name = b"a\n\x1b[2J\xff.kith.h5"
    os.symlink(os.fsencode(small), os.path.join(os.fsencode(kith.folder), name))
    result = kith.run("info", name.decode(errors="surrogateescape"), "--json", "-")
    assert result.returncode == 0 and json.loads(result.stdout)["nodes"] == 600
    kith.fails(BAD_INPUT, "info", "none\n\x1b[2J", says="none??[2J")
