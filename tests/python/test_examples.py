"""The example scripts run as documented, on a small generated graph."""

import json
import runpy
import sys
import warnings

import pytest
from conftest import ROOT


@pytest.mark.parametrize("model", ["sage", "gcn", "gat"])
def test_pyg_model_learns(data, tmp_path, monkeypatch, capsys, model):
    pytest.importorskip("torch", reason="the example needs torch, which is not installed")
    path = tmp_path / "small.kith.h5"
    data.save(str(path))
    arguments = [str(path), "--model", model, "--epochs", "6", "--batch-size", "32"]
    monkeypatch.setattr(sys, "argv", ["pyg_model.py", *arguments])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        runpy.run_path(str(ROOT / "python" / "examples" / "pyg_model.py"), run_name="__main__")
    *epochs, last = map(json.loads, capsys.readouterr().out.splitlines())
    assert [epoch["epoch"] for epoch in epochs] == list(range(6))
    assert epochs[-1]["loss"] < 0.8 * epochs[0]["loss"]
    assert last["test_accuracy"] > 0.6  # one in four by chance
