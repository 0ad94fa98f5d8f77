"""Makes the results of sweeps with known effects, as `kith sweep` leaves them."""

import csv
import json
from dataclasses import dataclass, field

import numpy as np

COLUMNS = (
    "graph,model,sampler,mix,p_intra,mixing,level,batch_order,unbiased,dependency,fanout,batch_size,hidden,layers,seed,"
    "epochs,best_epoch,best_valid,test,seconds_to_best,seconds_per_epoch,cpu_seconds_per_epoch,sample_seconds,"
    "stage_seconds,compute_seconds,stall_seconds,evaluate_seconds,input_nodes_per_batch,edges_per_batch,"
    "communities_per_batch,label_entropy_bits,hit_rate,peak_rss_bytes,device,file"
).split(",")


@dataclass
class Effect:
    """What a configuration does: epochs so many times faster than random's, accuracy so many points higher,
    batches of this share of random's input nodes, learning so many times slower in epochs."""

    knobs: dict
    faster: float = 1
    points: float = 0
    nodes: float = 1
    slower_learning: float = 1
    seeds: tuple = ()


@dataclass
class Sweep:
    """One graph. noise: standard deviation of an accuracy in points, of a time in its logarithm."""

    graph: str = "arxiv"
    model: str = "sage"
    seeds: tuple = (0, 1, 2)
    plateau: float = 70
    num_nodes: int = 50_000
    epochs: int = 30
    patience: int = 0
    noise_points: float = 0
    noise_time: float = 0
    effects: list = field(default_factory=list)


RANDOM = Effect({"sampler": "random", "mix": "1", "p_intra": "0.5"})


def knobs(mix, p_intra, **more):
    return {"sampler": "comm-rand", "mix": str(mix), "p_intra": str(p_intra), **more}


def rival(sampler, **more):
    return {"sampler": sampler, "mix": "1", "p_intra": "0.5", **more}


def typical(graph="arxiv", **more):
    """A sweep with noise, every sampler, and effects as one meets them."""
    effects = [RANDOM]
    for p_intra, p_gain in ((0.5, 1.0), (0.7, 1.2), (0.9, 1.6), (1, 1.9)):
        for mix, gain, lost in (
            (0, 2.6, 1.4),
            (0.0625, 1.7, 0.3),
            (0.125, 1.5, 0.1),
            (0.25, 1.3, 0),
            (1, 1.0, 0),
        ):
            if (mix, p_intra) == (1, 0.5):
                continue
            points = -lost - 0.9 * max(0, p_intra - 0.8)
            effects.append(Effect(knobs(mix, p_intra), gain * p_gain, points, 1 / (gain * p_gain) ** 1.4))
    effects += [
        Effect(knobs("0:0.5", 0.9), 2.0, 0, 0.3),
        Effect(rival("labor"), 1.3, 0.05, 0.55),
        Effect(rival("dependency", dependency="8"), 1.1, -0.05, 0.9),
        Effect(rival("dependency", dependency="64"), 1.2, -0.2, 0.8),
        Effect(rival("cluster"), 4.5, -2.5, 0.02, 1.3),
        Effect(rival("full"), 0.2, 0.1, 1.6),
    ]
    settings = {"effects": effects, "noise_points": 0.15, "noise_time": 0.04, "epochs": 60, "patience": 12}
    return Sweep(graph, **settings | more)


def write_sweep(folder, *sweeps, rng_seed=0):
    """Writes results.csv and runs/*.json; returns the rows as dicts of text."""
    (folder / "runs").mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(rng_seed)
    rows = []
    for sweep in sweeps:
        for effect in sweep.effects:
            for seed in effect.seeds or sweep.seeds:
                rows.append(_write_run(folder, sweep, effect, seed, rng))
    write_table(folder, rows)
    return rows


def write_table(folder, rows, columns=COLUMNS):
    with open(folder / "results.csv", "w", newline="") as file:
        table = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        table.writeheader()
        table.writerows(rows)


def _write_run(folder, sweep, effect, seed, rng):
    level = sweep.plateau + effect.points + sweep.noise_points * rng.normal()
    steps = np.arange(1, sweep.epochs + 1) / effect.slower_learning
    valid = (level - 0.6 * sweep.plateau * np.exp(-steps / 4)) / 100
    valid += sweep.noise_points / 100 * rng.normal(size=sweep.epochs)
    epochs = _stop(valid, sweep.patience)
    valid = valid[:epochs]
    best = int(np.argmax(valid))
    speed = 1 / effect.faster * np.exp(sweep.noise_time * rng.normal())
    seconds = 2.0 * speed * np.exp(0.3 * sweep.noise_time * rng.normal(size=epochs))
    nodes = 0.4 * sweep.num_nodes * effect.nodes
    knobs_of = {
        "mixing": "communities",
        "level": "0",
        "batch_order": "shuffled",
        "unbiased": "0",
        "dependency": "1",
    }
    knobs_of |= effect.knobs
    name = "_".join([sweep.graph, sweep.model, *map(str, knobs_of.values()), str(seed)]).replace("/", "-")
    file = f"runs/{name}.json"
    parts = {"sample": 0.9 * speed, "stage": 0.2 * speed, "compute": 1.7 * speed, "stall": 0.3 * speed}
    _write_history(folder / file, sweep.num_nodes, valid, seconds)
    return {
        "graph": sweep.graph,
        "model": sweep.model,
        **knobs_of,
        "fanout": "10x10",
        "batch_size": "1024",
        "hidden": "64",
        "layers": "2",
        "seed": seed,
        "epochs": epochs,
        "best_epoch": best,
        "best_valid": valid[best],
        "test": (level - 1 + sweep.noise_points * rng.normal()) / 100,
        "seconds_to_best": seconds[: best + 1].sum(),
        "seconds_per_epoch": float(np.median(seconds)),
        "cpu_seconds_per_epoch": 1.8 * float(np.median(seconds)),
        **{f"{part}_seconds": value for part, value in parts.items()},
        "evaluate_seconds": 0.3,
        "input_nodes_per_batch": nodes,
        "edges_per_batch": 3 * nodes,
        "communities_per_batch": 40,
        "label_entropy_bits": 3.9 * effect.nodes**0.1,
        "hit_rate": "",
        "peak_rss_bytes": 10**8,
        "device": "cpu",
        "file": file,
    }


def _write_history(path, num_nodes, valid, seconds):
    epochs = [
        {"epoch": i, "valid_accuracy": float(accuracy), "seconds": {"total": float(total), "evaluate": 0.3}}
        for i, (accuracy, total) in enumerate(zip(valid, seconds))
    ]
    path.write_text(json.dumps({"dataset": {"nodes": num_nodes}, "epochs": epochs}))


def _stop(valid, patience):
    best = 0
    for i in range(len(valid)):
        if valid[i] > valid[best]:
            best = i
        if patience and i - best >= patience:
            return i + 1
    return len(valid)
