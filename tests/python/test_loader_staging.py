"""Features through tiers: the same batches as in place, within a byte budget, from the dataset's file."""

import kith
import numpy as np
import pytest
from conftest import make_arrays

POLICIES = ["degree", "presample", "lru", "sieve", "lookahead", "lstm", "auto"]
OPTIONS = {"batch_size": 128, "mix": 0.25, "p_intra": 0.9, "seed": 3}


@pytest.fixture(scope="module", params=["f32", "f16"])
def stored(request, tmp_path_factory):
    """A dataset in a file: 8 or 16 pages of features, whose rows straddle sectors."""
    arrays = make_arrays(num_nodes=4000, num_features=63)
    dtype = {"f32": np.float32, "f16": np.float16}[request.param]
    path = tmp_path_factory.mktemp("staging") / "graph.kith.h5"
    kith.Dataset.from_arrays(**arrays | {"x": arrays["x"].astype(dtype)}).save(path)
    return kith.Dataset.open(path)


def epochs(data, count=2, **staging):
    loader = kith.NeighborLoader(data, [5, 5], "train", **OPTIONS, **staging)
    return [list(loader) for _ in range(count)]


@pytest.mark.parametrize("host_bytes", [0, "40%", "100%"])
@pytest.mark.parametrize("policy", POLICIES)
def test_batches_are_those_of_features_in_place(stored, policy, host_bytes):
    expected = epochs(stored)
    staged = epochs(stored, stage=policy, stage_bytes="30%", host_bytes=host_bytes)
    batches = sum(staged, [])
    for wanted, got in zip(sum(expected, []), batches, strict=True):
        assert got.x.dtype == np.float32
        np.testing.assert_array_equal(got.x, wanted.x)
        np.testing.assert_array_equal(got.n_id, wanted.n_id)
        np.testing.assert_array_equal(got.edge_index, wanted.edge_index)
    assert sum(batch.stats["staged_hits"] for batch in batches) > 0
    from_disk = sum(batch.stats["staged_bytes_from_disk"] for batch in batches)
    assert (from_disk == 0) == (host_bytes == "100%")


@pytest.mark.parametrize("prefetch", [0, 3])
def test_an_epoch_may_be_left_and_gone_on_with(stored, prefetch):
    staging = {"stage": "lookahead", "stage_bytes": "30%", "host_bytes": 0, "prefetch": prefetch}
    loader = kith.NeighborLoader(stored, [5, 5], "train", **OPTIONS, **staging)
    batches = iter(loader)
    next(batches), next(batches)
    state = loader.state_dict()
    del batches
    loader.load_state_dict(state)
    rest = list(loader)
    second = list(loader)
    expected = epochs(stored)
    for wanted, got in zip(expected[0][2:] + expected[1], rest + second, strict=True):
        np.testing.assert_array_equal(got.x, wanted.x)


def test_one_iteration_at_a_time(stored):
    loader = kith.NeighborLoader(stored, [5], "train", stage="lru", stage_bytes="10%", **OPTIONS)
    first = iter(loader)
    next(first)
    with pytest.raises(ValueError, match="another iteration of this loader is still alive"):
        next(iter(loader))
    del first
    assert next(iter(loader)).x is not None


def test_training_through_tiers_computes_the_same(stored):
    def losses(**staging):
        model = kith.nn.GraphSAGE(stored.num_features, 8, stored.num_classes, num_layers=2, seed=1)
        trainer = kith.Trainer(model, stored, device="cpu", **staging)
        loader = kith.NeighborLoader(stored, [5, 5], "train", **OPTIONS)
        return trainer.fit(loader, epochs=3, progress=False)["train_loss"]

    assert losses(stage="auto", stage_bytes="30%", host_bytes=0) == losses()


def test_wrong_options_are_named(stored, data):
    def loader(dataset=stored, **staging):
        return kith.NeighborLoader(dataset, [5], "train", **staging)

    with pytest.raises(ValueError, match="expected, got 'fifo'"):
        loader(stage="fifo")
    with pytest.raises(ValueError, match="stage_bytes and host_bytes need a policy"):
        loader(stage_bytes="10%")
    with pytest.raises(ValueError, match="stage_bytes"):
        loader(stage="lru", stage_bytes="many")
    with pytest.raises(ValueError, match="stage_bytes"):
        loader(stage="lru", stage_bytes=-1)
    with pytest.raises(ValueError, match="features=True"):
        loader(stage="lru", features=False)
    with pytest.raises(ValueError, match="needs them in a file"):
        loader(data, stage="lru", stage_bytes=64, host_bytes=0)
    trainer = kith.Trainer(kith.nn.GraphSAGE(63, 4, stored.num_classes, num_layers=1), stored, device="cpu")
    with pytest.raises(ValueError, match="give it to the Trainer"):
        trainer.fit(loader(stage="lru", stage_bytes="10%"), epochs=1)


def test_a_dataset_without_features_has_nothing_to_stage(tmp_path):
    edges = np.array([[0, 1, 2], [1, 2, 0]])
    bare = kith.Dataset.from_arrays(edges, train=np.arange(3), communities=np.zeros(3, int))
    with pytest.raises(ValueError, match="no features"):
        kith.NeighborLoader(bare, [1], "train", stage="lru", stage_bytes=64)
