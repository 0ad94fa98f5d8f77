"""The samplers, mixings and ranks of NeighborLoader, seen from Python."""

import kith
import numpy as np
import pytest


def batches_of(data, **options):
    options = {"num_neighbors": [4, 3], "input_nodes": "train", "batch_size": 20, "seed": 3, **options}
    return list(kith.NeighborLoader(data, **options))


def test_full_takes_every_neighbour(data):
    for batch in batches_of(data, sampler="full"):
        degree = np.diff(data.indptr)[batch.n_id]
        assert np.array_equal(np.diff(batch.indptr), degree[: batch.indptr.size - 1])


def test_labor_draws_as_many_edges_from_fewer_nodes(data):
    sums = {"neighbor": [0, 0], "labor": [0, 0]}
    for sampler, total in sums.items():
        for batch in batches_of(data, sampler=sampler, mix=1, p_intra=0.5, num_neighbors=[4], batch_size=100):
            total[0] += batch.num_nodes
            total[1] += batch.num_edges
    assert sums["labor"][1] == sums["neighbor"][1]
    assert sums["labor"][0] < 0.95 * sums["neighbor"][0]


def test_cluster_is_the_sub_graph_of_whole_communities(data):
    community = data.communities()
    for batch in batches_of(data, sampler="cluster", group=2):
        inside = np.isin(community, np.unique(community[batch.n_id[: batch.batch_size]]))
        assert np.array_equal(np.sort(batch.n_id), np.flatnonzero(inside))
        targets = np.repeat(np.arange(data.num_nodes), np.diff(data.indptr))
        assert batch.num_edges == (inside[targets] & inside[data.indices]).sum()


def test_dependent_batches_draw_alike(data):
    batches = batches_of(data, num_neighbors=[2, 2], dependency=1000, batch_size=50, mix=1)
    drawn = {}
    compared = 0
    for batch in batches:
        # Nodes that the first hop reached are expanded by the second, in every batch with the same draws.
        first, last = batch.num_sampled_nodes[0], sum(batch.num_sampled_nodes[:2])
        for row in range(first, last):
            edges = set(batch.e_id[batch.indptr[row] : batch.indptr[row + 1]])
            compared += batch.n_id[row] in drawn
            assert drawn.setdefault(batch.n_id[row], edges) == edges
    assert compared > 20


def test_unbiased_weights_make_a_mean(data):
    for batch in batches_of(data, unbiased=True, p_intra=0.9, num_neighbors=[4, -1]):
        assert batch.edge_weight.dtype == np.float32 and batch.edge_weight.size == batch.num_edges
        sums = np.add.reduceat(np.append(batch.edge_weight, 0), batch.indptr[:-1])
        drawn = np.diff(batch.indptr) > 0
        assert np.allclose(sums[drawn], 1)
    assert batches_of(data)[0].edge_weight is None


@pytest.mark.parametrize("mixing", ["communities", "balanced", "nested", "leaky"])
def test_every_mixing_visits_every_root_once(arrays, mixing):
    graph = {name: value for name, value in arrays.items() if name != "communities"}
    data = kith.Dataset.from_arrays(**graph, community_size=10, num_levels=2)
    assert data.num_levels == 2
    roots = [batch.n_id[: batch.batch_size] for batch in batches_of(data, mixing=mixing, mix=0.3)]
    assert np.array_equal(np.sort(np.concatenate(roots)), data.train)


@pytest.mark.parametrize("batch_size", [7, 20])
def test_ranks_share_an_epoch(data, batch_size):
    alone = batches_of(data, batch_size=batch_size)
    by_rank = [batches_of(data, batch_size=batch_size, rank=rank, world_size=3) for rank in range(3)]
    assert len({len(batches) for batches in by_rank}) == 1
    roots = [batch.n_id[: batch.batch_size] for batches in by_rank for batch in batches]
    assert np.array_equal(np.sort(np.concatenate(roots)), data.train)
    whole = {batch.n_id.tobytes() + batch.e_id.tobytes() for batch in alone}
    shared = [batch.n_id.tobytes() + batch.e_id.tobytes() for batches in by_rank for batch in batches]
    # All but the batches that were cut anew are those of one process, to the bit.
    assert sum(bits in whole for bits in shared) >= len(alone) - len(alone) % 3 - 1


def test_a_rank_resumes_in_mid_epoch(data):
    options = {"num_neighbors": [3], "input_nodes": "train", "batch_size": 10, "rank": 1, "world_size": 2}
    loader = kith.NeighborLoader(data, **options)
    iterator = iter(loader)
    next(iterator)
    next(iterator)
    resumed = kith.NeighborLoader(data, **options)
    resumed.load_state_dict(loader.state_dict())
    rest = list(resumed)
    assert [batch.n_id.tolist() for batch in rest] == [batch.n_id.tolist() for batch in iterator]
    assert len(rest) == len(loader) - 2


def test_the_accounts_of_a_batch_add_up(data):
    community = data.communities()
    before = np.empty(0, np.int64)
    for batch in batches_of(data):
        ends = community[batch.n_id[batch.edge_index]]
        assert batch.stats["intra_edges"] == (ends[0] == ends[1]).sum()
        assert batch.stats["reused_input_nodes"] == np.isin(batch.n_id, before).sum()
        row_bytes = data.x.dtype.itemsize * data.num_features
        first, last = batch.n_id * row_bytes // 4096, ((batch.n_id + 1) * row_bytes - 1) // 4096
        assert batch.stats["pages"] == np.unique(np.concatenate([first, last])).size
        before = batch.n_id


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampler": "best"}, "neighbor, labor, cluster or full, got best"),
        ({"mixing": "well"}, "communities, balanced, nested or leaky, got well"),
        ({"mixing": "nested", "level": 1}, "coarsest"),
        ({"dependency": 0}, "dependency"),
        ({"unbiased": 1}, "unbiased must be True or False"),
        ({"unbiased": True, "no_intra": "drop"}, "no_intra = keep"),
        ({"unbiased": True, "sampler": "cluster"}, "cluster"),
        ({"sampler": "labor", "replace": True}, "replacement"),
        ({"rank": 2, "world_size": 2}, "rank"),
        ({"world_size": 0}, "world_size"),
        ({"bias_level": 7}, "level"),
        ({"world_size": 100_000}, "at least one root a rank"),
    ],
)
def test_bad_options_are_refused(data, options, message):
    if options.get("level") == 1:
        options = {**options, "level": data.num_levels - 1}
    with pytest.raises(ValueError, match=message):
        kith.NeighborLoader(data, [2], "train", **options)
