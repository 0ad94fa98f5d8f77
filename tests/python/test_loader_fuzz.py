"""What PyG's own tests ask of a loader's batches, on random graphs under random options; NumPy alone."""

import kith
import numpy as np
import pytest

NUM_CASES = 100


def random_dataset(rng):
    """A graph with self-loops, isolated nodes and repeated edges, and the edges it was made of."""
    num_nodes = int(rng.integers(1, 120))
    num_edges = int(rng.integers(0, 1 + num_nodes * rng.choice([1, 4, 12])))
    num_targets = int(rng.integers(1, num_nodes + 1))  # few of them hear from many
    edges = np.stack([rng.integers(0, num_nodes, num_edges), rng.integers(0, num_targets, num_edges)])
    given = rng.random() < 0.6
    communities = rng.integers(0, rng.integers(1, num_nodes + 1), num_nodes)
    data = kith.Dataset.from_arrays(
        edges,
        rng.normal(size=(num_nodes, 3)).astype(np.float32),
        rng.integers(0, 4, num_nodes),
        communities=np.unique(communities, return_inverse=True)[1] if given else None,
        num_nodes=num_nodes,
        symmetrize=bool(rng.random() < 0.3),
        method="lpa",
        community_size=int(rng.integers(1, 40)),
        num_levels=int(rng.integers(1, 4)),
    )
    return data, edges


def random_options(rng, data, num_roots):
    """Options that the loader accepts."""
    sampler = str(rng.choice(["neighbor", "neighbor", "labor", "full", "cluster"]))
    p_intra = float(rng.choice([0.5, 0.7, 0.9, 1]))
    unbiased = bool(sampler in ("neighbor", "labor") and rng.random() < 0.5)
    mixings = ["communities", "balanced"] + ["leaky"] * (sampler != "cluster")
    level = int(rng.integers(0, data.num_levels))
    if level + 1 < data.num_levels:
        mixings.append("nested")
    fanouts = rng.choice([-1, 0, 1, 2, 3, 8, 70], int(rng.integers(1, 5))).tolist()
    if unbiased and p_intra == 1:
        fanouts = [2 if fanout == 1 else fanout for fanout in fanouts]
    return {
        "num_neighbors": fanouts,
        "sampler": sampler,
        "p_intra": p_intra,
        "unbiased": unbiased,
        "replace": bool(sampler == "neighbor" and rng.random() < 0.3),
        "no_intra": "keep" if unbiased else str(rng.choice(["keep", "drop"])),
        "batch_size": int(rng.integers(1, 60)),
        "mix": float(rng.choice([0, 0.125, 0.5, 1])),
        "group": rng.choice([None, 1, 3]),
        "mixing": str(rng.choice(mixings)),
        "level": level,
        "bias_level": rng.choice([None, int(rng.integers(0, data.num_levels))]),
        "batch_order": str(rng.choice(["shuffled", "window:2", "sequential"])),
        "shuffle": bool(rng.random() < 0.8),
        "drop_last": bool(rng.random() < 0.2),
        "dependency": int(rng.choice([1, 2, 3])),
        "world_size": int(rng.integers(1, min(num_roots, 4) + 1)),
        "seed": int(rng.integers(0, 2**63)),
        "prefetch": int(rng.integers(0, 3)),
    }


class Case:
    def __init__(self, seed):
        rng = np.random.default_rng(seed)
        self.data, self.edges = random_dataset(rng)
        nodes = rng.permutation(self.data.num_nodes)[: rng.integers(1, self.data.num_nodes + 1)]
        self.roots = np.sort(nodes) if rng.random() < 0.5 else nodes
        self.options = random_options(rng, self.data, self.roots.size)
        self.epoch = int(rng.integers(0, 5))
        as_mask = np.isin(np.arange(self.data.num_nodes), self.roots)
        self.is_mask = bool((self.roots[:-1] < self.roots[1:]).all())
        self.input_nodes = as_mask if self.is_mask else self.roots
        chosen, level = self.options["bias_level"], self.options["level"]
        of_bias = level if chosen is None or self.options["sampler"] == "cluster" else chosen
        self.communities = self.data.communities(of_bias)

    def root_of(self, input_id):
        """input_id is a position in the roots, and in a mask that is the node itself."""
        return input_id if self.is_mask else self.roots[input_id]

    def batches(self, **changes):
        """The batches of each rank."""
        options = {**self.options, **changes}
        ranks = []
        for rank in range(options["world_size"]):
            options |= {"input_nodes": self.input_nodes, "rank": rank, "output": "numpy"}
            loader = kith.NeighborLoader(self.data, **options)
            loader.set_epoch(self.epoch)
            ranks.append(list(loader))
            assert len(ranks[-1]) == len(loader)
        return ranks


@pytest.fixture(params=range(NUM_CASES), scope="module")
def case(request):
    case = Case(request.param)
    case.ranks = case.batches()
    return case


def all_batches(case):
    return [batch for rank in case.ranks for batch in rank]


def test_ranks_get_as_many_batches_and_every_root_comes_once(case):
    assert len({len(rank) for rank in case.ranks}) == 1
    batches = all_batches(case)
    positions = np.concatenate([np.zeros(0, int), *(batch.input_id for batch in batches)])
    assert np.unique(positions).size == positions.size
    if not case.options["drop_last"]:
        assert np.array_equal(np.sort(case.root_of(positions)), np.sort(case.roots))
    elif case.options["sampler"] != "cluster":
        assert all(batch.batch_size == case.options["batch_size"] for batch in batches)
    for batch in batches:
        assert np.array_equal(batch.n_id[: batch.batch_size], case.root_of(batch.input_id))


def test_nodes_come_once_and_bring_their_rows(case):
    for batch in all_batches(case):
        assert np.unique(batch.n_id).size == batch.num_nodes
        assert np.array_equal(batch.x, case.data.x[batch.n_id])
        assert np.array_equal(batch.y, case.data.y[batch.n_id])


def test_edges_are_edges_of_the_graph_and_e_id_is_their_column(case):
    data = case.data
    for batch in all_batches(case):
        source, target = data.original_id[batch.n_id[batch.edge_index]]
        columns = case.edges[:, batch.e_id]
        same = (columns == [source, target]).all(axis=0)
        reverse = (columns == [target, source]).all(axis=0)  # symmetrised: an edge is known by its original
        assert (same if data.is_directed else same | reverse).all()
        keys = source * data.num_nodes + target
        known = data.original_id[data.edge_index]
        assert np.isin(keys, known[0] * data.num_nodes + known[1]).all()


def test_hops_add_up_and_each_node_is_reached_from_the_hop_before(case):
    num_hops = len(case.options["num_neighbors"])
    for batch in all_batches(case):
        assert (len(batch.num_sampled_nodes), len(batch.num_sampled_edges)) == (num_hops + 1, num_hops)
        assert (sum(batch.num_sampled_nodes), sum(batch.num_sampled_edges)) == (
            batch.num_nodes,
            batch.num_edges,
        )
        bounds = np.cumsum([0, *batch.num_sampled_nodes])
        source, target = batch.edge_index
        assert (np.diff(target) >= 0).all()
        hop_of_target = np.searchsorted(bounds, target, side="right") - 1
        assert np.array_equal(np.bincount(hop_of_target, minlength=num_hops), batch.num_sampled_edges)
        for block, hop in zip(batch.blocks[::-1], range(num_hops)):
            assert (block.num_dst, block.num_src) == (bounds[hop + 1], bounds[hop + 2])
            assert np.array_equal(block.indices, source[target < block.num_dst])
        if case.options["sampler"] == "cluster":
            continue
        for hop in range(num_hops):
            new = np.arange(bounds[hop + 1], bounds[hop + 2])
            assert np.isin(new, source[hop_of_target == hop]).all()
            # In order of first appearance.
            first = np.unique(source[(hop_of_target == hop) & (source >= bounds[hop + 1])], return_index=True)
            assert (np.diff(first[1]) > 0).all()


def promised(case, nodes, fanout):
    """How many neighbours each of the nodes gets."""
    data, options = case.data, case.options
    degree = np.diff(data.indptr)[nodes]
    source, target = data.edge_index
    is_inside = case.communities[source] == case.communities[target]
    inside = np.bincount(target[is_inside], minlength=data.num_nodes)[nodes]
    if options["sampler"] == "full" or (fanout == -1 and options["unbiased"]):
        return degree
    available = degree
    if options["p_intra"] == 1:
        outside_only = degree if options["no_intra"] == "keep" else 0
        one_more = ((inside > 0) & (inside < degree)) if options["unbiased"] else 0
        available = np.where(inside > 0, inside + one_more, outside_only)
    if fanout == -1:
        return available
    return np.where(available > 0, fanout, 0) if options["replace"] else np.minimum(fanout, available)


def test_every_node_gets_the_neighbours_that_were_asked_for(case):
    if case.options["sampler"] == "cluster":
        return
    for batch in all_batches(case):
        bounds = np.cumsum([0, *batch.num_sampled_nodes])
        for hop, fanout in enumerate(case.options["num_neighbors"]):
            drawn = np.diff(batch.indptr)[bounds[hop] : bounds[hop + 1]]
            nodes = batch.n_id[bounds[hop] : bounds[hop + 1]]
            assert np.array_equal(drawn, promised(case, nodes, fanout))
        if not case.options["replace"]:
            drawn = np.stack([batch.e_id, batch.edge_index[1]])  # symmetrised edges share a column
            assert np.unique(drawn, axis=1).shape == drawn.shape


def test_weights_give_each_class_its_share(case):
    for batch in all_batches(case):
        if not case.options["unbiased"]:
            assert batch.edge_weight is None
            continue
        assert np.isfinite(batch.edge_weight).all() and (batch.edge_weight > 0).all()
        source, target = batch.n_id[batch.edge_index]
        sums = np.bincount(batch.edge_index[1], batch.edge_weight, batch.num_nodes)
        drawn = np.bincount(batch.edge_index[1], minlength=batch.num_nodes)
        assert np.allclose(sums[drawn > 1], 1)
        is_inside = case.communities[source] == case.communities[target]
        inside = np.bincount(batch.edge_index[1], batch.edge_weight * is_inside, batch.num_nodes)
        all_source, all_target = case.data.edge_index
        of_graph = case.communities[all_source] == case.communities[all_target]
        share = np.bincount(all_target, of_graph, case.data.num_nodes)[batch.n_id]
        degree = np.diff(case.data.indptr)[batch.n_id]
        assert np.allclose((inside * degree)[drawn > 1], share[drawn > 1], rtol=1e-4, atol=1e-4)


def test_cluster_batches_are_induced_subgraphs(case):
    if case.options["sampler"] != "cluster":
        return
    for batch in all_batches(case):
        wanted = np.unique(case.communities[batch.n_id[: batch.batch_size]])
        assert np.array_equal(np.sort(batch.n_id), np.flatnonzero(np.isin(case.communities, wanted)))
        rows = batch.n_id[: batch.indptr.size - 1]
        source, target = case.data.edge_index
        induced = np.isin(target, rows) & np.isin(source, batch.n_id)
        assert batch.num_edges == induced.sum()


def test_accounts_agree_with_the_batch(case):
    for rank in case.ranks:
        before = np.zeros(0, int)
        for batch in rank:
            source, target = case.communities[batch.n_id[batch.edge_index]]
            assert batch.stats["edges"] == batch.num_edges
            assert batch.stats["intra_edges"] == (source == target).sum()
            assert batch.stats["input_nodes"] == batch.num_nodes
            assert batch.stats["reused_input_nodes"] == np.intersect1d(batch.n_id, before).size
            before = batch.n_id


def draws_of(batch):
    """The edges that each node of a hop draws, by (hop, node)."""
    bounds = np.cumsum(batch.num_sampled_nodes)
    draws = {}
    for i in range(batch.indptr.size - 1):
        hop = int(np.searchsorted(bounds, i, side="right"))
        draws[hop, int(batch.n_id[i])] = batch.e_id[batch.indptr[i] : batch.indptr[i + 1]].tolist()
    return draws


def test_dependent_batches_draw_a_node_of_a_hop_alike(case):
    if case.options["sampler"] == "cluster":
        return
    for rank in case.ranks:
        for first in range(0, len(rank), case.options["dependency"]):
            drawn = {}
            for batch in rank[first : first + case.options["dependency"]]:
                for place, edges in draws_of(batch).items():
                    assert drawn.setdefault(place, edges) == edges


def test_neither_prefetch_nor_a_second_run_changes_a_batch(case):
    again = case.batches(prefetch=3 - case.options["prefetch"])
    for one, other in zip(all_batches(case), [batch for rank in again for batch in rank], strict=True):
        for name in ("n_id", "e_id", "edge_index", "input_id", "indptr"):
            assert np.array_equal(getattr(one, name), getattr(other, name))
        assert np.array_equal(one.edge_weight, other.edge_weight)


def test_the_cases_cover_what_they_are_to_cover():
    """A fuzz test that draws the same easy case again and again proves little."""
    seen = {}
    for seed in range(NUM_CASES):
        for name, value in Case(seed).options.items():
            seen.setdefault(name, set()).add(str(value))
    assert seen["sampler"] == {"neighbor", "labor", "full", "cluster"}
    assert seen["mixing"] == {"communities", "balanced", "nested", "leaky"}
    assert {len(seen[name]) for name in ("unbiased", "replace", "no_intra", "drop_last", "shuffle")} == {2}
    assert len(seen["world_size"]) == 4 and len(seen["dependency"]) == 3
