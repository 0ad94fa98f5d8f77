"""bench/peers/sampling.py: that unequal work gives no figures, and a run on a tiny graph."""

import json
import os
import subprocess
import sys
from pathlib import Path

import kith
import numpy as np
import pytest

PEERS = Path(__file__).resolve().parents[2] / "bench" / "peers"
sys.path.insert(0, str(PEERS))

import sampling  # noqa: E402


def work(**nodes):
    counts = {"Kith engine": {"edges": 10_000, "nodes": 5_000}}
    counts["pyg-lib operator"] = {"edges": 10_000, "nodes": 5_000} | nodes
    return counts


def test_equal_work_passes_and_unequal_work_is_named():
    assert sampling.check_equal_work(work(edges=10_099, nodes=4_951)) == []
    (problem,) = sampling.check_equal_work(work(edges=10_101))
    assert "pyg-lib operator: 10,101 edges" in problem
    (problem,) = sampling.check_equal_work(work(nodes=4_940))
    assert "4,940 nodes" in problem


def test_unequal_work_ends_with_exit_code_1_and_no_figures(monkeypatch, capsys, tmp_path):
    part = {"versions": {}, "graph": {}, "results": [{"rows": [], "problems": ["a: 1 edges, b: 2"]}]}
    monkeypatch.setattr(sampling, "start_child", lambda threads, arguments: part)
    output = tmp_path / "out.json"
    assert sampling.main(["graph.kith.h5", "-o", str(output)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "a: 1 edges, b: 2" in captured.err
    assert not output.exists()


def test_contenders_agree_on_a_small_graph(data, tmp_path):
    """Runs whatever of the peers is installed. All neighbours are taken, so that the counts are equal."""
    pytest.importorskip("h5py")
    pytest.importorskip("torch_geometric")
    file = tmp_path / "tiny.kith.h5"
    data.save(file)
    arguments = [str(file), "--fanouts=-1,-1", "--threads", "1", "--batch-size", "64", "--batches", "2"]
    arguments += ["--repetitions", "2", "--scratch", str(tmp_path), "-o", str(tmp_path / "out.json")]
    environment = {"PYTHONPATH": str(Path(kith.__file__).parents[1])}
    command = [sys.executable, str(PEERS / "sampling.py"), *arguments]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out.json").read_text())["rows"]
    assert [row["contender"] for row in rows][-2:] == ["Kith engine", "Kith loader"]
    assert all(np.isfinite(row["edges_per_second"]["median"]) for row in rows)
    assert all(0 < row["cpu_share"]["median"] < 1.1 for row in rows)
