"""kith sweep: runs in processes of their own, resumed, reported, ended."""

import csv
import fcntl
import json
import os
import signal
import subprocess
import time

import pytest

SMALL = ["--layers", 1, "--fanout", 3, "--hidden", 4, "--batch-size", 100, "--device", "cpu"]
TIMED = ("seconds", "rss")
DEADLINE_SECONDS = 100


class Sweep:
    """Runs `kith sweep` on one graph, into one folder."""

    def __init__(self, command, folder, graph):
        self.command = command
        self.folder = folder
        self.graph = graph
        self.output = folder / "sweep"
        self.started = []

    def words(self, *options):
        return [str(word) for word in (self.command, "sweep", *options, self.graph, *SMALL, "-o", self.output)]

    def run(self, *options):
        return subprocess.run(
            self.words(*options), capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
        )

    def ok(self, *options):
        """The names of the runs that were run now."""
        result = self.run(*options)
        assert result.returncode == 0, result.stderr
        lines = [line for line in result.stderr.splitlines() if "test" in line]
        return [line.split()[3] for line in lines if "done before" not in line]

    def start(self, *options):
        process = subprocess.Popen(
            self.words(*options),
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # Where the tests run in the background, the shell may have told them to ignore it.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        self.started.append(process)
        return process

    def rows(self):
        with open(self.output / "results.csv", newline="") as file:
            return list(csv.DictReader(file))

    def reports(self):
        return sorted(path.stem for path in (self.output / "runs").glob("*.json"))

    def children(self):
        """Processes that train into the folder."""
        found = []
        for process in os.listdir("/proc"):
            try:
                with open(f"/proc/{process}/cmdline", "rb") as file:
                    words = file.read().split(b"\0")
            except (FileNotFoundError, NotADirectoryError, PermissionError, ProcessLookupError):
                continue
            if b"train" in words and any(str(self.output).encode() in word for word in words):
                found.append(int(process))
        return found


def generate(command, path, num_nodes):
    words = [command, "generate", "-o", path, "--nodes", num_nodes, "--edges", 6000, "--communities", 6]
    subprocess.run(list(map(str, words)), check=True, capture_output=True)


@pytest.fixture(scope="session")
def graph(command, tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "small.kith.h5"
    generate(command, path, 600)
    return path


@pytest.fixture
def sweep(command, tmp_path, graph):
    sweep = Sweep(command.resolve(), tmp_path, graph)
    yield sweep
    for process in sweep.started:
        process.kill()
    for child in sweep.children():
        os.kill(child, signal.SIGKILL)


def wait_until(is_so, process):
    """Waits while `process` runs, or until it is so."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_so():
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.02)


def timeless(rows):
    return [{key: value for key, value in row.items() if not any(t in key for t in TIMED)} for row in rows]


def test_every_sampler_becomes_a_row(sweep):
    samplers = "random,comm-rand,labor,dependency:8,cluster,full"
    grid = ["--samplers", samplers, "--models", "sage,gcn", "--mix", "0.5,0:1", "--p-intra", 0.9, "--seeds", 1]
    assert len(sweep.ok(*grid, "--epochs", 2, "--schedule", "step")) == 14
    rows = sweep.rows()
    columns = ("sampler", "mix", "p_intra", "dependency")
    assert [tuple(row[name] for name in columns) for row in rows if row["model"] == "gcn"] == [
        ("random", "1", "0.5", "1"),
        ("comm-rand", "0.5", "0.9", "1"),
        ("comm-rand", "0:1", "0.9", "1"),
        ("labor", "1", "0.5", "1"),
        ("dependency", "1", "0.5", "8"),
        ("cluster", "0.5", "0.5", "1"),
        ("full", "1", "0.5", "1"),
    ]
    for row in rows:
        report = json.loads((sweep.output / row["file"]).read_text())
        options, first = report["options"], report["epochs"][0]
        assert (row["graph"], row["model"], row["fanout"]) == ("small", options["model"], "3")
        is_neighbor = row["sampler"] in ("random", "comm-rand", "dependency")
        assert options["sampler"] == ("neighbor" if is_neighbor else row["sampler"])
        assert float(row["test"]) == report["test_accuracy"] and row["hit_rate"] == ""
        assert float(row["cpu_seconds_per_epoch"]) > 0 and first["seconds"]["cpu"] > 0
        assert int(row["peak_rss_bytes"]) == report["peak_rss_bytes"]
    scheduled = [row for row in rows if row["mix"] == "0:1"]
    report = json.loads((sweep.output / scheduled[0]["file"]).read_text())
    assert (report["options"]["schedule"], report["options"]["schedule_epochs"]) == ("step", 2)
    assert "<svg" in (sweep.output / "results.svg").read_text()
    assert not list((sweep.output / "runs").glob("*.log"))


def test_two_jobs_give_the_rows_of_one(sweep, tmp_path):
    grid = ["--mix", "0,1", "--p-intra", "0.5,0.9", "--seeds", 2, "--epochs", 2]
    sweep.ok(*grid)
    one = sweep.rows()
    sweep.output = tmp_path / "two"
    sweep.ok(*grid, "--jobs", 2)
    assert timeless(sweep.rows()) == timeless(one) and len(one) == 8
    assert [row["seed"] for row in one] == ["0"] * 4 + ["1"] * 4


def test_a_finished_run_is_not_run_again(sweep):
    grid = ["--mix", "0,1", "--p-intra", 0.9, "--seeds", 2, "--epochs", 1]
    names = sweep.ok(*grid)
    assert len(names) == 4 and sweep.ok(*grid) == []
    before = (sweep.output / "results.csv").read_text()
    reports = sweep.output / "runs"
    (reports / f"{names[0]}.json").unlink()
    (reports / f"{names[3]}.json").write_text('{"options": {"mo')  # cut off
    assert sweep.ok(*grid) == [names[0], names[3]]
    assert len(sweep.rows()) == 4 and before.count("\n") == 5
    assert len(sweep.ok(*grid, "--samplers", "comm-rand,random")) == 2  # the grid may grow
    assert len(sweep.rows()) == 6


@pytest.mark.parametrize(
    ("options", "says"),
    [(["--epochs", 2], "epochs 1, got 2"), (["--epochs", 1, "--lr", 0.5], "lr 0.003, got 0.5")],
)
def test_a_folder_of_other_options_is_refused(sweep, options, says):
    grid = ["--mix", 0, "--p-intra", 0.9, "--seeds", 1]
    sweep.ok(*grid, "--epochs", 1)
    result = sweep.run(*grid, *options)
    assert result.returncode == 2 and says in result.stderr
    assert result.stderr.startswith("kith sweep: ") and len(result.stderr.splitlines()) == 1


def test_a_folder_of_another_dataset_is_refused(sweep, tmp_path):
    grid = ["--mix", 0, "--p-intra", 0.9, "--seeds", 1, "--epochs", 1]
    sweep.ok(*grid)
    other = tmp_path / "small.kith.h5"
    generate(sweep.command, other, 700)
    sweep.graph = other
    result = sweep.run(*grid)
    assert result.returncode == 2 and "another dataset small" in result.stderr


def test_a_run_that_fails_is_named_and_the_others_go_on(sweep):
    # Only the sampler neighbor draws with replacement.
    grid = ["--samplers", "labor,full,random", "--replace", "--seeds", 1, "--epochs", 1, "--jobs", 2]
    result = sweep.run(*grid)
    assert result.returncode == 2 and result.stdout == ""
    failed = [line for line in result.stderr.splitlines() if line.startswith("failed: ")]
    assert len(failed) == 2
    assert any("small_sage_labor_seed0: exit code 2: kith train: " in line for line in failed)
    assert all("replacement" in line for line in failed)
    assert result.stderr.splitlines()[-1].startswith("kith sweep: 2 of 3 runs failed")
    assert [row["sampler"] for row in sweep.rows()] == ["random"]
    assert (sweep.output / "runs" / "small_sage_full_seed0.log").exists()


def test_a_run_that_is_killed_is_named_and_run_again(sweep):
    grid = ["--mix", 1, "--p-intra", 0.5, "--seeds", 2, "--patience", 0]
    process = sweep.start(*grid, "--epochs", 100_000)
    wait_until(sweep.children, process)
    os.kill(sweep.children()[0], signal.SIGKILL)
    wait_until(lambda: any("seed1" in str(path) for path in (sweep.output / "runs").iterdir()), process)
    wait_until(sweep.children, process)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == -signal.SIGTERM
    assert "failed: small_sage_comm-rand_mix1_p0.5_seed0: ended by signal 9 (Killed)" in errors
    assert sweep.children() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_ends_its_runs_and_goes_on_later(sweep, number):
    grid = ["--samplers", "random", "--seeds", 3, "--epochs", 1500, "--patience", 0]
    process = sweep.start(*grid, "--jobs", 2)
    wait_until(lambda: len(sweep.children()) == 2, process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert process.returncode == -number and "the same command goes on" in errors
    assert sweep.children() == []


def test_a_killed_sweep_resumes(sweep):
    grid = ["--samplers", "random", "--seeds", 3, "--epochs", 60, "--patience", 0]
    process = sweep.start(*grid)
    wait_until(lambda: len(sweep.reports()) > 0, process)
    process.kill()
    process.communicate(timeout=DEADLINE_SECONDS)
    with open(sweep.output / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # free once the run that was left behind is done
    done = sweep.reports()
    assert 0 < len(done) <= 3
    assert not set(sweep.ok(*grid)) & set(done)
    assert [row["seed"] for row in sweep.rows()] == ["0", "1", "2"]


def test_a_folder_where_a_sweep_is_at_work_is_refused(sweep):
    grid = ["--samplers", "random", "--seeds", 1, "--epochs", 100_000, "--patience", 0]
    process = sweep.start(*grid)
    wait_until(sweep.children, process)
    result = sweep.run(*grid)
    assert result.returncode == 2 and "is at work in this folder" in result.stderr
    process.kill()
    process.communicate(timeout=DEADLINE_SECONDS)
    result = sweep.run(*grid)  # the run itself goes on
    assert result.returncode == 2 and "left behind" in result.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["--mix", "0,1.5"],
        ["--mix", "0:"],
        ["--p-intra", 0.3],
        ["--samplers", "neighbor"],
        ["--models", "mlp"],
        ["--seeds", 0],
        ["--jobs", 0],
        ["--batch-order", "random"],
    ],
    ids=lambda options: " ".join(map(str, options)),
)
def test_bad_options_are_refused_before_any_run(sweep, options):
    result = sweep.run(*options)
    assert result.returncode == 2 and len(result.stderr.splitlines()) == 1
    assert not sweep.output.exists()


def test_a_dataset_that_cannot_be_read_is_refused(sweep, tmp_path):
    sweep.graph = tmp_path / "none.kith.h5"
    result = sweep.run("--seeds", 1)
    assert result.returncode == 2 and "none.kith.h5" in result.stderr and not sweep.output.exists()
