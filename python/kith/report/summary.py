"""Every configuration of a sweep beside random batches: paired by seed, graph by graph and over the graphs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

import numpy as np

from kith.report.intervals import Interval, mean_interval, ratio_interval
from kith.report.table import RANDOM, Configuration, Run, Setting

TIMES = ("wall", "cpu")
STRUCTURED = "comm-rand"
DEFAULTS = Configuration(STRUCTURED)
# Points (and shares) that differ by rounding alone are equal.
_ROUNDING = 1e-9


@dataclass(frozen=True)
class TargetSpeedup:
    """How much sooner than random batches a configuration reaches the target accuracy.

    A run that never reaches it needs more than all its seconds, which leaves a bound: "" for a measured
    ratio, "<" or ">" for one that the true ratio is certainly below or above, and "?" (value NaN) where runs of
    both sides fall short. The interval is NaN unless every run reaches the target.
    """

    value: Interval
    bound: str
    num_reached: int


@dataclass(frozen=True)
class Row:
    """A configuration on one graph. Ratios are random's time over its own, so > 1 is faster; accuracies in
    percent, their differences in points (its own minus random's). Times are those of the summary."""

    configuration: Configuration
    runs: list[Run] = field(repr=False)  # by seed
    num_pairs: int
    speedup_to_best: Interval
    speedup_per_epoch: Interval
    speedup_to_target: TargetSpeedup
    accuracy_difference: Interval
    worst_difference: float
    worst_seed: int
    verdict: str  # "within" the tolerance, "worse" or "open", by the interval; "" without one
    accuracy: float
    time_to_best: float  # geometric means over the seeds
    time_per_epoch: float
    epochs_to_best: float
    input_nodes_per_batch: float
    label_entropy_bits: float

    @property
    def label(self) -> str:
        return self.configuration.label

    @property
    def is_structured(self) -> bool:
        return self.configuration.sampler == STRUCTURED


@dataclass(frozen=True)
class Section:
    """One graph, model and setting. rows: structured ones by p_intra and mix, then rivals; random is apart."""

    setting: Setting
    title: str
    num_nodes: int
    target: float  # validation accuracy in percent
    random: Row
    rows: list[Row]
    named: Row | None  # the named configuration, where the sweep has it
    best: Row  # the fastest of the knobs whose accuracy is within the tolerance; random if none is
    best_rival: Row  # the same of the rivals


@dataclass(frozen=True)
class Overall:
    """A configuration for each graph: the geometric mean of the speed-ups, the mean of the differences."""

    model: str
    choice: str
    num_sections: int
    num_found: int  # sections that have such a configuration; random batches stand in elsewhere
    mean_to_best: float
    best_to_best: float
    worst_to_best: float
    mean_per_epoch: float
    mean_difference: float
    worst_difference: float


@dataclass(frozen=True)
class Summary:
    """What `summarize` found. tolerance: points of accuracy; time: "wall" or "cpu"."""

    sections: list[Section]
    overall: list[Overall]
    named_label: str
    tolerance: float
    time: str


def summarize(
    table: Iterable[Run], *, time: str = "wall", tolerance: float = 0.2, config: str | None = None
) -> Summary:
    """Pairs the runs of a table with random batches of the same graph, model and seed.

    time: "wall" counts training seconds, "cpu" the processor's. tolerance: points of accuracy that may be lost.
    config: the configuration to follow over the graphs, as name=value of its knobs joined by commas
    ("mix=0.125,p_intra=0.9"); the default knobs if None. Raises ValueError for runs that cannot be paired.
    """
    runs = list(table)
    if not runs:
        raise ValueError("summarize: no runs")
    if time not in TIMES:
        raise ValueError(f"summarize: time must be one of {TIMES}, got {time!r}")
    if not tolerance >= 0:
        raise ValueError(f"summarize: tolerance must be >= 0 points, got {tolerance}")
    if time == "cpu":
        for run in runs:
            if math.isnan(run.cpu_seconds_per_epoch):
                raise ValueError(f"{run.place}: no cpu_seconds_per_epoch, so there is no CPU time to report")
    wanted = _parse_config(config)
    grouped: dict[Setting, list[Run]] = {}
    for run in runs:
        grouped.setdefault(run.setting, []).append(run)
    titles = _titles(list(grouped))
    pairing = _Pairing(time, tolerance, wanted)
    sections = [pairing.section(setting, grouped[setting], titles[setting]) for setting in grouped]
    label = DEFAULTS.label if config is None else config
    if config is not None and all(section.named is None for section in sections):
        raise ValueError(f"config {config}: no graph has such a configuration")
    return Summary(sections, _overall(sections, label, tolerance), label, tolerance, time)


def _parse_config(config: str | None) -> dict[str, str]:
    if config is None:
        return {knob.name: str(getattr(DEFAULTS, knob.name)) for knob in fields(DEFAULTS)}
    names = [knob.name for knob in fields(Configuration)]
    wanted = {}
    for part in config.split(","):
        name, sign, value = part.partition("=")
        if not sign or name.strip() not in names:
            raise ValueError(f"config: expected name=value with a name of {', '.join(names)}, got '{part}'")
        wanted[name.strip()] = value.strip()
    return wanted


def _titles(settings: list[Setting]) -> dict[Setting, str]:
    same = Counter((setting.graph, setting.model) for setting in settings)
    return {
        setting: f"{setting.graph}, {setting.model}"
        + (f" ({setting.details})" if same[setting.graph, setting.model] > 1 else "")
        for setting in settings
    }


def _order(configuration: Configuration) -> tuple[bool, str, float, float]:
    """Structured configurations first, then by sampler, p_intra and mix; schedules by their first value."""

    def first(knob: str) -> float:
        try:
            return float(knob.split(":")[0])
        except ValueError:
            return math.inf

    sampler = configuration.sampler
    return sampler != STRUCTURED, sampler, first(configuration.p_intra), first(configuration.mix)


class _Pairing:
    """How the runs of one setting become a section."""

    def __init__(self, time: str, tolerance: float, wanted: dict[str, str]) -> None:
        self._time, self._tolerance, self._wanted = time, tolerance, wanted

    def section(self, setting: Setting, runs: list[Run], title: str) -> Section:
        by_configuration = _by_configuration(runs, title)
        baselines = [known for known in by_configuration if known.sampler == RANDOM]
        if len(baselines) != 1:
            problem = (
                "no random batches to pair with" if not baselines else "more than one kind of random batches"
            )
            raise ValueError(f"{title}: {problem} ({runs[0].place})")
        random_runs = by_configuration.pop(baselines[0])
        target = float(np.mean([run.best_valid for run in random_runs.values()])) - self._tolerance / 100
        rows = [
            self._row(known, by_configuration[known], random_runs, target)
            for known in sorted(by_configuration, key=_order)
        ]
        baseline = self._row(baselines[0], random_runs, random_runs, target)
        named = [row for row in rows if self._is_wanted(row.configuration)]
        if len(named) > 1:
            labels = "; ".join(row.label for row in named)
            raise ValueError(f"config: expected one configuration of {title}, got {len(named)}: {labels}")
        structured = [row for row in rows if row.is_structured]
        rivals = [row for row in rows if not row.is_structured]
        return Section(
            setting=setting,
            title=title,
            num_nodes=runs[0].num_nodes,
            target=100 * target,
            random=baseline,
            rows=rows,
            named=named[0] if named else None,
            best=self._fastest_within(structured, baseline),
            best_rival=self._fastest_within(rivals, baseline),
        )

    def _row(
        self, configuration: Configuration, runs: dict[int, Run], random_runs: dict[int, Run], target: float
    ) -> Row:
        for seed, run in runs.items():
            if seed not in random_runs:
                raise ValueError(f"{run.place}: no random batches of seed {seed} to pair it with")
        own = [runs[seed] for seed in sorted(runs)]
        random = [random_runs[run.seed] for run in own]
        differences = [100 * (run.test - other.test) for run, other in zip(own, random)]
        difference = mean_interval(differences)
        worst = int(np.argmin(differences))
        return Row(
            configuration=configuration,
            runs=own,
            num_pairs=len(own),
            speedup_to_best=ratio_interval([self._to_best(r) for r in random], [self._to_best(r) for r in own]),
            speedup_per_epoch=ratio_interval(
                [self._per_epoch(r) for r in random], [self._per_epoch(r) for r in own]
            ),
            speedup_to_target=target_speedup(own, random, target, self._time),
            accuracy_difference=difference,
            worst_difference=differences[worst],
            worst_seed=own[worst].seed,
            verdict=self._verdict(difference),
            accuracy=100 * float(np.mean([run.test for run in own])),
            time_to_best=_geometric_mean([self._to_best(run) for run in own]),
            time_per_epoch=_geometric_mean([self._per_epoch(run) for run in own]),
            epochs_to_best=float(np.mean([run.best_epoch + 1 for run in own])),
            input_nodes_per_batch=float(np.mean([run.input_nodes_per_batch for run in own])),
            label_entropy_bits=float(np.mean([run.label_entropy_bits for run in own])),
        )

    def _to_best(self, run: Run) -> float:
        return run.seconds_to_best if self._time == "wall" else run.seconds_until(run.best_epoch + 1, "cpu")

    def _per_epoch(self, run: Run) -> float:
        return run.seconds_per_epoch if self._time == "wall" else run.cpu_seconds_per_epoch

    def _verdict(self, difference: Interval) -> str:
        if not difference.is_bounded:
            return ""
        if not self._is_tolerable(difference.high):
            return "worse"
        return "within" if self._is_tolerable(difference.low) else "open"

    def _is_tolerable(self, points: float) -> bool:
        return points >= -self._tolerance - _ROUNDING

    def _is_wanted(self, configuration: Configuration) -> bool:
        return all(_is_same(getattr(configuration, name), value) for name, value in self._wanted.items())

    def _fastest_within(self, rows: list[Row], baseline: Row) -> Row:
        allowed = [row for row in rows if self._is_tolerable(row.accuracy_difference.mean)]
        return max(allowed, key=lambda row: row.speedup_to_best.mean, default=baseline)


def _by_configuration(runs: list[Run], title: str) -> dict[Configuration, dict[int, Run]]:
    by_configuration: dict[Configuration, dict[int, Run]] = {}
    for run in runs:
        seeds = by_configuration.setdefault(run.configuration, {})
        if run.seed in seeds:
            raise ValueError(
                f"{title}: {run.configuration.label}, seed {run.seed} comes twice: "
                f"{seeds[run.seed].place}; {run.place}"
            )
        seeds[run.seed] = run
    return by_configuration


def _is_same(knob: str | int, value: str) -> bool:
    try:
        return float(knob) == float(value)
    except ValueError:
        return str(knob) == value


def _geometric_mean(values: list[float]) -> float:
    return math.exp(float(np.mean(np.log(values))))


def epochs_to_target(run: Run, target: float) -> int | None:
    """Epochs until the validation accuracy first is at least target (a share); None if it never is."""
    reached = np.flatnonzero(run.valid_accuracy >= target - _ROUNDING)
    return int(reached[0]) + 1 if reached.size else None


def target_speedup(own: list[Run], random: list[Run], target: float, time: str) -> TargetSpeedup:
    """own and random: the runs of each pair, in the same order."""

    def seconds(run: Run) -> float:
        return run.seconds_until(epochs_to_target(run, target) or run.epochs, time)

    reached = [epochs_to_target(run, target) is not None for run in own]
    random_reached = [epochs_to_target(run, target) is not None for run in random]
    ratio = ratio_interval([seconds(run) for run in random], [seconds(run) for run in own])
    num_reached = sum(reached)
    if all(reached) and all(random_reached):
        return TargetSpeedup(ratio, "", num_reached)
    if not all(reached) and not all(random_reached):
        return TargetSpeedup(Interval(math.nan, math.nan, math.nan), "?", num_reached)
    return TargetSpeedup(Interval(ratio.mean, math.nan, math.nan), ">" if all(reached) else "<", num_reached)


def _overall(sections: list[Section], named_label: str, tolerance: float) -> list[Overall]:
    within = f"within {tolerance:g} points"
    rows = []
    for model in dict.fromkeys(section.setting.model for section in sections):
        of_model = [section for section in sections if section.setting.model == model]
        rows_of = [row for section in of_model for row in section.rows]
        # A choice that the sweep offers and that no graph can take is shown as such.
        choices = [
            (named_label, [section.named for section in of_model], any(s.named for s in of_model)),
            (
                f"fastest knobs {within}",
                [section.best for section in of_model],
                any(row.is_structured for row in rows_of),
            ),
            (
                f"fastest rival {within}",
                [section.best_rival for section in of_model],
                not all(row.is_structured for row in rows_of),
            ),
        ]
        for choice, chosen, is_offered in choices:
            if is_offered:
                filled = [row or section.random for row, section in zip(chosen, of_model)]
                found = sum(row.configuration.sampler != RANDOM for row in filled)
                rows.append(_over_graphs(model, choice, filled, found))
    return rows


def _over_graphs(model: str, choice: str, rows: list[Row], num_found: int) -> Overall:
    speedups = [row.speedup_to_best.mean for row in rows]
    differences = [row.accuracy_difference.mean for row in rows]
    return Overall(
        model=model,
        choice=choice,
        num_sections=len(rows),
        num_found=num_found,
        mean_to_best=_geometric_mean(speedups),
        best_to_best=max(speedups),
        worst_to_best=min(speedups),
        mean_per_epoch=_geometric_mean([row.speedup_per_epoch.mean for row in rows]),
        mean_difference=float(np.mean(differences)),
        worst_difference=min(differences),
    )
