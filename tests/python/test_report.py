"""`kith.report.load` and `summarize`: known effects come out, and what cannot be paired is refused."""

import csv
import json
import math
from dataclasses import replace

import kith.report
import numpy as np
import pytest
from kith.report.remarks import remarks_on
from report_sweeps import COLUMNS, RANDOM, Effect, Sweep, knobs, rival, typical, write_sweep, write_table

DEFAULTS = knobs(0.125, 0.9)


def summary_of(folder, *sweeps, rng_seed=0, **options):
    write_sweep(folder, *sweeps, rng_seed=rng_seed)
    return kith.report.summarize(kith.report.load(folder), **options)


def row_of(section, label):
    return next(row for row in section.rows if row.label == label)


# --- effects


def test_known_effects_come_out_exactly_without_noise(tmp_path):
    effects = [RANDOM, Effect(DEFAULTS, faster=2, points=-0.15, nodes=0.25), Effect(rival("labor"), 1.25)]
    (section,) = summary_of(tmp_path, Sweep(effects=effects)).sections
    row = row_of(section, "mix 0.125, p 0.9")
    assert section.named is row and section.best is row
    for speedup in (row.speedup_to_best, row.speedup_per_epoch):
        assert (speedup.mean, speedup.low, speedup.high) == pytest.approx((2, 2, 2))
    assert row.accuracy_difference.mean == pytest.approx(-0.15)
    assert (row.verdict, row.num_pairs) == ("within", 3)
    assert (row.input_nodes_per_batch, section.random.input_nodes_per_batch) == (5000, 20000)
    assert section.best_rival.label == "labor"
    assert section.best_rival.accuracy_difference.mean == pytest.approx(0)
    assert section.best_rival.speedup_to_target.value.mean == pytest.approx(1.25)


def test_known_effects_lie_in_most_intervals_with_noise(tmp_path):
    effects = [RANDOM] + [Effect(knobs(0.125, p), 1.5, -0.3) for p in (0.6, 0.7, 0.8, 0.9)]
    sweeps = [Sweep(f"g{i}", effects=effects, noise_points=0.4, noise_time=0.1, epochs=3) for i in range(50)]
    sections = summary_of(tmp_path, *sweeps).sections
    rows = [row for section in sections for row in section.rows]
    points = sum(row.accuracy_difference.low <= -0.3 <= row.accuracy_difference.high for row in rows)
    speed = sum(row.speedup_per_epoch.low <= 1.5 <= row.speedup_per_epoch.high for row in rows)
    # 200 intervals, of which ten are expected to miss. Those of a graph share its random batches, so the count
    # scatters more than that of independent ones would.
    assert points > 176 and speed > 176


def test_runs_are_paired_by_seed_not_by_order(tmp_path):
    rows = write_sweep(tmp_path, Sweep(effects=[RANDOM, Effect(DEFAULTS)], noise_points=2))
    for (
        row
    ) in rows:  # a configuration that is exactly 1 point better on every seed, however far seeds lie apart
        twin = next(r for r in rows if r["sampler"] == "random" and r["seed"] == row["seed"])
        row["test"] = twin["test"] + (0.01 if row["sampler"] == "comm-rand" else 0)
    write_table(tmp_path, rows[::-1])
    (section,) = kith.report.summarize(kith.report.load(tmp_path)).sections
    difference = section.rows[0].accuracy_difference
    assert (difference.mean, difference.low, difference.high) == pytest.approx((1, 1, 1))


def test_cpu_time_is_cpu_seconds_an_epoch_times_epochs(tmp_path):
    rows = write_sweep(tmp_path, Sweep(effects=[RANDOM, Effect(DEFAULTS, faster=2)], epochs=30))
    for row in rows:
        row["cpu_seconds_per_epoch"] = 12 if row["sampler"] == "random" else 4
        row["best_epoch"] = 19 if row["sampler"] == "random" else 9
    write_table(tmp_path, rows)
    (section,) = kith.report.summarize(kith.report.load(tmp_path), time="cpu").sections
    row = section.rows[0]
    assert row.speedup_per_epoch.mean == pytest.approx(3)
    assert row.speedup_to_best.mean == pytest.approx(12 * 20 / (4 * 10))
    assert section.random.time_to_best == pytest.approx(240)
    assert row.speedup_to_target.value.mean == pytest.approx(3)  # the same curves, epoch by epoch


def test_worst_seed_and_verdict(tmp_path):
    rows = write_sweep(tmp_path, Sweep(effects=[RANDOM, Effect(DEFAULTS), Effect(knobs(0, 0.9))]))
    lost = {("0.125", 0): 0, ("0.125", 1): 0.004, ("0.125", 2): 0.001}
    for row in rows:
        known = (row["mix"], row["seed"])
        row["test"] = 0.7 - lost.get(known, 0.009 + 0.001 * row["seed"] if row["mix"] == "0" else 0)
    write_table(tmp_path, rows)
    (section,) = kith.report.summarize(kith.report.load(tmp_path)).sections
    usual, worse = row_of(section, "mix 0.125, p 0.9"), row_of(section, "mix 0, p 0.9")
    assert (usual.worst_seed, usual.verdict) == (1, "open")
    assert usual.worst_difference == pytest.approx(-0.4)
    assert worse.verdict == "worse"  # -0.9, -1, -1.1: -1 -+ 0.25
    assert any("mix 0, p 0.9" in remark and "below" in remark for remark in remarks_on(section, 0.2))


# --- time to target


def rewrite_curves(folder, rows, curves):
    """Gives the runs of each sampler a curve of validation accuracy, one second an epoch."""
    for row in rows:
        curve = curves[row["sampler"]]
        curve = curve[row["seed"]] if isinstance(curve, dict) else curve
        path = folder / row["file"]
        report = json.loads(path.read_text())
        report["epochs"] = [
            {"epoch": i, "valid_accuracy": value, "seconds": {"total": 1.0}} for i, value in enumerate(curve)
        ]
        path.write_text(json.dumps(report))
        known = [value or 0 for value in curve]
        row |= {"epochs": len(curve), "best_epoch": int(np.argmax(known)), "best_valid": max(known)}
    write_table(folder, rows)
    return kith.report.summarize(kith.report.load(folder)).sections[0]


@pytest.fixture
def two(tmp_path):
    return tmp_path, write_sweep(tmp_path, Sweep(effects=[RANDOM, Effect(DEFAULTS)]))


def test_target_is_the_first_epoch_at_random_best_minus_tolerance(two):
    # The target is 0.8 - 0.002: random reaches it in epoch 4 (5 is its best), the other in 2, by equality.
    section = rewrite_curves(*two, {"random": [0.1, 0.5, 0.7, 0.799, 0.8], "comm-rand": [0.1, 0.798, 0.7, 0.7]})
    assert section.target == pytest.approx(79.8)
    target = section.rows[0].speedup_to_target
    assert (target.value.mean, target.bound, target.num_reached) == (pytest.approx(2), "", 3)
    assert section.rows[0].speedup_to_best.mean != pytest.approx(2)


def test_target_of_unequal_random_runs_is_their_mean(two):
    curves = {"random": {0: [0.9], 1: [0.8], 2: [0.7]}, "comm-rand": [0.8]}
    assert rewrite_curves(*two, curves).target == pytest.approx(79.8)


def test_a_run_that_never_reaches_the_target_leaves_a_bound(two):
    curves = {"random": [0.1, 0.5, 0.8], "comm-rand": {0: [0.8], 1: [0.8], 2: [0.1, 0.2, 0.3, None]}}
    section = rewrite_curves(*two, curves)
    target = section.rows[0].speedup_to_target
    # 3, 3 and less than 3/4.
    assert (target.bound, target.num_reached) == ("<", 2)
    assert target.value.mean == pytest.approx((3 * 3 * 3 / 4) ** (1 / 3))
    assert not target.value.is_bounded
    assert any("(2 of 3)" in remark for remark in remarks_on(section, 0.2))


def test_random_runs_that_fall_short_leave_a_bound_from_below(two):
    curves = {"random": {0: [0.1, 0.83], 1: [0.1, 0.83], 2: [0.1, 0.74]}, "comm-rand": [0.9]}
    target = rewrite_curves(*two, curves).rows[0].speedup_to_target
    assert (target.bound, target.value.mean) == (">", pytest.approx(2))


def test_runs_of_both_sides_that_fall_short_leave_no_ratio(two):
    curves = {"random": {0: [0.9], 1: [0.8], 2: [0.7]}, "comm-rand": {0: [0.1], 1: [0.9], 2: [0.9]}}
    target = rewrite_curves(*two, curves).rows[0].speedup_to_target
    assert target.bound == "?" and math.isnan(target.value.mean)


# --- over the graphs


def test_overall_means_by_hand(tmp_path):
    fast = Effect(knobs(0, 0.9), faster=8, points=-0.1)
    first = Sweep("a", effects=[RANDOM, Effect(DEFAULTS, 2, 0.1), fast])
    second = Sweep("b", effects=[RANDOM, Effect(DEFAULTS, 0.5, -0.5), replace(fast, points=-1)])
    named, best = summary_of(tmp_path, first, second).overall
    assert (named.choice, named.num_found, named.num_sections) == ("mix 0.125, p 0.9", 2, 2)
    assert (named.mean_to_best, named.best_to_best, named.worst_to_best) == pytest.approx((1, 2, 0.5))
    assert (named.mean_difference, named.worst_difference) == pytest.approx((-0.2, -0.5))
    # On b nothing is within 0.2 points, so random batches stand in there.
    assert (best.num_found, best.num_sections) == (1, 2)
    assert (best.mean_to_best, best.worst_to_best) == pytest.approx((math.sqrt(8), 1))
    assert (best.mean_difference, best.worst_difference) == pytest.approx((-0.05, -0.1))


def test_a_choice_that_no_graph_can_take_is_shown(tmp_path):
    summary = summary_of(
        tmp_path, Sweep(effects=[RANDOM, Effect(DEFAULTS, 4, -1), Effect(rival("labor"), 1, -1)])
    )
    assert [(one.num_found, one.mean_to_best) for one in summary.overall[1:]] == [(0, 1), (0, 1)]
    assert "none" in kith.report.render_page(summary)


def test_random_batches_stand_in_where_the_named_configuration_is_missing(tmp_path):
    first = Sweep("a", effects=[RANDOM, Effect(DEFAULTS, 4)])
    second = Sweep("b", effects=[RANDOM, Effect(rival("labor"), 3)])
    summary = summary_of(tmp_path, first, second)
    named = summary.overall[0]
    assert (named.num_found, named.num_sections) == (1, 2)
    assert (named.mean_to_best, named.worst_to_best) == pytest.approx((2, 1))
    assert summary.sections[1].named is None


def test_a_named_configuration_is_followed(tmp_path):
    effects = [RANDOM, Effect(DEFAULTS, 2), Effect(knobs("0:0.5", 0.7), 3), Effect(rival("labor"), 4)]
    write_sweep(tmp_path, Sweep(effects=effects))
    table = kith.report.load(tmp_path)
    for config, speedup in (("mix=0.1250", 2), ("mix=0:0.5,p_intra=0.70", 3), ("sampler=labor", 4)):
        assert kith.report.summarize(table, config=config).overall[0].mean_to_best == pytest.approx(speedup)
    for config, words in (
        ("p_intra=0.8", "no graph has"),
        ("sampler=comm-rand", "expected one configuration of arxiv, sage, got 2"),
        ("mox=1", "expected name=value"),
        ("mix", "expected name=value"),
    ):
        with pytest.raises(ValueError, match=words):
            kith.report.summarize(table, config=config)


def test_models_are_apart_and_several_sweeps_come_together(tmp_path):
    effects = [RANDOM, Effect(DEFAULTS, 2)]
    write_sweep(tmp_path / "one", Sweep("a", effects=effects), Sweep("a", "gcn", effects=effects))
    write_sweep(tmp_path / "two", Sweep("b", effects=effects))
    summary = kith.report.summarize(kith.report.load(tmp_path / "one", tmp_path / "two"))
    assert [section.title for section in summary.sections] == ["a, sage", "a, gcn", "b, sage"]
    assert [(one.model, one.num_sections) for one in summary.overall] == [("sage", 2)] * 2 + [("gcn", 1)] * 2


def test_rivals_without_neighbour_draws_are_compared_whatever_their_fanout(tmp_path):
    rows = write_sweep(tmp_path, Sweep(effects=[RANDOM, Effect(rival("full")), Effect(rival("labor"))]))
    for row in rows:
        row["fanout"] = "-1x-1" if row["sampler"] == "full" else row["fanout"]
    write_table(tmp_path, rows)
    (section,) = kith.report.summarize(kith.report.load(tmp_path)).sections
    assert [row.label for row in section.rows] == ["full", "labor"]


# --- remarks


def test_remarks_say_what_is_thin(tmp_path):
    effects = [RANDOM, Effect(DEFAULTS, nodes=1.5, seeds=(0,))]
    (section,) = summary_of(tmp_path, Sweep(effects=effects, seeds=(0, 1), noise_points=1, patience=2)).sections
    remarks = " ".join(remarks_on(section, 0.2))
    assert "Fewer than 3 seeds: intervals are very wide" in remarks
    assert "Not every configuration has all 2 seeds" in remarks and "mix 0.125, p 0.9 (1)" in remarks
    assert "more than half of the graph's 50,000 nodes with mix 0.125, p 0.9 (60%)" in remarks
    assert "different numbers of epochs" in remarks


def test_nothing_is_remarked_without_reason(tmp_path):
    rows = write_sweep(tmp_path, Sweep(effects=[RANDOM, Effect(DEFAULTS)]))
    curves = {"random": [0.1, 0.8, 0.7], "comm-rand": [0.1, 0.8, 0.7]}
    assert remarks_on(rewrite_curves(tmp_path, rows, curves), 0.2) == []


def test_a_best_last_epoch_is_remarked(two):
    section = rewrite_curves(*two, {"random": [0.1, 0.8, 0.7], "comm-rand": [0.1, 0.7, 0.8]})
    assert any(
        remark.startswith("3 of 6 runs were best in their last epoch") for remark in remarks_on(section, 0.2)
    )


# --- bad input


def refuse(folder, *words, error=ValueError):
    with pytest.raises(error) as caught:
        kith.report.summarize(kith.report.load(folder))
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_a_missing_table_is_refused(tmp_path):
    refuse(tmp_path / "none", "none/results.csv: No such file", error=OSError)


@pytest.mark.parametrize("content", ["", ",".join(COLUMNS) + "\n"])
def test_an_empty_table_is_refused(tmp_path, content):
    (tmp_path / "results.csv").write_text(content)
    refuse(tmp_path, "results.csv: no ")


@pytest.mark.parametrize("column", ["graph", "seed", "mix", "test", "cpu_seconds_per_epoch", "file"])
def test_a_missing_column_is_named(two, column):
    folder, rows = two
    write_table(folder, rows, [name for name in COLUMNS if name != column])
    refuse(folder, f"results.csv: no column {column}")


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("test", "71.2"),
        ("test", "nan"),
        ("best_valid", ""),
        ("seconds_to_best", "0"),
        ("seconds_per_epoch", "fast"),
        ("cpu_seconds_per_epoch", "-1"),
        ("seed", "1.5"),
        ("best_epoch", "30"),
        ("epochs", ""),
        ("sampler", ""),
        ("input_nodes_per_batch", "inf"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(two, column, value):
    folder, rows = two
    rows[1][column] = value
    write_table(folder, rows)
    refuse(folder, "results.csv, line 3: ", column, f"got '{value}'" if column != "best_epoch" else "got 30")


def test_a_cut_line_is_refused(two):
    folder, _ = two
    text = (folder / "results.csv").read_text()
    (folder / "results.csv").write_text(text[: len(text) - 200])
    refuse(folder, "line 7: expected 35 values")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "results.csv").write_bytes(bytes(range(256)))
    refuse(tmp_path, "not a text file")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "No such file or directory (named in "),
        ("{", "not JSON"),
        ("[]", "not the report of a run"),
        ('{"dataset": {"nodes": 5}}', "not the report of a run"),
        ('{"dataset": {"nodes": 5}, "epochs": [{"valid_accuracy": "x"}]}', "not the report of a run"),
        ('{"dataset": {"nodes": 5}, "epochs": []}', "expected 30 epochs"),
    ],
)
def test_a_damaged_history_is_refused(two, content, words):
    folder, rows = two
    path = folder / rows[0]["file"]
    path.unlink() if content is None else path.write_text(content)
    refuse(folder, path.name, words, error=(OSError, ValueError))


def test_runs_without_random_batches_are_refused(tmp_path):
    write_sweep(tmp_path, Sweep(effects=[Effect(DEFAULTS)]))
    refuse(tmp_path, "arxiv, sage: no random batches to pair with")


def test_a_seed_without_random_batches_is_refused(tmp_path):
    write_sweep(tmp_path, Sweep(effects=[RANDOM, Effect(DEFAULTS, seeds=(0, 1, 7))]))
    refuse(tmp_path, "line 7: no random batches of seed 7")


def test_a_run_that_comes_twice_is_refused(tmp_path):
    for name in ("one", "two"):
        write_sweep(tmp_path / name, Sweep(effects=[RANDOM]))
    with pytest.raises(ValueError, match=r"random, seed 0 comes twice: .*one.*line 2; .*two.*line 2"):
        kith.report.summarize(kith.report.load(tmp_path / "one", tmp_path / "two"))


def test_cpu_time_that_was_not_measured_is_refused(two):
    folder, rows = two
    rows[2]["cpu_seconds_per_epoch"] = ""
    write_table(folder, rows)
    table = kith.report.load(folder)
    kith.report.summarize(table)
    with pytest.raises(ValueError, match="line 4: no cpu_seconds_per_epoch"):
        kith.report.summarize(table, time="cpu")


def test_options_out_of_range_are_refused(two):
    table = kith.report.load(two[0])
    for options in ({"time": "sun"}, {"tolerance": -1}, {"tolerance": math.nan}):
        with pytest.raises(ValueError, match="summarize: "):
            kith.report.summarize(table, **options)
    with pytest.raises(ValueError, match="no runs"):
        kith.report.summarize([])
    with pytest.raises(ValueError, match="at least one folder"):
        kith.report.load()


def test_the_table_of_a_typical_sweep_has_the_columns_it_should(tmp_path):
    write_sweep(tmp_path, typical())
    with open(tmp_path / "results.csv", newline="") as file:
        assert tuple(next(csv.reader(file))) == tuple(COLUMNS)
