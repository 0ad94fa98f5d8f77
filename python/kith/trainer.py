"""The training loop, on the engine's own kernels."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from kith import _core
from kith._arguments import flag, integer, number
from kith._fork import keep_in_forks
from kith._options import staging_options
from kith.dataset import Dataset
from kith.loader import NeighborLoader
from kith.nn import Model


class Trainer:
    """Trains a model with Adam and cross-entropy. With the same options it computes what `kith train` computes.

    lr, weight_decay: as torch.optim.Adam. device: "auto", "cpu" or "cuda"; the model is moved there.
    metric: "accuracy" or "roc-auc" (two classes).
    ema: `fit` evaluates, and leaves the model with, a moving average of the parameters that keeps this share of
    itself in a step, 0 <= ema < 1 (Polyak's averaging); 0: the parameters themselves. It steadies structured
    batches, which are alike within a batch and unlike the next one.
    stage, stage_bytes, host_bytes: how training brings features through tiers, as NeighborLoader's; with
    device="cuda" the fast one is GPU memory. Evaluation reads them in place.
    """

    def __init__(
        self,
        model: Model,
        data: Dataset,
        lr: float = 3e-3,
        weight_decay: float = 0.0,
        device: str = "auto",
        metric: str = "accuracy",
        ema: float = 0.0,
        stage: str = "none",
        stage_bytes: int | str | None = None,
        host_bytes: int | str | None = None,
    ) -> None:
        model._check_features(data)
        outputs = model._options.out_channels
        if data.num_classes > outputs:
            raise ValueError(f"the model has {outputs} outputs, the dataset {data.num_classes} classes")
        bad_row = data._handle.first_non_finite_row()
        if bad_row is not None:
            raise ValueError(f"Trainer: features must be finite, those of node {bad_row} are not")
        self.model = model.to(device)
        self.data = data
        self.best_epoch: int | None = None
        """Epoch of the best validation result (the last one without validation nodes) of the latest `fit`."""
        lr, weight_decay = number("lr", lr), number("weight_decay", weight_decay)
        self._ema = number("ema", ema)
        staging = staging_options(data._handle, stage, stage_bytes, host_bytes)
        self._handle = _core.Trainer(model._handle, data._handle, lr, weight_decay, self._ema, metric, staging)
        self._is_staged = staging is not None
        keep_in_forks(self._handle)

    def fit(
        self,
        loader: NeighborLoader,
        epochs: int,
        patience: int | None = None,
        progress: bool = True,
        callbacks: Sequence[Callable[[dict[str, float]], Any]] = (),
    ) -> dict[str, list[float]]:
        """Trains for `epochs` epochs of `loader`, going on from its epoch, and evaluates on "valid" after each.

        patience: stop after this many epochs without a better validation result, and leave the model with the
        best epoch's parameters. None: train to the end and keep the last ones.
        progress: show a bar if tqdm is installed and this is a notebook or stderr a terminal.
        callbacks: each is called after every epoch with its record, a dict of the entries below; if one returns
        True, training stops as it does by patience.
        Returns a list with one entry an epoch for each of: epoch, train_loss, valid_accuracy (of the metric;
        NaN without validation nodes), seconds, stall_seconds, and input_nodes, edges and communities per batch;
        pandas.DataFrame(history) is a table of it.
        """
        if loader.dataset is not self.data:
            raise ValueError("Trainer.fit: the loader must read the trainer's own dataset")
        if loader.stage != "none" and not self._is_staged:
            raise ValueError(
                f"Trainer.fit: the trainer reads features itself, the loader has stage={loader.stage!r}; "
                "give it to the Trainer"
            )
        if callable(callbacks) or not all(callable(each) for each in callbacks):
            raise ValueError(f"callbacks must be a list of functions, got {callbacks!r}")
        epochs = integer("epochs", epochs, 1)
        patience = None if patience is None else integer("patience", patience, 1)
        history: dict[str, list[float]] = {}
        best: dict[str, npt.NDArray[np.float32]] = {}
        last: dict[str, npt.NDArray[np.float32]] = {}
        best_value = -math.inf
        has_valid = self.data.valid.size > 0
        self.best_epoch = None
        with _Progress(epochs * len(loader), flag("progress", progress)) as bar:
            for _ in range(epochs):
                report = self._run_epoch(loader, bar.step)
                with self._averaged():
                    value = self.evaluate("valid") if has_valid else math.nan
                    is_better = self.best_epoch is None or not has_valid or value > best_value
                    if is_better and patience is not None:
                        best = self.model.state_dict()
                    last = self.model.state_dict() if self._ema > 0 else {}
                record = _record(report, value)
                for name, entry in record.items():
                    history.setdefault(name, []).append(entry)
                bar.show(report, value)
                if is_better:
                    self.best_epoch, best_value = report["epoch"], value
                # All callbacks see the record, whichever of them stops.
                is_stopped = any([each(dict(record)) is True for each in callbacks])
                if is_stopped or (patience is not None and report["epoch"] - self.best_epoch >= patience):
                    break
        if patience is not None:
            self.model.load_state_dict(best)
        elif self._ema > 0:
            self.model.load_state_dict(last)
        return history

    def evaluate(self, nodes: npt.ArrayLike | str | None = "test") -> float:
        """The metric over a split, a mask or ids (None: all nodes), over all neighbours, never sampled.

        Nodes without a label do not count; 0 if no node has one.
        """
        return self._handle.evaluate(self.data.nodes(nodes))

    def predict(self, nodes: npt.ArrayLike | str | None = "test") -> npt.NDArray[np.float32]:
        """[n, classes] class probabilities (softmax) of a split, a mask or ids, in that order; None: all nodes.

        Computed over all neighbours, never sampled. `model.inference(data)` gives the logits.
        """
        ids = self.data.nodes(nodes)
        logits = self.model.inference(self.data)[ids]
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    @contextlib.contextmanager
    def _averaged(self) -> Iterator[None]:
        """The model has the averages of its parameters, if they are kept."""
        self._handle.swap_averages()
        try:
            yield
        finally:
            self._handle.swap_averages()

    def state_dict(self) -> dict[str, Any]:
        """Copies of all that training has changed: parameters ("model/..."), Adam's moments, and counts.

        Save it with `np.savez(path, **trainer.state_dict())` or torch.save. With it and `loader.epoch`, a new
        trainer goes on to the same bits. Raises ValueError if a parameter is not finite.
        """
        step, optimizer_steps, moments = self._handle.state()
        state: dict[str, Any] = {"step": step, "optimizer_steps": optimizer_steps}
        state |= {f"model/{name}": value for name, value in self.model.state_dict().items()}
        return state | {f"moment/{i}": value for i, value in enumerate(moments)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from a `state_dict`, or from what np.load gives of it.

        Raises ValueError, and changes nothing, if it is of a model of another shape.
        """
        mine = self.state_dict()
        if set(state) != set(mine):
            odd = sorted(set(state) ^ set(mine))[0]
            raise ValueError(
                f"Trainer.load_state_dict: {odd!r} is {'missing' if odd in mine else 'not expected'}"
            )
        for name, value in mine.items():
            if np.shape(state[name]) != np.shape(value):
                raise ValueError(
                    f"Trainer.load_state_dict: {name!r} must have the shape {np.shape(value)}, "
                    f"got {np.shape(state[name])}"
                )
        steps = [integer(name, np.asarray(state[name]).item(), 0) for name in ("step", "optimizer_steps")]
        moments = [
            np.ascontiguousarray(state[name], dtype=np.float32) for name in mine if name.startswith("moment/")
        ]
        self.model.load_state_dict(
            {name.removeprefix("model/"): state[name] for name in mine if name.startswith("model/")}
        )
        self._handle.load_state(*steps, moments)

    def _run_epoch(self, loader: NeighborLoader, on_batch: Callable[[int, int], None]) -> dict[str, Any]:
        report = self._handle.run_epoch(loader._handle, loader.epoch, on_batch)
        loader.set_epoch(loader.epoch + 1)
        return report


class _Progress:
    """A tqdm bar over batches, or nothing."""

    def __init__(self, num_batches: int, enabled: bool) -> None:
        self._bar: Any = None
        if not enabled:
            return
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return
        is_notebook = any(base.__module__ == "tqdm.notebook" for base in tqdm.__mro__)
        # None: quiet unless stderr is a terminal, which a notebook never has.
        self._bar = tqdm(total=num_batches, unit="batch", disable=False if is_notebook else None)

    def __enter__(self) -> _Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def step(self, done: int, of: int) -> None:
        if self._bar is not None:
            self._bar.update(1)

    def show(self, report: dict[str, Any], value: float) -> None:
        if self._bar is not None:
            self._bar.set_postfix(
                epoch=report["epoch"], loss=f"{report['train_loss']:.4f}", valid=f"{value:.4f}"
            )


def _record(report: dict[str, Any], value: float) -> dict[str, float]:
    batches = max(report["batches"], 1)
    return {
        "epoch": report["epoch"],
        "train_loss": report["train_loss"],
        "valid_accuracy": value,
        "seconds": report["seconds"]["total"],
        "stall_seconds": report["seconds"]["stall"],
        "input_nodes_per_batch": report["input_nodes"] / batches,
        "edges_per_batch": report["edges"] / batches,
        "communities_per_batch": report["communities"] / batches,
    }
