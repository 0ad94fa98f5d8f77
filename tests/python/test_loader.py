"""The behaviours that PyG's own tests of NeighborLoader ask of a homogeneous graph, and ours on top."""

import gc

import kith
import numpy as np
import pytest

ARRAYS = ("x", "y", "edge_index", "n_id", "e_id", "input_id", "indptr", "indices")


def assert_same(one, other):
    for name in ARRAYS:
        assert np.array_equal(getattr(one, name), getattr(other, name)), name
    assert one.num_sampled_nodes == other.num_sampled_nodes


def epoch_of(loader, epoch=0):
    loader.set_epoch(epoch)
    return list(loader)


@pytest.fixture(params=[(0.0, 0.9), (0.5, 1.0), (1.0, 0.5)], ids=["structured", "inside", "uniform"])
def loader(data, request):
    mix, p_intra = request.param
    return kith.NeighborLoader(data, [4, 3], "train", batch_size=20, mix=mix, p_intra=p_intra, seed=5)


def test_an_epoch_of_a_schedule_is_that_of_constant_knobs(data):
    def make(**knobs):
        return kith.NeighborLoader(data, [4, 3], "train", batch_size=20, seed=5, **knobs)

    changing = make(mix=(0, 0.5), p_intra="1:0.6", schedule_epochs=3)
    stepping = make(mix="0:0.5", p_intra=(1, 0.6), schedule_epochs=4, schedule="step")
    for epoch, mix, p_intra in [(0, 0, 1), (1, 0.25, 0.8), (2, 0.5, 0.6), (7, 0.5, 0.6)]:
        constant = epoch_of(make(mix=mix, p_intra=p_intra), epoch)
        for one, other in zip(epoch_of(changing, epoch), constant, strict=True):
            assert_same(one, other)
        if epoch != 1:
            for one, other in zip(epoch_of(stepping, epoch), constant, strict=True):
                assert_same(one, other)


def test_the_state_of_a_schedule_goes_on_under_the_same_schedule_alone(data):
    def make(**knobs):
        return kith.NeighborLoader(data, [4], "train", batch_size=20, seed=5, mix=(0, 1), **knobs)

    loader = make(schedule_epochs=3)
    whole = epoch_of(loader, 1)
    loader.set_epoch(1)
    next(iter(loader))
    state = loader.state_dict()
    other = make(schedule_epochs=3)
    other.load_state_dict(state)
    for one, rest in zip(other, whole[1:], strict=True):
        assert_same(one, rest)
    with pytest.raises(ValueError, match="mix 0:1, p_intra 0.9, linear over 3 epochs"):
        make(schedule_epochs=4).load_state_dict(state)
    constant = kith.NeighborLoader(data, [4], "train", batch_size=20)
    assert set(constant.state_dict()) == {"epoch", "batch", "num_batches"}
    with pytest.raises(ValueError, match="schedule"):
        constant.load_state_dict(state)


def test_every_root_comes_once_and_first(data, loader):
    batches = epoch_of(loader)
    assert len(batches) == len(loader) == -(-data.train.size // 20)
    roots = np.concatenate([batch.n_id[: batch.batch_size] for batch in batches])
    assert np.array_equal(np.sort(roots), data.train)


def test_nodes_of_a_batch_are_unique_and_bring_their_rows(data, loader):
    for batch in loader:
        assert np.unique(batch.n_id).size == batch.n_id.size
        assert batch.x.dtype == np.float32 and np.array_equal(batch.x, data.x[batch.n_id])
        assert batch.y.dtype == np.int64 and np.array_equal(batch.y, data.y[batch.n_id])


def test_edges_exist_and_e_id_is_their_column(arrays, data, loader):
    for batch in loader:
        edges = data.original_id[batch.n_id[batch.edge_index]]
        assert np.array_equal(arrays["edge_index"][:, batch.e_id], edges)
        assert (np.diff(batch.edge_index[1]) >= 0).all()


def test_without_replacement_no_edge_comes_twice(loader):
    for batch in loader:
        assert np.unique(batch.e_id).size == batch.e_id.size


def test_num_sampled_counts_hops(data, loader):
    for batch in loader:
        assert sum(batch.num_sampled_nodes) == batch.num_nodes
        assert sum(batch.num_sampled_edges) == batch.num_edges
        assert (len(batch.num_sampled_nodes), len(batch.num_sampled_edges)) == (3, 2)
        bounds = np.cumsum([0, *batch.num_sampled_nodes])
        hop_of_target = np.searchsorted(bounds, batch.edge_index[1], side="right") - 1
        assert np.array_equal(np.bincount(hop_of_target, minlength=2), batch.num_sampled_edges)
        for hop, fanout in enumerate((4, 3)):
            drawn = np.bincount(batch.edge_index[1])[bounds[hop] : bounds[hop + 1]]
            assert (drawn <= fanout).all()


def test_blocks_are_the_hops_outermost_first(loader):
    batch = next(iter(loader))
    outer, inner = batch.blocks
    assert [block.num_dst for block in batch.blocks[::-1]] == [inner.num_dst, outer.num_dst]
    assert outer.num_src == batch.num_nodes
    assert outer.num_dst == inner.num_src == sum(batch.num_sampled_nodes[:2])
    assert inner.num_dst == batch.batch_size
    assert outer.indices.size == batch.num_edges and inner.indices.size == batch.num_sampled_edges[0]
    targets = np.repeat(np.arange(outer.num_dst), np.diff(outer.indptr))
    assert np.array_equal(np.stack([outer.indices, targets]), batch.edge_index)
    assert np.shares_memory(outer.indices, batch.indices)


def test_all_neighbours_are_the_in_neighbours(data):
    for batch in kith.NeighborLoader(data, [-1], [7, 3], batch_size=1):
        node = batch.n_id[0]
        row = data.indices[data.indptr[node] : data.indptr[node + 1]]
        assert np.array_equal(np.sort(batch.n_id[batch.edge_index[0]]), row)


@pytest.mark.parametrize("how", ["ids", "mask", "list"])
def test_input_id_is_the_position_in_input_nodes(data, how):
    ids = np.array([30, 2, 111, 7, 64])
    if how == "mask":
        given = np.isin(np.arange(data.num_nodes), ids)
        node_at = np.arange(data.num_nodes)
    else:
        given = ids if how == "ids" else ids.tolist()
        node_at = ids
    batches = list(kith.NeighborLoader(data, [2], given, batch_size=2))
    for batch in batches:
        assert np.array_equal(node_at[batch.input_id], batch.n_id[: batch.batch_size])
    assert sorted(np.concatenate([node_at[batch.input_id] for batch in batches])) == sorted(ids)


def test_no_input_nodes_means_all(data):
    roots = [batch.n_id[: batch.batch_size] for batch in kith.NeighborLoader(data, [1], batch_size=64)]
    assert np.array_equal(np.sort(np.concatenate(roots)), np.arange(data.num_nodes))


@pytest.mark.parametrize("name", ["train", "valid", "val", "test"])
def test_splits_go_by_name(data, name):
    roots = [batch.n_id[: batch.batch_size] for batch in kith.NeighborLoader(data, [1], name, batch_size=64)]
    assert np.array_equal(np.sort(np.concatenate(roots)), data.valid if name == "val" else getattr(data, name))


def test_torch_tensors_are_taken_as_they_are(data):
    torch = pytest.importorskip("torch")
    loader = kith.NeighborLoader(data, torch.tensor([2, 2]).tolist(), torch.from_numpy(data.train))
    assert next(iter(loader)).batch_size == data.train.size


def test_without_shuffle_the_roots_come_as_stored(data):
    ids = [9, 4, 300, 12, 5]
    loader = kith.NeighborLoader(data, [2], ids, batch_size=2, shuffle=False)
    for _ in range(2):
        assert [batch.n_id[: batch.batch_size].tolist() for batch in loader] == [[9, 4], [300, 12], [5]]


def test_the_same_seed_and_epoch_give_the_same_batches(data, loader):
    for one, other in zip(epoch_of(loader, 3), epoch_of(loader, 3)):
        assert_same(one, other)


def test_seeds_and_epochs_differ(data):
    make = lambda seed: kith.NeighborLoader(data, [4], "train", batch_size=20, seed=seed)  # noqa: E731
    first, second = epoch_of(make(1)), epoch_of(make(2))
    assert not all(np.array_equal(a.n_id, b.n_id) for a, b in zip(first, second))
    again = epoch_of(make(1), 1)
    assert not all(np.array_equal(a.n_id, b.n_id) for a, b in zip(first, again))


def test_every_iteration_is_the_next_epoch(data):
    loader = kith.NeighborLoader(data, [4], "train", batch_size=20)
    assert loader.epoch == 0
    first = list(loader)
    assert loader.epoch == 1
    left = next(iter(loader))
    assert loader.epoch == 1
    again = next(iter(loader))  # steps from an epoch that is left early are not repeated for ever
    assert loader.epoch == 2 and not np.array_equal(left.n_id, again.n_id)
    assert_same(left, epoch_of(loader, 1)[0])
    for one, other in zip(epoch_of(loader, 0), first):
        assert_same(one, other)


@pytest.mark.parametrize("prefetch", [1, 4])
def test_prefetch_does_not_change_a_batch(data, prefetch):
    options = {"num_neighbors": [5, 5], "input_nodes": "train", "batch_size": 16, "seed": 2}
    inline = epoch_of(kith.NeighborLoader(data, prefetch=0, **options), 1)
    ahead = epoch_of(kith.NeighborLoader(data, prefetch=prefetch, **options), 1)
    assert len(inline) == len(ahead)
    for one, other in zip(inline, ahead):
        assert_same(one, other)


def test_drop_last_leaves_the_short_batch_out(data):
    sizes = [b.batch_size for b in kith.NeighborLoader(data, [2], "train", batch_size=50, drop_last=True)]
    assert sizes == [50] * (data.train.size // 50)


def test_replace_draws_as_many_as_asked(data):
    batch = next(iter(kith.NeighborLoader(data, [40], "train", replace=True)))
    degree = np.diff(data.indptr)[batch.n_id[: batch.batch_size]]
    assert np.array_equal(np.diff(batch.indptr), np.where(degree > 0, 40, 0))


def test_an_unbiased_batch_without_edges_has_weights_too():
    data = kith.Dataset.from_arrays(np.zeros((2, 0), np.int64), num_nodes=3)
    for batch in kith.NeighborLoader(data, [2, 2], unbiased=True, batch_size=2):
        assert batch.edge_weight.dtype == np.float32 and batch.edge_weight.shape == (0,)


def test_p_intra_one_and_drop_stay_inside(data):
    for batch in kith.NeighborLoader(data, [5, 5], "train", batch_size=20, p_intra=1, no_intra="drop"):
        community = data.communities()[batch.n_id[batch.edge_index]]
        assert np.array_equal(community[0], community[1])


def test_mix_zero_takes_one_community_after_another(data):
    for batch in kith.NeighborLoader(data, [2], batch_size=16, mix=0, batch_order="sequential"):
        assert batch.stats["communities"] <= 2


def test_stats_count_the_batch(data, loader):
    for batch in loader:
        stats = batch.stats
        assert (stats["roots"], stats["input_nodes"]) == (batch.batch_size, batch.num_nodes)
        assert stats["edges"] == batch.num_edges
        communities = data.communities()[batch.n_id[: batch.batch_size]]
        assert stats["communities"] == np.unique(communities).size
        assert stats["sample_seconds"] > 0 and stats["gather_seconds"] > 0


def test_what_is_not_gathered_takes_no_time(data):
    for batch in kith.NeighborLoader(data, [2], "train", batch_size=16, features=False):
        assert batch.stats["gather_seconds"] == 0


def test_half_precision_features_come_as_float32(arrays):
    data = kith.Dataset.from_arrays(
        arrays["edge_index"], arrays["x"].astype(np.float16), communities=arrays["communities"]
    )
    batch = next(iter(kith.NeighborLoader(data, [3], batch_size=10)))
    assert batch.x.dtype == np.float32
    assert np.array_equal(batch.x, data.x[batch.n_id].astype(np.float32))


def test_without_kept_edge_ids_e_id_is_a_position_in_indices(data, tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "graph.kith.h5"
    data.save(path)
    with h5py.File(path, "r+") as file:
        del file["graph/edge_id"]
    read = kith.Dataset.open(path)
    assert read.edge_id is None
    batch = next(iter(kith.NeighborLoader(read, [3, 3], "train", batch_size=20)))
    assert np.array_equal(read.indices[batch.e_id], batch.n_id[batch.edge_index[0]])


def test_a_batch_outlives_its_loader_and_its_dataset(arrays):
    data = kith.Dataset.from_arrays(**arrays)
    iterator = iter(kith.NeighborLoader(data, [4, 4], "train", batch_size=20, prefetch=3))
    batch = next(iterator)
    copies = {name: getattr(batch, name).copy() for name in ARRAYS}
    next(iterator)
    del data, iterator
    gc.collect()
    assert all(np.array_equal(getattr(batch, name), copies[name]) for name in ARRAYS)
    batch.x[:] = 0  # its own memory, so it can be written


def test_an_iterator_outlives_the_names_of_loader_and_dataset(arrays):
    iterator = iter(kith.NeighborLoader(kith.Dataset.from_arrays(**arrays), [4], batch_size=20))
    gc.collect()
    assert sum(batch.batch_size for batch in iterator) == 400


def test_two_iterators_do_not_disturb_each_other(data):
    loader = kith.NeighborLoader(data, [4], "train", batch_size=20)
    for one, other in zip(iter(loader), iter(loader)):
        assert_same(one, other)


def test_a_loader_resumes_in_mid_epoch(data):
    make = lambda: kith.NeighborLoader(data, [4], "train", batch_size=20, seed=9)  # noqa: E731
    loader = make()
    list(loader)
    iterator = iter(loader)
    seen = [next(iterator), next(iterator)]
    state = loader.state_dict()
    resumed = make()
    resumed.load_state_dict(state)
    rest = list(resumed)
    assert len(seen) + len(rest) == len(loader) and resumed.epoch == 2
    for one, other in zip(iterator, rest):
        assert_same(one, other)
    with pytest.raises(ValueError, match="batches"):
        kith.NeighborLoader(data, [4], "train", batch_size=10).load_state_dict(state)


def test_transform_has_the_last_word(data):
    assert list(kith.NeighborLoader(data, [1], [1, 2], batch_size=1, transform=lambda b: b.batch_size)) == [
        1,
        1,
    ]


@pytest.mark.parametrize("kind", ["dict", "tuple"])
def test_arrays_keep_their_ids_and_get_the_defaults_of_pyg(arrays, kind):
    given = {name: arrays[name] for name in ("edge_index", "x", "y")}
    graph = given if kind == "dict" else tuple(given.values())
    options = {"partition": {"communities": arrays["communities"]}}
    for batch in kith.NeighborLoader(graph, [4, 4], np.arange(10, 40), batch_size=15, **options):
        assert np.array_equal(batch.x, arrays["x"][batch.n_id])
        assert np.array_equal(batch.y, arrays["y"][batch.n_id])
        assert np.array_equal(batch.n_id[batch.edge_index], arrays["edge_index"][:, batch.e_id])
    loader = kith.NeighborLoader(graph, [2], np.arange(10, 40), **options)
    assert [batch.n_id[0] for batch in loader] == list(range(10, 40))  # one at a time, in order


@pytest.mark.parametrize("which", ["train", "ids", None])
def test_a_dataset_can_speak_original_ids(arrays, data, which):
    given = [3, 7, 11] if which == "ids" else which
    expected = {"ids": [3, 7, 11], "train": np.sort(arrays["train"]), None: np.arange(400)}[which]
    loader = kith.NeighborLoader(data, [3], given, batch_size=50, shuffle=False, original_ids=True)
    for batch in loader:
        assert np.array_equal(batch.x, arrays["x"][batch.n_id])
        assert np.array_equal(batch.n_id[batch.edge_index], arrays["edge_index"][:, batch.e_id])
    assert np.array_equal(np.concatenate([b.n_id[: b.batch_size] for b in loader]), expected)


def test_workers_are_threads_and_change_no_batch(data):
    options = {"num_neighbors": [5, 5], "input_nodes": "train", "batch_size": 16, "seed": 2}
    asked = {"num_workers": 4, "prefetch_factor": 3, "persistent_workers": True, "pin_memory": True}
    loader = kith.NeighborLoader(data, **options, **asked)
    assert loader._handle.options.prefetch_depth == 12
    for one, other in zip(epoch_of(kith.NeighborLoader(data, prefetch=0, **options)), epoch_of(loader)):
        assert_same(one, other)


def test_a_call_gives_the_batch_of_chosen_roots(data):
    loader = kith.NeighborLoader(data, [5, 5], [50, 60, 70], batch_size=2)
    batch = loader([2, 0])
    assert batch.n_id[:2].tolist() == [70, 50] and batch.input_id.tolist() == [2, 0]


def test_pyg_options_at_their_defaults_are_fine(data):
    loader = kith.NeighborLoader(
        data, [2], num_workers=0, pin_memory=False, disjoint=False, directed=True, subgraph_type="directional"
    )
    assert len(loader) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_neighbors": []}, "fanout"),
        ({"num_neighbors": [-2]}, "num_neighbors"),
        ({"num_neighbors": [2.5]}, "num_neighbors"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 2**40}, "batch_size"),
        ({"mix": 1.5}, "mix"),
        ({"mix": "much"}, "mix"),
        ({"p_intra": 0.4}, "p_intra"),
        ({"mix": (0, 0.5)}, "schedule epochs"),
        ({"mix": (0, 1.5), "schedule_epochs": 5}, "mix"),
        ({"p_intra": "1:0.4", "schedule_epochs": 5}, "p_intra"),
        ({"mix": (0, 0.5, 1), "schedule_epochs": 5}, "pair"),
        ({"mix": (0, "x"), "schedule_epochs": 5}, "mix"),
        ({"mix": "0:", "schedule_epochs": 5}, "mix"),
        ({"mix": (0, 0.5), "schedule_epochs": 5, "group": 2}, "group"),
        ({"schedule": "cosine"}, "cosine"),
        ({"schedule_epochs": -1}, "schedule_epochs"),
        ({"group": 0}, "group"),
        ({"level": 99}, "level"),
        ({"batch_order": "random"}, "random"),
        ({"batch_order": "window:0"}, "window"),
        ({"no_intra": "maybe"}, "maybe"),
        ({"prefetch": -1}, "prefetch"),
        ({"shuffle": "yes"}, "shuffle"),
        ({"seed": 2**64}, "seed"),
        ({"device": "tpu"}, "tpu"),
        ({"input_nodes": "dev"}, "dev"),
        ({"input_nodes": [400]}, "400"),
        ({"input_nodes": [-1]}, "-1"),
        ({"input_nodes": [3, 3]}, "repeat"),
        ({"input_nodes": np.ones(3, bool)}, "mask of 3"),
        ({"input_nodes": [0.5]}, "whole numbers"),
        ({"disjoint": True}, "disjoint"),
        ({"subgraph_type": "induced"}, "subgraph_type"),
        ({"time_attr": "time"}, "time_attr"),
        ({"input_time": np.arange(3)}, "input_time"),
        ({"num_workers": -1}, "num_workers"),
    ],
)
def test_bad_options_are_refused(data, options, message):
    with pytest.raises(ValueError, match=message):
        kith.NeighborLoader(data, **{"num_neighbors": [2], **options})


def test_unknown_options_and_foreign_data_are_refused(data, arrays):
    with pytest.raises(TypeError, match="fanouts"):
        kith.NeighborLoader(data, [2], fanouts=[1])
    with pytest.raises(ValueError, match="kith.Dataset"):
        kith.NeighborLoader(arrays["edge_index"], [2])
    loader = kith.NeighborLoader(data, [2])
    with pytest.raises(ValueError, match="epoch"):
        loader.set_epoch(2**24)


def test_a_missing_device_is_a_runtime_error(data):
    if "cuda" in kith.available_devices():
        pytest.skip("there is a CUDA device")
    with pytest.raises(RuntimeError, match="CUDA"):
        kith.NeighborLoader(data, [2], device="cuda")
