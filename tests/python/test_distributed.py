"""Several processes on one machine, over gloo."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, kith_environment

needs_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")


def torchrun(num_ranks, *command):
    """Output of the command on so many ranks."""
    environment = kith_environment() | {"OMP_NUM_THREADS": "1"}
    run = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(num_ranks)]
    run += map(str, command)
    done = subprocess.run(run, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


def on_ranks(num_ranks, test, folder):
    torchrun(num_ranks, ROOT / "tests" / "python" / "distributed_worker.py", test, folder)
    results = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(num_ranks)]
    for result in results:
        # A thread of gloo that lives when the interpreter ends may abort the process.
        before, after = result["gloo_threads"]
        assert before > 0 and after == 0
    return results


@needs_torch
def test_partitioned_features_bring_every_row(tmp_path):
    for result in on_ranks(3, "features", tmp_path):
        assert result["same"] == [True, True, True]
        assert result["before"]["remote"] > 250 and result["before"]["replicated"] == 0
        assert sum(result["before"].values()) == 500
        # Everything that was asked for is replicated, so the second time nothing crosses.
        assert result["after"]["remote"] == result["before"]["remote"]
        assert result["after"]["replicated"] == result["before"]["remote"]
        assert result["bytes_before"] >= result["before"]["remote"] * 32 * 4
        assert result["bytes_after"] == 0
        assert all(bound % 100 == 0 for bound in result["bounds"]), "communities of 100 nodes stay whole"


@needs_torch
def test_gradients_are_those_of_one_process(tmp_path):
    for result in on_ranks(2, "gradients", tmp_path):
        assert result["worst"] < 1e-5


@needs_torch
def test_structured_batches_at_least_halve_the_traffic_of_four_ranks(tmp_path):
    results = on_ranks(4, "traffic", tmp_path)
    random, structured = (sum(r[name] for r in results) for name in ("random", "structured"))
    assert 2 * structured <= random


@needs_torch
@pytest.mark.parametrize("options", [[], ["--partition"]], ids=["whole", "partitioned"])
def test_the_ddp_example_learns(options):
    output = torchrun(2, ROOT / "python" / "examples" / "ddp.py", "--epochs", "12", *options)
    lines = [line for line in output.splitlines() if line.startswith("epoch")]
    accuracy = [float(line.rsplit(" ", 1)[1]) for line in lines]
    assert len(accuracy) == 12 and "1200 roots" in lines[0]
    assert accuracy[-1] > 0.85  # one in five by chance
    assert accuracy[0] < 0.5
    assert ("bytes received" in output) == bool(options)


@needs_torch
def test_parts_are_whole_communities_of_about_equal_size():
    from kith.distributed import split_communities

    offsets = np.array([0, 10, 40, 45, 100])
    assert split_communities(offsets, 2).tolist() == [0, 45, 100]
    assert split_communities(offsets, 1).tolist() == [0, 100]
    assert split_communities([0, 5], 3).tolist() == [0, 0, 5, 5]
