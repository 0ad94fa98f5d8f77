import gc
import subprocess
import sys
from pathlib import Path

import kith
import numpy as np
import pytest
from conftest import kith_environment, make_arrays


def edge_set(edge_index):
    return set(map(tuple, np.asarray(edge_index).T.tolist()))


def test_the_graph_keeps_its_edges_under_new_ids(arrays, data):
    in_source = data.original_id[data.edge_index]
    assert edge_set(in_source) == edge_set(arrays["edge_index"])
    assert data.num_edges == len(edge_set(arrays["edge_index"]))


def test_edge_id_names_the_column_of_the_given_edge_index(arrays, data):
    assert np.array_equal(arrays["edge_index"][:, data.edge_id], data.original_id[data.edge_index])


def test_nodes_take_features_labels_and_splits_along(arrays, data):
    assert np.array_equal(data.x, arrays["x"][data.original_id])
    assert np.array_equal(data.y, arrays["y"][data.original_id])
    for name in ("train", "valid", "test"):
        ids = getattr(data, name)
        assert (np.diff(ids) > 0).all()
        assert set(data.original_id[ids]) == set(arrays[name])
    assert (data.num_features, data.num_classes) == (12, 4)


def test_given_communities_become_ranges_of_ids(arrays, data):
    community = data.communities(0)
    assert (np.diff(community) >= 0).all()
    given = arrays["communities"][data.original_id]
    assert all(len(set(given[community == c])) == 1 for c in range(community.max() + 1))
    assert np.array_equal(np.diff(data.community_offsets(0)), np.bincount(community))


def test_communities_are_found_when_none_are_given(arrays):
    found = kith.Dataset.from_arrays(
        arrays["edge_index"], num_nodes=400, num_communities=10, num_levels=2, seed=3
    )
    again = kith.Dataset.from_arrays(
        arrays["edge_index"], num_nodes=400, num_communities=10, num_levels=2, seed=3
    )
    assert 2 <= found.community_offsets(0).size - 1 <= 20
    assert np.array_equal(found.original_id, again.original_id)
    assert sorted(found.original_id) == list(range(400))


def test_symmetrize_adds_the_reverse_and_keeps_the_column():
    data = kith.Dataset.from_arrays([[0, 1], [1, 2]], symmetrize=True, communities=[0, 0, 0])
    edges = data.original_id[data.edge_index]
    assert edge_set(edges) == {(0, 1), (1, 0), (1, 2), (2, 1)}
    by_edge = dict(zip(map(tuple, edges.T.tolist()), data.edge_id.tolist()))
    assert by_edge == {(0, 1): 0, (1, 0): 0, (1, 2): 1, (2, 1): 1}
    assert not data.is_directed
    assert kith.Dataset.from_arrays([[0, 1], [1, 2]]).is_directed


def test_masks_and_ids_name_the_same_split(arrays):
    masks = {name: np.isin(np.arange(400), arrays[name]) for name in ("train", "valid", "test")}
    by_mask = kith.Dataset.from_arrays(**{**arrays, **masks})
    by_id = kith.Dataset.from_arrays(**arrays)
    assert np.array_equal(by_mask.train, by_id.train)
    assert np.array_equal(by_mask.test, by_id.test)


def test_from_original_undoes_the_renumbering(data):
    ids = np.array([[5, 17], [0, 399]])
    assert np.array_equal(data.original_id[data.from_original(ids)], ids)
    with pytest.raises(ValueError, match="400"):
        data.from_original([1, 400])


def test_a_saved_file_reads_back_the_same(data, tmp_path):
    path = tmp_path / "graph.kith.h5"
    data.save(path)
    for mapped in (True, False):
        read = kith.Dataset.open(path, map_features=mapped, verify=True)
        for name in ("x", "y", "indptr", "indices", "original_id", "edge_id", "train", "valid", "test"):
            assert np.array_equal(getattr(read, name), getattr(data, name)), name
        assert read.num_levels == data.num_levels


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_features_keep_their_type(arrays, dtype):
    x = arrays["x"].astype(dtype)
    data = kith.Dataset.from_arrays(arrays["edge_index"], x, communities=arrays["communities"])
    assert data.x.dtype == dtype
    assert np.array_equal(data.x, x[data.original_id])


def test_multi_label_targets_stay_rows_of_zero_and_one(arrays):
    y = (np.arange(400)[:, None] >> np.arange(3)) & 1
    data = kith.Dataset.from_arrays(arrays["edge_index"], arrays["x"], y, communities=arrays["communities"])
    assert data.is_multi_label and data.num_classes == 3
    assert np.array_equal(data.y, y[data.original_id])
    batch = next(iter(kith.NeighborLoader(data, [3], batch_size=16)))
    assert np.array_equal(batch.y, data.y[batch.n_id])


def test_views_share_memory_and_cannot_be_written(data):
    assert np.shares_memory(data.x, data.x)
    for name in ("x", "y", "indptr", "indices", "original_id", "edge_id"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(data, name)[0] = 0


def test_a_view_keeps_its_dataset_alive(tmp_path):
    arrays = make_arrays(60)
    dataset = kith.Dataset.from_arrays(**arrays)
    dataset.save(tmp_path / "graph.kith.h5")
    mapped = kith.Dataset.open(tmp_path / "graph.kith.h5")
    views = [dataset.x, mapped.x, dataset.indices]
    copies = [view.copy() for view in views]
    del dataset, mapped
    gc.collect()
    assert all(np.array_equal(view, copy) for view, copy in zip(views, copies))


def test_a_graph_without_edges_features_or_labels_is_one():
    data = kith.Dataset.from_arrays(np.zeros((2, 0), np.int64), num_nodes=3)
    assert (data.num_nodes, data.num_edges, data.num_features) == (3, 0, 0)
    assert data.x is None and data.y is None
    batch = next(iter(kith.NeighborLoader(data, [2, 2])))
    assert batch.x is None and batch.y is None and batch.num_edges == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"edge_index": [[0, 1, 2]]}, r"\[2, E\]"),
        ({"edge_index": [[0.5], [1.0]]}, "whole numbers"),
        ({"edge_index": [[0, 1], [1]]}, "edge_index must be an array"),
        ({"edge_index": [[0], [400]]}, "400"),
        ({"edge_index": [[-1], [0]]}, "-1"),
        ({"x": np.zeros((400, 12))}, "float64"),
        ({"x": np.zeros((12, 400), np.float32).T}, "C-contiguous"),
        ({"x": np.full((400, 2), np.nan, np.float32)}, "finite"),
        ({"x": np.zeros((399, 2), np.float32), "num_nodes": 400}, "rows"),
        ({"y": np.full(400, -2)}, "-2"),
        ({"y": np.zeros(399, int)}, "399"),
        ({"y": np.zeros((400, 3)) + 2}, "0 and 1"),
        ({"train": [1, 1]}, "repeat"),
        ({"train": [400]}, "400"),
        ({"train": np.ones(399, bool)}, "mask of 399"),
        ({"communities": [0, 1]}, "communities"),
        ({"communities": np.full(400, -1)}, "communities"),
        ({"num_classes": 2}, "label"),
        ({"method": "louvain", "communities": None}, "louvain"),
        ({"num_communities": 0}, "num_communities"),
        ({"community_size": 0}, "community_size"),
        ({"imbalance": -1.0, "communities": None}, "imbalance"),
        ({"symmetrize": 1}, "symmetrize"),
        ({"seed": -1}, "seed"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(arrays, change, message):
    with pytest.raises(ValueError, match=message):
        kith.Dataset.from_arrays(**{**arrays, **change})


def test_a_missing_or_damaged_file_is_an_os_error(tmp_path):
    with pytest.raises(OSError, match="none.kith.h5"):
        kith.Dataset.open(tmp_path / "none.kith.h5")
    (tmp_path / "bad.kith.h5").write_bytes(b"not a dataset" * 100)
    with pytest.raises(OSError, match="bad.kith.h5"):
        kith.Dataset.open(tmp_path / "bad.kith.h5")


def test_saving_into_a_missing_folder_is_an_os_error(data, tmp_path):
    with pytest.raises(OSError):
        data.save(tmp_path / "missing" / "graph.kith.h5")


def test_levels_that_do_not_exist_are_refused(data):
    with pytest.raises(ValueError, match="level"):
        data.communities(99)


@pytest.mark.parametrize("mapped", [True, False])
def test_a_dataset_outlives_the_name_of_its_file(data, tmp_path, mapped):
    path = tmp_path / "graph.kith.h5"
    data.save(path)
    read = kith.Dataset.open(path, map_features=mapped)
    path.unlink()
    batch = next(iter(kith.NeighborLoader(read, [3], "train", batch_size=20)))
    assert np.array_equal(batch.x, data.x[batch.n_id])
    with pytest.raises(OSError, match="graph.kith.h5"):
        kith.Dataset.open(path)


PEAK_OF_FROM_ARRAYS = """
import numpy, kith

def status(name):
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) * 1024

x = numpy.ones((400_000, 128), numpy.float32)
edge_index = numpy.stack([numpy.arange(400_000), numpy.roll(numpy.arange(400_000), 1)])
communities = numpy.arange(400_000) // 256
open("/proc/self/clear_refs", "w").write("5")  # the peak starts anew
before = status("VmRSS")
data = kith.Dataset.from_arrays(edge_index, x, communities=communities)
print((status("VmHWM") - before) / x.nbytes)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_features_are_copied_once():
    """Into the new order; a second copy, even a passing one, would double the peak."""
    result = subprocess.run(
        [sys.executable, "-c", PEAK_OF_FROM_ARRAYS], env=kith_environment(), capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    assert 1.0 <= float(result.stdout) < 1.6
