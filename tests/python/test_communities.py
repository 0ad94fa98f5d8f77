import kith
import numpy as np
import pytest
from conftest import make_arrays
from kith.communities import quality

# Two triangles, joined by one edge; both directions.
TRIANGLES = [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3), (2, 3)]
EDGES = np.array(TRIANGLES + [(v, u) for u, v in TRIANGLES]).T


def test_quality_of_a_graph_known_by_hand():
    found = quality(EDGES, [7, 7, 7, 2, 2, 2])
    assert found.num_communities == 2 and found.sizes.tolist() == [3, 3]
    assert found.intra_edge_fraction == pytest.approx(6 / 7)
    assert found.modularity == pytest.approx(6 / 7 - 2 * 0.5**2)


def test_direction_does_not_matter_and_loops_are_no_inside_edges():
    once = quality(np.array(TRIANGLES).T, [0, 0, 0, 1, 1, 1])
    assert once.modularity == pytest.approx(quality(EDGES, [0, 0, 0, 1, 1, 1]).modularity)
    looped = quality(np.array([*TRIANGLES, (0, 0)]).T, [0, 0, 0, 1, 1, 1])
    assert looped.intra_edge_fraction == once.intra_edge_fraction


def test_a_graph_without_edges_has_no_quality():
    found = quality(np.zeros((2, 0), np.int64), [0, 1, 1])
    assert np.isnan(found.intra_edge_fraction) and np.isnan(found.modularity) and found.sizes.tolist() == [2, 1]


def test_modularity_agrees_with_networkx():
    networkx = pytest.importorskip("networkx")
    arrays = make_arrays()
    graph = networkx.Graph(arrays["edge_index"].T.tolist())
    graph.add_nodes_from(range(400))
    block = arrays["communities"]
    expected = networkx.community.modularity(graph, [np.flatnonzero(block == b).tolist() for b in range(8)])
    edges = np.array(graph.edges()).T
    assert quality(edges, block).modularity == pytest.approx(expected)


@pytest.mark.parametrize("method", ["metis", "lpa"])
def test_partition_finds_the_triangles(method):
    found = kith.partition(EDGES, num_communities=2, method=method, imbalance=0.1)
    assert found.dtype == np.int64 and set(found) == {0, 1}
    assert len(set(found[:3])) == len(set(found[3:])) == 1


@pytest.mark.parametrize("method", ["metis", "lpa"])
def test_partition_speaks_the_callers_ids_and_is_repeatable(method):
    arrays = make_arrays()
    options = {"num_communities": 8, "method": method, "seed": 3}
    found = kith.partition(arrays["edge_index"], 400, **options)
    assert np.array_equal(found, kith.partition(arrays["edge_index"], 400, **options))
    shuffled = np.random.default_rng(0).permutation(found)
    kept = quality(arrays["edge_index"], found)
    assert kept.intra_edge_fraction > 2 * quality(arrays["edge_index"], shuffled).intra_edge_fraction
    assert kept.sizes.sum() == 400


def test_partition_counts_nodes_without_edges():
    found = kith.partition(EDGES, num_nodes=9, num_communities=2)
    assert found.size == 9 and (found >= 0).all()
    assert kith.partition(EDGES).size == 6


def test_partition_gives_communities_to_a_dataset():
    arrays = make_arrays()
    found = kith.partition(arrays["edge_index"], 400, num_communities=6)
    data = kith.Dataset.from_arrays(arrays["edge_index"], num_nodes=400, communities=found)
    assert np.array_equal(np.sort(np.bincount(found)), np.sort(np.diff(data.community_offsets())))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: kith.partition(EDGES[0]), "shape"),
        (lambda: kith.partition(EDGES, num_nodes=4), r"\[0, 4\), got 4"),
        (lambda: kith.partition(EDGES, num_communities=0), "num_communities"),
        (lambda: kith.partition(EDGES, num_communities=7), "7"),
        (lambda: kith.partition(EDGES, method="spectral"), "spectral"),
        (lambda: kith.partition(EDGES * 0.5), "whole numbers"),
        (lambda: quality(EDGES, [0, 0, 0]), r"\[0, 3\), got 3"),
        (lambda: quality(EDGES, np.zeros((6, 1), int)), "shape"),
        (lambda: quality(EDGES, np.zeros(6)), "whole numbers"),
        (lambda: quality(EDGES[:1], np.zeros(6, int)), "shape"),
    ],
)
def test_bad_arguments_get_one_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()
