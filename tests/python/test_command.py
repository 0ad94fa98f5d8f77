"""The kith command on bad input: one clear line, the right exit code, and nothing left behind."""

import json
import os
import resource
import subprocess

import numpy as np
import pytest

USAGE, BAD_INPUT, ENVIRONMENT = 1, 2, 3
TIMEOUT_SECONDS = 120


class Kith:
    """Runs the command in a folder of its own."""

    def __init__(self, command, folder):
        self.command = command
        self.folder = folder

    def run(self, *arguments, **options):
        environment = {**os.environ, "XDG_CACHE_HOME": str(self.folder.parent / "cache")}
        return subprocess.run(
            [str(self.command), *map(str, arguments)],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            **options,
        )

    def ok(self, *arguments):
        result = self.run(*arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def names(self):
        return sorted(path.name for path in self.folder.iterdir())

    def fails(self, code, *arguments, says="", **options):
        """Runs and expects `code`, one error line at the end of stderr, no output, and the folder as it was."""
        before = {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
        result = self.run(*arguments, **options)
        assert result.returncode == code, result.stderr
        assert result.stdout == ""
        lines = result.stderr.splitlines()
        assert lines and lines[-1].startswith("kith"), result.stderr
        assert says in lines[-1], result.stderr
        # Progress may stand above the error; the error itself is the one line after it.
        progress = (
            "opening",
            "reading",
            "finding",
            "partition",
            "renumbering",
            "writing",
            "drawing",
            "no partition",
        )
        for line in lines[:-1]:
            assert line.split(": ", 1)[-1].startswith(progress), result.stderr
        after = {path.name: path.read_bytes() for path in self.folder.iterdir() if path.is_file()}
        assert after == before
        return lines[-1]


def write_npz(path, **changes):
    """Two triangles joined by an edge, with features, labels and masks; None leaves an entry out."""
    mask = np.array([1, 0, 0, 1, 0, 0], bool)
    entries = {
        "edge_index": np.array([[0, 0, 1, 2, 3, 3, 4], [1, 2, 2, 3, 4, 5, 5]], np.int32),
        "x": np.arange(12, dtype=np.float32).reshape(6, 2),
        "y": np.array([0, 0, 0, 1, 1, 1], np.int16),
        "train_mask": mask,
        "val_mask": np.roll(mask, 1),
        "test_mask": np.roll(mask, 2),
    } | changes
    np.savez(path, **{key: value for key, value in entries.items() if value is not None})


@pytest.fixture
def kith(command, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    return Kith(command.resolve(), folder)


@pytest.fixture(scope="session")
def generated(command, tmp_path_factory):
    path = tmp_path_factory.mktemp("generated") / "small.kith.h5"
    arguments = ["generate", "-o", path, "--nodes", 600, "--edges", 6000, "--communities", 6, "--features", 8]
    subprocess.run([str(command.resolve()), *map(str, arguments)], check=True, capture_output=True)
    return path


@pytest.fixture
def small(generated, kith):
    """A fresh copy of a good dataset, in the folder where the command runs."""
    path = kith.folder / "small.kith.h5"
    path.write_bytes(generated.read_bytes())
    return path


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)


# --- what works


def test_help_of_every_command_shows_an_example(kith):
    for command in ("prepare", "generate", "info", "train", "predict", "sweep"):
        text = kith.ok(command, "--help")
        assert "Example" in text and f"kith {command}" in text


def test_version_is_said(kith):
    assert kith.ok("--version").startswith("kith ")


def test_prepare_then_info_then_train(kith):
    write_npz(kith.folder / "g.npz")
    report = json.loads(kith.ok("prepare", "g.npz", "-o", "g.kith.h5", "--communities", 2, "--json", "-"))
    assert (report["nodes"], report["edges"], report["edges_added"]) == (6, 14, 7)
    assert json.loads(kith.ok("info", "g.kith.h5", "--verify", "--json", "-"))["nodes"] == 6
    arguments = [
        "--layers",
        1,
        "--fanout",
        2,
        "--epochs",
        2,
        "--batch-size",
        2,
        "--hidden",
        4,
        "--device",
        "cpu",
    ]
    assert "test" in kith.ok("train", "g.kith.h5", *arguments)
    assert kith.names() == ["g.kith.h5", "g.npz"]


def test_generated_json_says_what_was_asked_for(kith):
    report = json.loads(
        kith.ok("generate", "-o", "g", "--nodes", 300, "--edges", 3000, "--communities", 4, "--json", "-")
    )
    assert (report["nodes"], report["edges"]) == (300, 3000)
    assert report["levels"][0]["intra_edge_fraction"] == pytest.approx(0.85, abs=0.01)


def test_a_cache_that_cannot_be_had_does_not_stop_the_run(kith):
    write_npz(kith.folder / "g.npz")
    (kith.folder / "file").write_text("in the way")
    kith.ok("prepare", "g.npz", "-o", "g.kith.h5", "--partition-cache", "file/cache")


# --- usage


@pytest.mark.parametrize(
    "arguments",
    [[], ["nonsense"], ["prepare"], ["info", "x", "--nonsense"], ["generate", "-o", "x", "--nodes", "many"]],
)
def test_a_command_line_that_cannot_be_read_points_to_help(kith, arguments):
    assert "--help" in kith.fails(USAGE, *arguments)


# --- prepare


def test_prepare_refuses_a_missing_source(kith):
    kith.fails(BAD_INPUT, "prepare", "none.npz", "-o", "g.kith.h5", says="none.npz")


@pytest.mark.parametrize("format", ["npz", "ogb", "planetoid", "edgelist", "metis", "mtx", "kith"])
def test_prepare_refuses_a_source_of_another_format(kith, format):
    (kith.folder / "noise").write_bytes(bytes(range(256)) * 8)
    kith.fails(BAD_INPUT, "prepare", "noise", "--from", format, "-o", "g.kith.h5")


@pytest.mark.parametrize(
    "changes",
    [
        {"edge_index": np.array([[0, 1], [1, 6]], np.int32)},
        {"edge_index": np.array([[0, -1], [1, 2]], np.int32)},
        {"x": np.array([[0, 1]] * 5 + [[0, np.nan]], np.float32)},
        {"x": np.array([[0, 1]] * 5 + [[0, np.inf]], np.float32)},
        {"x": np.zeros((5, 2), np.float32)},
        {"y": np.zeros(5, np.int16)},
        {"y": np.zeros(7, np.int16)},
        {"train_mask": np.zeros(5, bool)},
        {"edge_index": None},
    ],
    ids=["id", "negative_id", "nan", "inf", "rows", "too_few_labels", "too_many_labels", "mask", "no_edges"],
)
def test_prepare_refuses_arrays_that_do_not_fit(kith, changes):
    write_npz(kith.folder / "g.npz", **changes)
    kith.fails(BAD_INPUT, "prepare", "g.npz", "-o", "g.kith.h5")


def test_prepare_refuses_a_truncated_npz(kith):
    write_npz(kith.folder / "g.npz")
    content = (kith.folder / "g.npz").read_bytes()
    (kith.folder / "g.npz").write_bytes(content[: len(content) // 2])
    kith.fails(BAD_INPUT, "prepare", "g.npz", "-o", "g.kith.h5")


@pytest.mark.parametrize(
    "options",
    [
        ["--communities", -1],
        ["--communities", 7],
        ["--community-size", 0],
        ["--levels", 0],
        ["--imbalance", -1],
        ["--method", "magic"],
        ["--from", "magic"],
        ["--feature-dtype", "f8"],
        ["--normalize-features", "columns"],
        ["--communities-from", "none.txt"],
    ],
)
def test_prepare_refuses_options_out_of_range(kith, options):
    write_npz(kith.folder / "g.npz")
    kith.fails(BAD_INPUT, "prepare", "g.npz", "-o", "g.kith.h5", *options)


def test_a_failed_prepare_keeps_the_file_that_stood_there(kith, small):
    write_npz(kith.folder / "g.npz")
    kith.fails(BAD_INPUT, "prepare", "g.npz", "-o", small.name, "--communities", 7)


# --- generate


@pytest.mark.parametrize(
    "options", [["--edges", 7], ["--intra", 2], ["--classes", 0], ["--communities", 101], ["--edges", 10**6]]
)
def test_generate_refuses_options_out_of_range(kith, options):
    arguments = {"--nodes": 100, "--edges": 600} | dict([options])
    flat = [word for pair in arguments.items() for word in pair]
    kith.fails(BAD_INPUT, "generate", "-o", "g.kith.h5", *flat)


# --- output


COMMANDS_THAT_WRITE = {
    "prepare": ["prepare", "g.npz", "-o"],
    "generate": ["generate", "--nodes", 100, "--edges", 600, "-o"],
}


@pytest.mark.parametrize("name", COMMANDS_THAT_WRITE)
def test_an_output_that_cannot_be_written_is_refused(kith, name):
    write_npz(kith.folder / "g.npz")
    kith.fails(BAD_INPUT, *COMMANDS_THAT_WRITE[name], "no_folder/g.kith.h5", says="no_folder")
    (kith.folder / "taken").mkdir()
    kith.fails(BAD_INPUT, *COMMANDS_THAT_WRITE[name], "taken", says="taken")
    assert kith.names() == ["g.npz", "taken"]


@pytest.mark.parametrize("name", COMMANDS_THAT_WRITE)
@pytest.mark.parametrize("limit", [0, 1000, 20_000])
def test_a_full_disk_is_said_and_leaves_nothing(kith, name, limit):
    # A limit on the size of a file is the full disk that needs no privileges.
    write_npz(kith.folder / "g.npz", x=np.ones((6, 4000), np.float32))
    extra = ["--features", 200] if name == "generate" else []
    kith.fails(
        ENVIRONMENT,
        *COMMANDS_THAT_WRITE[name],
        "g.kith.h5",
        *extra,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


def test_a_json_report_that_cannot_be_written_is_refused(kith, small):
    kith.fails(BAD_INPUT, "info", small.name, "--json", "no_folder/i.json", says="no_folder")


# --- damaged datasets


@pytest.mark.parametrize("reader", ["info", "train"])
def test_a_missing_dataset_is_refused(kith, reader):
    kith.fails(BAD_INPUT, reader, "none.kith.h5", says="none.kith.h5")


@pytest.mark.parametrize("reader", ["info", "train"])
def test_a_file_of_another_format_is_refused(kith, reader):
    (kith.folder / "text").write_text("not a dataset\n" * 100)
    kith.fails(BAD_INPUT, reader, "text", says="text")


@pytest.mark.parametrize("reader", ["info", "train"])
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_dataset_is_refused(kith, small, reader, share):
    content = small.read_bytes()
    small.write_bytes(content[: int(share * len(content))])
    kith.fails(BAD_INPUT, reader, small.name, says=small.name)


def test_verify_finds_a_flipped_byte_in_any_array(kith, small, generated):
    h5py = pytest.importorskip("h5py")
    places = []
    with h5py.File(generated) as file:
        file.visititems(
            lambda _, item: (
                places.append((item.id.get_offset(), item.id.get_storage_size()))
                if isinstance(item, h5py.Dataset)
                else None
            )
        )
    places = [(offset, size) for offset, size in places if offset is not None and size > 0]
    assert len(places) >= 8
    for offset, size in places:
        small.write_bytes(generated.read_bytes())
        flip(small, offset + size // 2)
        kith.fails(BAD_INPUT, "info", small.name, "--verify", says=small.name)


def change(path, name, index, value):
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "r+") as file:
        file[name][index] = value


@pytest.mark.parametrize("reader", ["info", "train"])
@pytest.mark.parametrize(
    ("name", "value"),
    [("graph/neighbors", 600), ("graph/neighbors", -1), ("nodes/label", 99), ("split/train", 600)],
)
def test_ids_out_of_range_are_refused(kith, small, reader, name, value):
    change(small, name, 0, value)
    kith.fails(BAD_INPUT, reader, small.name, says=small.name)


@pytest.mark.parametrize("reader", ["info", "train"])
def test_another_format_version_is_refused(kith, small, reader):
    h5py = pytest.importorskip("h5py")
    with h5py.File(small, "r+") as file:
        file.attrs.modify("format_version", np.array(file.attrs["format_version"] + 1, np.int32))
    kith.fails(BAD_INPUT, reader, small.name, says="version")


@pytest.mark.parametrize("reader", ["info", "train"])
def test_a_label_count_that_does_not_fit_is_refused(kith, small, reader):
    h5py = pytest.importorskip("h5py")
    with h5py.File(small, "r+") as file:
        labels = file["nodes/label"][:-1]
        del file["nodes/label"]
        file["nodes/label"] = labels
    kith.fails(BAD_INPUT, reader, small.name, says="label")


def test_nan_features_are_refused_before_training(kith, small):
    change(small, "features", (3, 2), np.nan)
    kith.fails(BAD_INPUT, "train", small.name, says=small.name)
    kith.fails(BAD_INPUT, "info", small.name, "--verify", says=small.name)


# --- train


@pytest.mark.parametrize(
    "options",
    [
        ["--fanout", "-5,3", "--layers", 2],
        ["--fanout", "-2", "--layers", 1],
        ["--fanout", "3000000000", "--layers", 1],
        ["--fanout", ",".join(["2"] * 200), "--layers", 3],
        ["--fanout", "5,x", "--layers", 2],
        ["--fanout", "5,", "--layers", 2],
        ["--fanout", "10,5", "--layers", 3],
        ["--layers", 0],
        ["--mix", -0.1],
        ["--mix", 1.5],
        ["--mix", "nan"],
        ["--p-intra", 0.4],
        ["--p-intra", 1.1],
        ["--mix", "0:2"],
        ["--mix", "0:0.5", "--epochs", 1],
        ["--mix", "0:0.5", "--group", 4],
        ["--p-intra", "0.4:1"],
        ["--level", 9],
        ["--batch-order", "window:0"],
        ["--batch-size", 0],
        ["--model", "magic"],
        ["--device", "magic"],
        ["--resume"],
        ["--checkpoint-every", 5],
        ["--checkpoint", "run", "--checkpoint-every", 0],
        ["--checkpoint", "run", "--checkpoint-every", "5m"],
        ["--checkpoint", "run", "--checkpoint-every", "-1s"],
        ["--checkpoint", "run", "--checkpoint-keep", 0],
        ["--checkpoint", "small.kith.h5"],
    ],
    ids=lambda options: " ".join(map(str, options))[:40],
)
def test_train_refuses_options_out_of_range(kith, small, options):
    kith.fails(BAD_INPUT, "train", small.name, *options)


def test_train_refuses_a_report_that_cannot_be_written(kith, small):
    result = kith.run(
        "train", small.name, "--layers", 1, "--fanout", 2, "--epochs", 1, "--json", "no_folder/r.json"
    )
    assert result.returncode == BAD_INPUT
    assert "no_folder" in result.stderr.splitlines()[-1]
    assert kith.names() == [small.name]


SHORT_RUN = ["--layers", 1, "--fanout", 2, "--hidden", 4, "--epochs", 1, "--device", "cpu"]


def test_a_diverging_run_names_the_batch_and_some_nodes(kith, small):
    result = kith.run("train", small.name, *SHORT_RUN, "--batch-size", 8, "--lr", 1e38)
    assert result.returncode == BAD_INPUT
    line = result.stderr.splitlines()[-1]
    assert "not finite any more in epoch 0, batch " in line and "(nodes " in line


# --- predict


@pytest.fixture
def trained(kith, small):
    kith.ok("train", small.name, *SHORT_RUN, "--checkpoint", "run")
    return small


def test_predictions_have_a_row_for_every_node_of_the_source(kith, trained):
    kith.ok("predict", trained.name, "--checkpoint", "run", "-o", "c.npy")
    kith.ok("predict", trained.name, "--checkpoint", "run", "-o", "l.npy", "--logits")
    classes, logits = np.load(kith.folder / "c.npy"), np.load(kith.folder / "l.npy")
    assert (classes.dtype, classes.shape) == (np.int32, (600,))
    assert (logits.dtype, logits.shape[0]) == (np.float32, 600)
    assert np.array_equal(classes, logits.argmax(axis=1))
    kith.ok("predict", trained.name, "--checkpoint", "run", "-o", "t.npy", "--split", "test")
    test = np.load(kith.folder / "t.npy")
    assert 0 < np.count_nonzero(test >= 0) < 600
    assert np.array_equal(test[test >= 0], classes[test >= 0])


@pytest.mark.parametrize(
    "options",
    [
        ["--checkpoint", "none", "-o", "p.npy"],
        ["--checkpoint", "run", "-o", "p.npy", "--split", "magic"],
        ["--checkpoint", "run", "-o", "no_folder/p.npy"],
        ["--checkpoint", "run", "-o", "p.npy", "--device", "magic"],
    ],
)
def test_predict_refuses_what_cannot_be_done(kith, trained, options):
    kith.fails(BAD_INPUT, "predict", trained.name, *options)


def test_predict_refuses_a_dataset_that_does_not_fit(kith, trained):
    kith.ok(
        "generate",
        "-o",
        "g",
        "--nodes",
        300,
        "--edges",
        3000,
        "--communities",
        4,
        "--features",
        9,
        "--classes",
        4,
    )
    kith.fails(BAD_INPUT, "predict", "g", "--checkpoint", "run", "-o", "p.npy", says="features, got 9")


def test_a_machine_without_a_gpu_says_so(kith, small):
    if "cuda" in kith_devices():
        pytest.skip("this machine has a CUDA device")
    kith.fails(ENVIRONMENT, "train", small, "--device", "cuda", says="--device cuda: no CUDA device (")


@pytest.mark.parametrize("option", ["--tf32", "--cusparse"])
def test_what_only_a_gpu_has_is_refused_on_the_cpu(kith, small, option):
    kith.fails(BAD_INPUT, "train", small, "--device", "cpu", option, says=f"{option}: expected --device cuda")


def kith_devices():
    import kith as package

    return package.available_devices()
