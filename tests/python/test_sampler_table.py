"""bench/sampler_table.py: its rows on a tiny graph, and that counts which cannot be give no table."""

import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import sampler_table  # noqa: E402


@pytest.fixture
def file(data, tmp_path):
    path = tmp_path / "tiny.kith.h5"
    data.save(path)
    return path


def run_table(file, folder):
    arguments = [str(file), "--fanouts", "3,2", "--batch-size", "32", "--batches", "1", "--repetitions", "2"]
    return sampler_table.main([*arguments, "-o", str(folder)])


def test_the_table_has_every_row_and_its_means(file, tmp_path, capsys):
    assert run_table(file, tmp_path) == 0
    report = json.loads((tmp_path / "sampler_table.json").read_text())
    assert [row["options"] for row in report["rows"]] == sampler_table.ROWS
    assert {"processor", "cores", "load_average", "commit"} <= report["machine"].keys()
    table = (tmp_path / "sampler_table.md").read_text()
    assert table == capsys.readouterr().out
    assert len(table.splitlines()) == 2 + len(sampler_table.ROWS)
    by_name = {sampler_table.name_of(row["options"]): row for row in report["rows"]}
    uniform, structured = by_name["mix 1, p_intra 0.5"], by_name["mix 0, p_intra 1"]
    assert structured["communities"] < uniform["communities"]
    assert structured["input_nodes"] < uniform["input_nodes"]
    for row in report["rows"]:
        low, high = row["ms_range"]
        assert 0 < low <= row["ms"] <= high
        assert row["batches"] == 2


def test_the_table_refuses_counts_that_cannot_be():
    result = {"options": {"mix": 1}, "roots": 2.0, "edges": 9.0, "input_nodes": 11.0}
    sampler_table.check([result])
    for input_nodes in (11.5, 1.5):
        with pytest.raises(ValueError, match="mix 1: .* input nodes cannot be"):
            sampler_table.check([result | {"input_nodes": input_nodes}])


def test_a_graph_with_too_few_roots_is_an_error(file, tmp_path):
    with pytest.raises(ValueError, match="too small for one full batch of mix 0"):
        sampler_table.main([str(file), "-o", str(tmp_path)])
