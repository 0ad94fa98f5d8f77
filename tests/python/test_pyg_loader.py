"""What PyG's own tests ask of NeighborLoader on homogeneous graphs, and what a PyG user relies on."""

import gc
import os
import weakref
from pathlib import Path

import kith
import numpy as np
import pytest
from conftest import make_arrays

torch = pytest.importorskip("torch")
pytest.importorskip("torch_geometric")
from torch_geometric import EdgeIndex  # noqa: E402
from torch_geometric.data import Data, HeteroData  # noqa: E402
from torch_geometric.nn import GCN, GraphConv, GraphSAGE  # noqa: E402
from torch_geometric.utils import coalesce, k_hop_subgraph, to_undirected  # noqa: E402

torch.set_num_threads(1)  # threads of tiny operations cost more than they give, most of all on a busy machine
NUM_NODES, NUM_EDGES = 100, 500
UNIFORM = {"mix": 1.0, "p_intra": 0.5}


def random_edges(num_nodes=NUM_NODES, num_edges=NUM_EDGES, seed=12345):
    """num_edges different edges in random order."""
    generator = torch.Generator().manual_seed(seed)
    flat = torch.randperm(num_nodes * num_nodes, generator=generator)[:num_edges]
    return torch.stack([flat // num_nodes, flat % num_nodes])


def make_data(**changes):
    fields = {
        "x": torch.randn(NUM_NODES, 16, generator=torch.Generator().manual_seed(1)),
        "y": torch.arange(NUM_NODES) % 4,
        "edge_index": random_edges(),
        "edge_attr": torch.arange(NUM_EDGES),
        "train_mask": torch.arange(NUM_NODES) < 60,
    }
    return Data(**{key: value for key, value in (fields | changes).items() if value is not None})


@pytest.fixture
def graph():
    return make_data()


@pytest.mark.parametrize(
    "options", [{}, UNIFORM, {"mix": 0.0, "p_intra": 1.0}], ids=["default", "uniform", "inside"]
)
@pytest.mark.parametrize("filter_per_worker", [None, True, False])
def test_batches_have_pygs_fields_and_meanings(graph, options, filter_per_worker):
    loader = kith.NeighborLoader(
        graph, num_neighbors=[5] * 2, batch_size=20, filter_per_worker=filter_per_worker, **options
    )
    assert len(loader) == 5 and loader.data is graph
    seen = []
    for batch in loader:
        assert type(batch) is Data
        assert batch.batch_size == 20 and batch.input_id.numel() == 20
        assert batch.n_id.shape == (batch.num_nodes,) and batch.n_id.unique().numel() == batch.num_nodes
        assert batch.e_id.shape == (batch.num_edges,) and batch.edge_index.dtype == torch.int64
        assert torch.equal(batch.x, graph.x[batch.n_id]) and torch.equal(batch.y, graph.y[batch.n_id])
        assert torch.equal(batch.edge_attr, graph.edge_attr[batch.e_id])
        assert torch.equal(batch.train_mask, graph.train_mask[batch.n_id])
        assert torch.equal(batch.n_id[batch.edge_index], graph.edge_index[:, batch.e_id])
        assert torch.equal(batch.n_id[:20], batch.input_id)
        assert (
            sum(batch.num_sampled_nodes) == batch.num_nodes and sum(batch.num_sampled_edges) == batch.num_edges
        )
        seen.append(batch.input_id)
    assert torch.equal(torch.cat(seen), torch.arange(NUM_NODES))  # not shuffled, as in PyG


def test_the_defaults_are_those_of_pyg(graph):
    loader = kith.NeighborLoader(graph, [3])
    assert len(loader) == NUM_NODES and loader.batch_size == 1
    assert [int(batch.n_id[0]) for batch in loader] == list(range(NUM_NODES))
    assert [int(batch.n_id[0]) for batch in loader] == list(range(NUM_NODES))


def test_shuffle_changes_the_order_and_not_the_roots(graph):
    epochs = [
        torch.cat([b.n_id[: b.batch_size] for b in loader])
        for loader in [kith.NeighborLoader(graph, [3], batch_size=20, shuffle=True)]
        for _ in range(2)
    ]
    assert not torch.equal(*epochs)
    assert all(torch.equal(order.sort().values, torch.arange(NUM_NODES)) for order in epochs)


@pytest.mark.parametrize("how", ["mask", "tensor", "int32", "array", "list", "range", "name"])
def test_input_nodes_are_the_users_ids(graph, how):
    ids = torch.arange(5, 25)
    graph.train_mask = torch.zeros(NUM_NODES, dtype=torch.bool).index_fill(0, ids, True)
    given = {
        "mask": graph.train_mask,
        "tensor": ids,
        "int32": ids.int(),
        "array": ids.numpy(),
        "list": ids.tolist(),
        "range": range(5, 25),
        "name": "train",
    }[how]
    batches = list(kith.NeighborLoader(graph, [3], given, batch_size=8))
    assert torch.equal(torch.cat([b.n_id[: b.batch_size] for b in batches]), ids)
    positions = torch.cat([b.input_id for b in batches])
    # The position in a mask is the node's id; PyG says the same.
    assert torch.equal(positions, ids if how == "mask" else torch.arange(20))


def test_a_call_samples_chosen_roots(graph):
    loader = kith.NeighborLoader(graph, [5, 5], torch.arange(50, 80), batch_size=10, shuffle=True)
    batch = loader([3, 0])
    assert isinstance(batch, Data)
    assert batch.n_id[:2].tolist() == [53, 50] and batch.input_id.tolist() == [3, 0] and batch.batch_size == 2
    assert torch.equal(batch.n_id[batch.edge_index], graph.edge_index[:, batch.e_id])
    for index in ([30], [-1], [], [[1]]):
        with pytest.raises(ValueError, match="index"):
            loader(index)


def test_all_neighbours_give_the_result_of_the_whole_graph(graph):
    """The case of PyG's test on Cora: weights of edges, an n_id of the user's own, GraphConv."""
    graph.n_id = torch.arange(NUM_NODES) + 1000
    graph.edge_weight = torch.rand(NUM_EDGES)
    roots = torch.arange(5, 8)
    batch = next(iter(kith.NeighborLoader(graph, [-1, -1], roots, batch_size=3)))
    assert batch.batch_size == 3 and batch.n_id[:3].tolist() == [1005, 1006, 1007]
    assert set((batch.n_id - 1000).tolist()) == set(
        k_hop_subgraph(roots, 2, graph.edge_index, num_nodes=NUM_NODES)[0].tolist()
    )

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.conv2 = GraphConv(16, 8), GraphConv(8, 4)

        def forward(self, x, edge_index, edge_weight):
            return self.conv2(self.conv1(x, edge_index, edge_weight).relu(), edge_index, edge_weight)

    net = Net()
    whole = net(graph.x, graph.edge_index, graph.edge_weight)[roots]
    sampled = net(batch.x, batch.edge_index, batch.edge_weight)[:3]
    assert torch.allclose(whole, sampled, atol=1e-5)


@pytest.mark.parametrize("fanouts", [[4, 3], [-1, -1], [5, 4, 3]])
def test_trimmed_and_whole_batches_give_the_same_root_outputs(graph, fanouts):
    model = GraphSAGE(16, 32, num_layers=len(fanouts), out_channels=4)
    for batch in kith.NeighborLoader(graph, fanouts, batch_size=16, shuffle=True):
        whole = model(batch.x, batch.edge_index)
        trimmed = model(
            batch.x,
            batch.edge_index,
            num_sampled_nodes_per_hop=batch.num_sampled_nodes,
            num_sampled_edges_per_hop=batch.num_sampled_edges,
        )
        assert trimmed.size(0) < whole.size(0)
        assert torch.allclose(whole[: batch.batch_size], trimmed[: batch.batch_size], atol=1e-5)


def test_counts_of_hops_on_a_graph_known_by_hand():
    """A chain 0 <- 1 <- 2 <- 3 and 0 <- 4: two hops from 0 see {1, 4} and then {2}."""
    edge_index = torch.tensor([[1, 2, 3, 4], [0, 1, 2, 0]])
    data = Data(x=torch.eye(5), edge_index=edge_index)
    batch = next(iter(kith.NeighborLoader(data, [-1, -1], torch.tensor([0]))))
    assert batch.num_sampled_nodes == [1, 2, 1] and batch.num_sampled_edges == [2, 1]
    assert sorted(batch.n_id.tolist()) == [0, 1, 2, 4] and sorted(batch.e_id.tolist()) == [0, 1, 3]
    outer, inner = batch.blocks
    assert (outer.num_dst, outer.num_src, inner.num_dst, inner.num_src) == (3, 4, 1, 3)


@pytest.mark.parametrize("model", [GCN, GraphSAGE])
def test_a_model_of_pyg_learns_on_the_batches(model):
    arrays = make_arrays()
    data = Data(
        x=torch.from_numpy(arrays["x"]),
        y=torch.from_numpy(arrays["y"]),
        edge_index=coalesce(torch.from_numpy(arrays["edge_index"])),
    )
    torch.manual_seed(0)
    net = model(12, 32, num_layers=2, out_channels=4)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    train = torch.from_numpy(arrays["train"])
    loader = kith.NeighborLoader(data, [5, 5], train, batch_size=32, shuffle=True, num_workers=2)
    for _ in range(8):
        for batch in loader:
            optimizer.zero_grad()
            out = net(batch.x, batch.edge_index)[: batch.batch_size]
            torch.nn.functional.cross_entropy(out, batch.y[: batch.batch_size]).backward()
            optimizer.step()
    right = net(data.x, data.edge_index).argmax(1) == data.y
    assert right[torch.from_numpy(arrays["test"])].float().mean() > 0.7


@pytest.mark.parametrize(
    "x",
    [
        torch.arange(NUM_NODES),
        torch.rand(NUM_NODES, 3, dtype=torch.float64),
        torch.rand(NUM_NODES, 3).half(),
        torch.rand(NUM_NODES, 3).bfloat16(),
        torch.rand(3, NUM_NODES).t(),
        torch.rand(NUM_NODES, 2, 3),
        torch.rand(NUM_NODES, 3).requires_grad_(),
    ],
    ids=["int", "f64", "f16", "bf16", "transposed", "three_dimensions", "grad"],
)
def test_features_of_any_kind_come_as_they_are(x):
    for batch in kith.NeighborLoader(make_data(x=x), [3], batch_size=30):
        assert batch.x.dtype == x.dtype and torch.equal(batch.x, x[batch.n_id])


@pytest.mark.parametrize(
    "y",
    [
        torch.rand(NUM_NODES),
        torch.randint(0, 2, (NUM_NODES, 5)),
        torch.arange(NUM_NODES)[:, None],
        torch.arange(NUM_NODES).int(),
        torch.arange(NUM_NODES) - 50,
        torch.arange(NUM_NODES) * 10**9,
    ],
    ids=["regression", "multi_label", "column", "int32", "negative", "huge"],
)
def test_targets_of_any_kind_come_as_they_are(y):
    for batch in kith.NeighborLoader(make_data(y=y), [3], batch_size=30):
        assert batch.y.dtype == y.dtype and torch.equal(batch.y, y[batch.n_id])


def test_other_attributes_are_selected_or_kept_as_in_pyg(graph):
    class Own(Data):
        pass

    own = Own(**graph.to_dict(), pos=torch.rand(NUM_NODES, 2), name="own", scale=torch.tensor([2.0]))
    own.edge_time = np.arange(NUM_EDGES)
    batch = kith.NeighborLoader(own, [4, 4], batch_size=10)(range(10))
    assert type(batch) is Own and batch.name == "own" and batch.scale is own.scale
    assert torch.equal(batch.pos, own.pos[batch.n_id])
    assert torch.equal(batch.edge_attr, own.edge_attr[batch.e_id])
    assert own.num_nodes == NUM_NODES and "n_id" not in own and "blocks" not in own


def test_a_graph_without_features_has_the_right_num_nodes():
    data = Data(edge_index=random_edges(), num_nodes=150)
    loader = kith.NeighborLoader(data, [5], batch_size=50)
    assert len(loader) == 3
    for batch in loader:
        assert batch.num_nodes == batch.n_id.numel() and "x" not in batch and "y" not in batch


def test_features_in_a_mapped_file_work(graph, tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, graph.x.numpy())
    graph.x = torch.from_numpy(np.load(path, mmap_mode="c"))
    for batch in kith.NeighborLoader(graph, [5, 5], batch_size=20):
        assert torch.equal(batch.x, graph.x[batch.n_id])


def test_edges_that_repeat_count_once_and_are_said(graph):
    doubled = Data(
        x=graph.x, edge_index=torch.cat([graph.edge_index] * 2, 1), edge_attr=torch.arange(2 * NUM_EDGES)
    )
    with pytest.warns(UserWarning, match="500 of 1000 edges repeat"):
        batch = next(iter(kith.NeighborLoader(doubled, [-1], batch_size=NUM_NODES)))
    assert sorted(batch.e_id.tolist()) == list(range(NUM_EDGES))


def test_transform_gets_the_data_and_has_the_last_word(graph):
    loader = kith.NeighborLoader(
        graph, [2], batch_size=10, transform=lambda data: (data.batch_size, type(data))
    )
    assert list(loader) == [(10, Data)] * 10


def test_workers_change_no_batch(graph):
    options = {"num_neighbors": [5, 5], "batch_size": 15, "shuffle": True, "seed": 3}
    plain = list(kith.NeighborLoader(graph, prefetch=0, **options))
    asked = {"num_workers": 4, "persistent_workers": True, "pin_memory": True, "prefetch_factor": 3}
    asked |= {"worker_init_fn": print, "timeout": 5, "multiprocessing_context": "spawn", "is_sorted": False}
    loader = kith.NeighborLoader(graph, **options, **asked)
    assert loader._handle.options.prefetch_depth == 12
    assert kith.NeighborLoader(graph, [2], num_workers=5)._handle.options.prefetch_depth == 5
    for one, other in zip(plain, loader):
        assert torch.equal(one.e_id, other.e_id) and torch.equal(one.x, other.x)


@pytest.mark.parametrize(
    "options",
    [
        {"subgraph_type": "induced"},
        {"subgraph_type": "bidirectional"},
        {"directed": False},
        {"disjoint": True},
        {"input_time": torch.arange(NUM_NODES)},
        {"time_attr": "time"},
        {"temporal_strategy": "last"},
        {"weight_attr": "edge_attr"},
        {"neighbor_sampler": object()},
        {"transform_sampler_output": lambda out: out},
        {"batch_sampler": [[0]]},
        {"collate_fn": list},
        {"custom_cls": Data},
    ],
    ids=lambda options: next(iter(options)),
)
def test_what_would_change_the_batches_is_refused(graph, options):
    with pytest.raises(ValueError, match=next(iter(options))):
        kith.NeighborLoader(graph, [2], **options)


def test_the_enum_of_pyg_names_the_subgraph_type(graph):
    from torch_geometric.sampler.base import SubgraphType

    kith.NeighborLoader(graph, [2], None, None, True, SubgraphType.directional, False)
    with pytest.raises(ValueError, match="subgraph_type"):
        kith.NeighborLoader(graph, [2], subgraph_type=SubgraphType.induced)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_neighbors": {("a", "to", "b"): [2]}}, "num_neighbors"),
        ({"num_neighbors": 5}, "num_neighbors"),
        ({"input_nodes": ("paper", torch.arange(3))}, "node types"),
        ({"input_nodes": torch.ones(99, dtype=torch.bool)}, "mask of 99 nodes, the graph has 100"),
        ({"input_nodes": torch.tensor([3, 100])}, r"\[0, 100\), got 100"),
        ({"input_nodes": torch.tensor([-1])}, "got -1"),
        ({"input_nodes": torch.tensor([0.5])}, "whole numbers, got float32"),
        ({"input_nodes": torch.tensor([4, 4])}, "repeat"),
        ({"input_nodes": [[1], [2, 3]]}, "input_nodes must be an array"),
        ({"input_nodes": "test"}, "no test_mask"),
        ({"input_nodes": "dev"}, "dev"),
        ({"output": "jax"}, "output"),
        ({"partition": {"clusters": 5}}, "clusters"),
        ({"partition": {"method": "magic"}}, "magic"),
        ({"seed": 1, "generator": torch.Generator()}, "seed or generator"),
        ({"generator": 5}, "torch.Generator"),
        ({"original_ids": 1}, "original_ids"),
    ],
)
def test_bad_arguments_get_one_sentence(graph, changes, message):
    with pytest.raises(ValueError, match=message) as caught:
        kith.NeighborLoader(graph, **{"num_neighbors": [2], **changes})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (HeteroData(), "HeteroData"),
        ((object(), object()), "array"),
        ({"x": np.ones((3, 2))}, "edge_index"),
        (Data(x=torch.ones(3, 2)), "edge_index"),
        (Data(edge_index=torch.tensor([[0], [5]]), num_nodes=3), "5"),
        (Data(edge_index=torch.ones(2, 3), num_nodes=3), "whole numbers, got float32"),
    ],
    ids=["hetero", "stores", "no_edges", "no_edges_pyg", "id", "dtype"],
)
def test_bad_data_gets_one_sentence(data, message):
    with pytest.raises(ValueError, match=message):
        kith.NeighborLoader(data, [2])


# --- seeds


def first_edges(graph, **options):
    return next(iter(kith.NeighborLoader(graph, [2], batch_size=50, shuffle=True, **options))).e_id.tolist()


def test_the_first_batch_of_a_new_iterator_is_another_one(graph):
    loader = kith.NeighborLoader(graph, [2], batch_size=50, shuffle=True)
    assert next(iter(loader)).n_id.tolist() != next(iter(loader)).n_id.tolist()


def test_torchs_seed_is_the_seed(graph):
    torch.manual_seed(5)
    one = first_edges(graph)
    state = torch.get_rng_state()
    assert first_edges(graph) == one
    assert torch.equal(torch.get_rng_state(), state)  # torch draws what it drew before
    torch.manual_seed(6)
    assert first_edges(graph) != one
    torch.manual_seed(5)
    assert first_edges(graph) == one


def test_a_generator_gives_the_seed(graph):
    draw = lambda seed: first_edges(graph, generator=torch.Generator().manual_seed(seed))  # noqa: E731
    assert draw(1) == draw(1) != draw(2)


# --- one preparation for all loaders of a Data


def test_loaders_of_one_data_share_its_dataset(graph):
    train = kith.NeighborLoader(graph, [2], graph.train_mask)
    other = kith.NeighborLoader(graph, [-1])
    assert train.dataset is other.dataset
    assert kith.NeighborLoader(graph, [2], partition={"num_communities": 3}).dataset is not train.dataset


def test_a_changed_data_is_prepared_again(graph):
    before = kith.NeighborLoader(graph, [2]).dataset
    graph.x += 1
    batch = next(iter(kith.NeighborLoader(graph, [2], batch_size=9)))
    assert torch.equal(batch.x, graph.x[batch.n_id])
    graph.train_mask = ~graph.train_mask  # is read for each loader, so nothing is prepared again
    known = kith.NeighborLoader(graph, [2])
    assert kith.NeighborLoader(graph, [2], "train").dataset is known.dataset
    assert len(kith.NeighborLoader(graph, [2], "train")) == 40
    graph.edge_index = graph.edge_index[:, :400]
    after = kith.NeighborLoader(graph, [2]).dataset
    assert (before.num_edges, after.num_edges) == (500, 400)


def test_preparing_keeps_no_data_alive():
    graph = make_data()
    kith.NeighborLoader(graph, [2])
    watch = weakref.ref(graph)
    del graph
    gc.collect()
    assert watch() is None


def test_given_communities_are_used(graph):
    half = (torch.arange(NUM_NODES) % 2).numpy()
    loader = kith.NeighborLoader(graph, [9], partition={"communities": half}, p_intra=1.0, no_intra="drop")
    for batch in loader:
        assert ((batch.n_id[batch.edge_index] % 2).diff(dim=0) == 0).all()
    other = half.copy()
    other[50] = 1 - other[50]
    assert kith.NeighborLoader(graph, [9], partition={"communities": half}).dataset is loader.dataset
    assert kith.NeighborLoader(graph, [9], partition={"communities": other}).dataset is not loader.dataset


# --- on a real graph


def load_cora():
    folder = os.environ.get("KITH_DATA_DIR")
    if not folder or not (Path(folder) / "cora.npz").exists():
        pytest.skip("KITH_DATA_DIR names no folder with cora.npz")
    with np.load(Path(folder) / "cora.npz") as file:
        x = np.zeros(file["x_shape"], np.float32)
        rows = np.repeat(np.arange(x.shape[0]), np.diff(file["x_indptr"]))
        x[rows, file["x_indices"]] = file["x_data"]
        x /= np.maximum(x.sum(1, keepdims=True), 1)
        masks = {name: torch.from_numpy(file[name]) for name in ("train_mask", "val_mask", "test_mask")}
        edge_index = coalesce(to_undirected(torch.from_numpy(file["edge_index"].astype(np.int64))))
        y = torch.from_numpy(file["y"].astype(np.int64))
    return Data(x=torch.from_numpy(x), y=y, edge_index=edge_index, **masks)


@pytest.mark.parametrize("options", [UNIFORM, {}], ids=["uniform", "default"])
def test_graphsage_of_pyg_learns_cora(options):
    data = load_cora()
    torch.manual_seed(1)
    model = GraphSAGE(data.num_features, 64, num_layers=2, out_channels=7, dropout=0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=5e-4)
    loader = kith.NeighborLoader(data, [10, 10], data.train_mask, batch_size=70, shuffle=True, **options)
    for _ in range(40):
        for batch in loader:
            optimizer.zero_grad()
            out = model(batch.x, batch.edge_index)[: batch.batch_size]
            torch.nn.functional.cross_entropy(out, batch.y[: batch.batch_size]).backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        outs = [
            model(batch.x, batch.edge_index)[: batch.batch_size]
            for batch in kith.NeighborLoader(data, [-1, -1], data.test_mask, batch_size=256)
        ]
    right = torch.cat(outs).argmax(1) == data.y[data.test_mask]
    assert right.float().mean() > 0.76  # 0.80 is the figure of full batches


def test_edges_are_sorted_as_an_edge_index_of_pyg_has_to_be(graph):
    """The recipe of python/README.md: the same outputs and gradients through PyG's fused path."""

    def sort_order(batch):
        size = (batch.num_nodes, batch.num_nodes)
        batch.edge_index = EdgeIndex(batch.edge_index, sparse_size=size, sort_order="col")
        return batch

    conv, options = GraphConv(16, 4), {"batch_size": 20, "seed": 3}
    plain, fused = (kith.NeighborLoader(graph, [5, 5], transform=t, **options) for t in (None, sort_order))
    for one, other in zip(plain, fused):
        other.edge_index.validate()
        results = []
        for batch in (one, other):
            x = batch.x.clone().requires_grad_()
            out = conv(x, batch.edge_index)
            out.square().sum().backward()
            results.append((out, x.grad))
        for expected, actual in zip(*results):
            torch.testing.assert_close(actual, expected)
