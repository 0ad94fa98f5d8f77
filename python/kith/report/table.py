"""Reads what `kith sweep` leaves: results.csv and the history of every run that it names."""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

RANDOM = "random"
# Samplers that draw no neighbours, so that their fanout says nothing.
WITHOUT_FANOUT = ("cluster", "full")


@dataclass(frozen=True)
class Setting:
    """What a configuration shares with the random batches that it is compared with."""

    graph: str
    model: str
    device: str
    fanout: str
    batch_size: int
    hidden: int
    layers: int

    @property
    def details(self) -> str:
        return (
            f"fanout {self.fanout}, {self.batch_size} roots a batch, "
            f"{self.layers} layers of {self.hidden}, on {self.device}"
        )


@dataclass(frozen=True)
class Configuration:
    """The knobs of a run; equal for runs that differ in their seed alone. mix and p_intra: text, since a value
    may be a schedule such as 0:0.5."""

    sampler: str
    mix: str = "0.125"
    p_intra: str = "0.9"
    mixing: str = "communities"
    level: int = 0
    batch_order: str = "shuffled"
    unbiased: int = 0
    dependency: int = 1

    @property
    def is_scheduled(self) -> bool:
        """Whether a knob changes over the epochs."""
        return ":" in self.mix + self.p_intra

    @property
    def label(self) -> str:
        """The knobs in short: those of comm-rand, and whatever else is not as usual."""
        is_structured = self.sampler == "comm-rand"
        parts = [] if is_structured else [self.sampler]
        if self.sampler != RANDOM:
            parts += [f"mix {self.mix}"] if is_structured or self.mix != "1" else []
            parts += [f"p {self.p_intra}"] if is_structured or self.p_intra != "0.5" else []
        parts += [self.mixing] if self.mixing != "communities" else []
        parts += [f"level {self.level}"] if self.level != 0 else []
        parts += [self.batch_order] if self.batch_order != "shuffled" else []
        parts += ["unbiased"] if self.unbiased else []
        parts += [f"K {self.dependency}"] if self.dependency != 1 else []
        return ", ".join(parts)


@dataclass(frozen=True)
class Run:
    """One line of results.csv and the history of its epochs. Accuracies are shares 0..1, seconds leave out
    evaluation."""

    setting: Setting
    configuration: Configuration
    seed: int
    epochs: int
    best_epoch: int  # counted from 0
    best_valid: float
    test: float
    seconds_to_best: float
    seconds_per_epoch: float
    cpu_seconds_per_epoch: float  # NaN if the table has none
    sample_seconds: float
    stage_seconds: float
    compute_seconds: float
    stall_seconds: float
    input_nodes_per_batch: float
    label_entropy_bits: float
    num_nodes: int
    valid_accuracy: np.ndarray  # [epochs], NaN where nothing was validated
    elapsed: np.ndarray  # [epochs], training seconds up to the end of an epoch
    place: str  # file and line, for messages

    def seconds_until(self, num_epochs: int, time: str) -> float:
        """Training seconds (time "wall"), or seconds of the processor (time "cpu"), of the first epochs."""
        if time == "cpu":
            return self.cpu_seconds_per_epoch * num_epochs
        return float(self.elapsed[num_epochs - 1])


_SHARES = ("best_valid", "test")
_POSITIVE = ("seconds_to_best", "seconds_per_epoch")
_NOT_NEGATIVE = (
    "sample_seconds",
    "stage_seconds",
    "compute_seconds",
    "stall_seconds",
    "input_nodes_per_batch",
    "label_entropy_bits",
)
_COUNTS = ("seed", "epochs", "best_epoch")
_REQUIRED = dict.fromkeys(
    [field.name for kind in (Setting, Configuration) for field in fields(kind)]
    + [*_COUNTS, *_SHARES, *_POSITIVE, "cpu_seconds_per_epoch", *_NOT_NEGATIVE, "file"]
)


def load(*folders: str | PathLike[str]) -> list[Run]:
    """The runs of one or several sweeps, in the order of their tables. A folder holds results.csv and the files
    that it names.

    Raises OSError for a file that cannot be read, ValueError for one that does not say what it should.
    """
    if not folders:
        raise ValueError("load: expected at least one folder of a sweep")
    return _share_fanouts([run for folder in folders for run in _load_folder(Path(folder))])


def _load_folder(folder: Path) -> list[Run]:
    path = folder / "results.csv"
    lines = csv.reader(_read(path).splitlines())
    header = next(lines, [])
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        raise ValueError(f"{path}: no column {', '.join(missing)}")
    runs = []
    for values in lines:
        if not values:
            continue
        place = f"{path}, line {lines.line_num}"
        if len(values) != len(header):
            raise ValueError(f"{place}: expected {len(header)} values, got {len(values)}")
        runs.append(_read_run(folder, dict(zip(header, values)), place))
    if not runs:
        raise ValueError(f"{path}: no runs in it")
    return runs


def _read(path: Path, named_by: str = "") -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: not a text file") from error
    except OSError as error:
        raise OSError(f"{path}: {error.strerror}{named_by and f' (named in {named_by})'}") from error


class _Line:
    """The values of one line, checked."""

    def __init__(self, values: dict[str, str], place: str) -> None:
        self._values, self._place = values, place

    def text(self, name: str) -> str:
        return self._values[name].strip() or self._refuse(name, "a value")

    def knob(self, name: str) -> str:
        """A number in its shortest form, so that 0.50 and 0.5 are one value; other text as it is."""
        text = self.text(name)
        try:
            return f"{float(text):g}"
        except ValueError:
            return text

    def count(self, name: str) -> int:
        text = self._values[name].strip()
        return int(text) if text.isdecimal() else self._refuse(name, "a whole number")

    def number(self, name: str, is_valid: Callable[[float], bool], expected: str) -> float:
        try:
            value = float(self._values[name])
        except ValueError:
            value = math.nan
        return value if math.isfinite(value) and is_valid(value) else self._refuse(name, expected)

    def _refuse(self, name: str, expected: str) -> Any:
        raise ValueError(f"{self._place}: {name} must be {expected}, got '{self._values[name].strip()}'")


def _read_run(folder: Path, values: dict[str, str], place: str) -> Run:
    line = _Line(values, place)
    numbers: dict[str, Any] = {name: line.count(name) for name in _COUNTS}
    numbers |= {name: line.number(name, lambda x: 0 <= x <= 1, "a share of 0 to 1") for name in _SHARES}
    numbers |= {name: line.number(name, lambda x: x > 0, "> 0") for name in _POSITIVE}
    numbers |= {name: line.number(name, lambda x: x >= 0, ">= 0") for name in _NOT_NEGATIVE}
    has_cpu = values["cpu_seconds_per_epoch"].strip() != ""
    cpu = line.number("cpu_seconds_per_epoch", lambda x: x > 0, "> 0 or empty") if has_cpu else math.nan
    if numbers["best_epoch"] >= numbers["epochs"]:
        raise ValueError(
            f"{place}: best_epoch must be < epochs ({numbers['epochs']}), got {numbers['best_epoch']}"
        )
    setting = Setting(
        *(line.text(name) for name in ("graph", "model", "device", "fanout")),
        *(line.count(name) for name in ("batch_size", "hidden", "layers")),
    )
    configuration = Configuration(
        sampler=line.text("sampler"),
        mix=line.knob("mix"),
        p_intra=line.knob("p_intra"),
        mixing=line.text("mixing"),
        level=line.count("level"),
        batch_order=line.text("batch_order"),
        unbiased=line.count("unbiased"),
        dependency=line.count("dependency"),
    )
    num_nodes, valid, elapsed = _read_history(folder / line.text("file"), numbers["epochs"], place)
    return Run(
        setting,
        configuration,
        **numbers,
        cpu_seconds_per_epoch=cpu,
        num_nodes=num_nodes,
        valid_accuracy=valid,
        elapsed=elapsed,
        place=place,
    )


def _read_history(path: Path, num_epochs: int, place: str) -> tuple[int, np.ndarray, np.ndarray]:
    """Nodes of the graph; by epoch, the validation accuracy and the training seconds until its end."""
    try:
        report = json.loads(_read(path, named_by=place))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: not JSON: {error}") from error
    try:
        num_nodes = int(report["dataset"]["nodes"])
        epochs = report["epochs"]
        # null, where nothing was validated, becomes NaN.
        valid = np.array([epoch["valid_accuracy"] for epoch in epochs], float)
        seconds = np.array([epoch["seconds"]["total"] for epoch in epochs], float)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise ValueError(f"{path}: not the report of a run ({type(error).__name__}: {error})") from error
    if len(epochs) != num_epochs:
        raise ValueError(f"{path}: expected {num_epochs} epochs, as in {place}, got {len(epochs)}")
    if not np.all(seconds > 0):
        raise ValueError(f"{path}: the seconds of an epoch must be > 0, got {seconds.min()}")
    return num_nodes, valid, np.cumsum(seconds)


def _share_fanouts(runs: list[Run]) -> list[Run]:
    """Runs that draw no neighbours get the fanout of the random batches beside them, whatever theirs says."""
    fanouts = defaultdict(set)
    for run in runs:
        if run.configuration.sampler == RANDOM:
            fanouts[replace(run.setting, fanout="")].add(run.setting.fanout)

    def shared(run: Run) -> Run:
        beside = fanouts[replace(run.setting, fanout="")]
        if run.configuration.sampler not in WITHOUT_FANOUT or len(beside) != 1:
            return run
        return replace(run, setting=replace(run.setting, fanout=next(iter(beside))))

    return [shared(run) for run in runs]
