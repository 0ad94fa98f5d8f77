"""The examples run as their users run them, small."""

import csv
import json
import re
import subprocess
import sys

import kith
import numpy as np
import pytest
from conftest import ROOT, kith_environment

FOLDER = ROOT / "python" / "examples"
TIMEOUT_SECONDS = 300


def run(name, *arguments, folder):
    """The output lines of an example."""
    command = [sys.executable, str(FOLDER / name), *map(str, arguments)]
    result = subprocess.run(
        command, env=kith_environment(), cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_SECONDS
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def accuracy_in(lines):
    return next(float(match[1]) for line in lines if (match := re.match(r"test accuracy (.*)", line)))


def test_every_example_is_tested():
    tested = {name for name in re.findall(r'run\("(\w+\.py)"', open(__file__).read())}
    assert {path.name for path in FOLDER.glob("*.py")} == tested | {"ddp.py"}  # test_distributed.py


def test_numpy_loop(tmp_path, data):
    assert accuracy_in(run("numpy_loop.py", folder=tmp_path)) > 0.8  # one in four by chance
    path = tmp_path / "graph.kith.h5"
    data.save(path)
    assert accuracy_in(run("numpy_loop.py", path, "--epochs", 3, folder=tmp_path)) > 0.5


def test_pyg_sage(tmp_path):
    pytest.importorskip("torch_geometric")
    lines = run("pyg_sage.py", "--epochs", 4, folder=tmp_path)
    assert accuracy_in(lines) > 0.5
    losses = [float(re.search(r"loss ([\d.]+)", line)[1]) for line in lines if "loss" in line]
    assert len(losses) == 4 and losses[-1] < losses[0]


@pytest.mark.parametrize("model", ["sage", "gcn", "gat"])
def test_pyg_model(tmp_path, data, model):
    pytest.importorskip("torch", reason="the example needs torch, which is not installed")
    data.save(tmp_path / "small.kith.h5")
    options = ["--model", model, "--epochs", 6, "--batch-size", 32]
    *epochs, last = map(json.loads, run("pyg_model.py", "small.kith.h5", *options, folder=tmp_path))
    assert [epoch["epoch"] for epoch in epochs] == list(range(6))
    assert epochs[-1]["loss"] < 0.8 * epochs[0]["loss"]
    assert last["test_accuracy"] > 0.6  # one in four by chance


def test_own_graph_pandas(tmp_path):
    pytest.importorskip("pandas")
    lines = run("own_graph_pandas.py", "-o", "graph.kith.h5", folder=tmp_path)
    assert accuracy_in(lines) > 0.7  # one in two by chance
    read = kith.Dataset.open(tmp_path / "graph.kith.h5")
    assert (read.num_nodes, read.num_classes, read.num_features) == (1500, 2, 2) and (read.y == -1).any()


def test_own_graph_pandas_reads_tables(tmp_path):
    pytest.importorskip("pandas")
    (tmp_path / "edges.csv").write_text("source,target\na,b\nb,c\nc,d\nd,e\n")
    rows = "".join(f"{name},{label},{i}\n" for i, (name, label) in enumerate(zip("abcdef", "uvuvu")))
    (tmp_path / "nodes.csv").write_text("name,label,size\n" + rows + "f,,9\n")
    run("own_graph_pandas.py", "edges.csv", "nodes.csv", "-o", "g.kith.h5", "--epochs", 1, folder=tmp_path)
    read = kith.Dataset.open(tmp_path / "g.kith.h5")
    assert read.num_nodes == 6 and np.count_nonzero(read.y == -1) == 1
    edges = set(map(tuple, read.original_id[read.edge_index].T.tolist()))
    assert edges == {(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2), (3, 4), (4, 3)}


def test_sweep_plot(tmp_path, data):
    data.save(tmp_path / "graph.kith.h5")
    options = ["--mix", "0,1", "--p-intra", "0.5,0.9", "--fanout", "4,4", "--batch-size", 32, "--epochs", 2]
    rows = list(csv.DictReader(run("sweep_plot.py", "graph.kith.h5", *options, folder=tmp_path)))
    knobs = {(float(row["mix"]), float(row["p_intra"])) for row in rows}
    assert len(rows) == 4 and knobs == {(m, p) for m in (0, 1) for p in (0.5, 0.9)}
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        assert not (tmp_path / "sweep.png").exists()
    else:
        assert (tmp_path / "sweep.png").read_bytes().startswith(b"\x89PNG")
