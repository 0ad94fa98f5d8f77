"""Graphs from and to other libraries. OGB and DGL are stood in for by objects that offer what is read."""

import subprocess
import sys
from types import SimpleNamespace

import kith
import numpy as np
import pytest
from conftest import kith_environment


def edges_in_source(data):
    return sorted(map(tuple, data.original_id[data.edge_index].T.tolist()))


def columns(edge_index):
    return sorted(map(tuple, np.asarray(edge_index).T.tolist()))


def assert_holds(data, arrays):
    """The dataset is the block model of conftest."""
    assert edges_in_source(data) == sorted(set(columns(arrays["edge_index"])))
    assert np.array_equal(data.x, arrays["x"][data.original_id])
    assert np.array_equal(data.y, arrays["y"][data.original_id])
    for name in ("train", "valid", "test"):
        assert set(data.original_id[getattr(data, name)]) == set(arrays[name])


def masks_of(arrays):
    return {name: np.isin(np.arange(400), arrays[name]) for name in ("train", "valid", "test")}


def make_pyg(arrays):
    torch = pytest.importorskip("torch")
    from_numpy = torch.from_numpy
    masks = {name: from_numpy(mask) for name, mask in masks_of(arrays).items()}
    return pytest.importorskip("torch_geometric.data").Data(
        x=from_numpy(arrays["x"]),
        y=from_numpy(arrays["y"]),
        edge_index=from_numpy(arrays["edge_index"]),
        train_mask=masks["train"],
        val_mask=masks["valid"],
        test_mask=masks["test"],
    )


# --- PyG


def test_from_pyg_takes_everything_over(arrays):
    data = kith.Dataset.from_pyg(make_pyg(arrays), communities=arrays["communities"])
    assert_holds(data, arrays)
    assert np.array_equal(data.original_id[data.edge_index], arrays["edge_index"][:, data.edge_id])


def test_options_come_before_what_the_data_holds(arrays):
    data = kith.Dataset.from_pyg(make_pyg(arrays), train=[3, 4], symmetrize=True, num_communities=4)
    assert set(data.original_id[data.train]) == {3, 4} and not data.is_directed


def test_to_pyg_and_back_is_the_same_graph(arrays, data):
    torch = pytest.importorskip("torch")
    pyg = data.to_pyg()
    assert pyg.num_nodes == 400 and pyg.y.dtype == torch.int64
    assert torch.equal(pyg.edge_index, torch.from_numpy(data.edge_index))
    assert torch.equal(pyg.x, torch.from_numpy(arrays["x"])[pyg.original_id])
    assert torch.equal(pyg.val_mask.nonzero().flatten(), torch.from_numpy(data.valid))
    pyg.x.zero_()  # its own memory
    assert data.x.any()
    again = kith.Dataset.from_pyg(data.to_pyg(), communities=data.communities())
    assert columns(data.edge_index) == edges_in_source(again)
    assert np.array_equal(again.x, data.x[again.original_id])


def test_to_pyg_without_features_and_with_many_labels():
    torch = pytest.importorskip("torch")
    y = np.eye(3, dtype=np.uint8)
    pyg = kith.Dataset.from_arrays([[0, 1], [1, 2]], y=y, communities=[0, 0, 0]).to_pyg()
    assert "x" not in pyg and torch.equal(pyg.y, torch.from_numpy(y)[pyg.original_id])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda fields: {"edge_index": None}, "edge_index"),
        (lambda fields: {"train_mask": fields["train_mask"][:, None].repeat(1, 10)}, "10 splits"),
        (lambda fields: {"x": fields["x"].double()}, "float32 or float16"),
        (lambda fields: {"y": fields["y"] / 2}, "whole numbers"),
    ],
    ids=["edges", "splits", "dtype", "regression"],
)
def test_from_pyg_refuses_what_does_not_fit(arrays, change, message):
    pyg = make_pyg(arrays)
    for name, value in change(pyg.to_dict()).items():
        pyg[name] = value
    with pytest.raises(ValueError, match=message):
        kith.Dataset.from_pyg(pyg)


def test_from_pyg_refuses_other_objects(arrays):
    with pytest.raises(ValueError, match="torch_geometric.data.Data.*dict"):
        kith.Dataset.from_pyg(arrays)


# --- OGB


class OgbStandIn:
    """What NodePropPredDataset of the package ogb offers."""

    def __init__(self, arrays, labels, node_feat):
        self.graph = {
            "edge_index": arrays["edge_index"],
            "edge_feat": None,
            "num_nodes": 400,
            "node_feat": node_feat,
        }
        self.labels = labels
        self.split = {name: arrays[name] for name in ("train", "valid", "test")}

    def __getitem__(self, index):
        assert index == 0
        return self.graph, self.labels

    def get_idx_split(self):
        return self.split


def test_from_ogb_takes_labels_as_a_column(arrays):
    source = OgbStandIn(arrays, arrays["y"][:, None], arrays["x"])
    assert_holds(kith.Dataset.from_ogb(source, communities=arrays["communities"]), arrays)


def test_from_ogb_reads_nan_as_no_label(arrays):
    labels = arrays["y"][:, None].astype(np.float32)
    labels[::2] = np.nan
    data = kith.Dataset.from_ogb(OgbStandIn(arrays, labels, None), communities=arrays["communities"])
    expected = np.where(np.arange(400) % 2 == 0, -1, arrays["y"])
    assert np.array_equal(data.y, expected[data.original_id]) and data.x is None
    with pytest.raises(ValueError, match="fractions"):
        kith.Dataset.from_ogb(OgbStandIn(arrays, labels + 0.5, None))


def test_from_ogb_takes_the_pyg_flavour(arrays):
    pyg = make_pyg(arrays)
    pyg.y = pyg.y[:, None]
    source = OgbStandIn(arrays, None, None)
    source.__class__ = type("PygStandIn", (OgbStandIn,), {"__getitem__": lambda self, index: pyg})
    assert_holds(kith.Dataset.from_ogb(source, communities=arrays["communities"]), arrays)


def test_from_ogb_finds_a_set_by_name(arrays, monkeypatch):
    asked = []

    def make(name, root):
        asked.append((name, root))
        return OgbStandIn(arrays, arrays["y"][:, None], arrays["x"])

    monkeypatch.setitem(sys.modules, "ogb", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "ogb.nodeproppred", SimpleNamespace(NodePropPredDataset=make))
    kith.Dataset.from_ogb("ogbn-arxiv", root="here", communities=arrays["communities"])
    assert asked == [("ogbn-arxiv", "here")]


@pytest.mark.parametrize("source", [5, {"edge_index": 1}])
def test_from_ogb_refuses_other_objects(source):
    with pytest.raises(ValueError, match="from_ogb"):
        kith.Dataset.from_ogb(source)


# --- scipy


@pytest.mark.parametrize("layout", ["csr_matrix", "csc_array", "coo_array", "lil_matrix"])
def test_from_scipy_reads_rows_as_sources(arrays, layout):
    sparse = pytest.importorskip("scipy.sparse")
    rows, cols = arrays["edge_index"]
    coo = sparse.coo_array((np.full(rows.size, 0.5), (rows, cols)), shape=(400, 400))
    adj = getattr(sparse, layout)(coo)
    rest = {name: arrays[name] for name in ("x", "y", "train", "valid", "test", "communities")}
    data = kith.Dataset.from_scipy(adj, **rest)
    assert_holds(data, arrays)
    entries = adj.tocoo()
    assert np.array_equal(
        np.stack([entries.row, entries.col])[:, data.edge_id], data.original_id[data.edge_index]
    )


def test_from_scipy_refuses_what_is_no_adjacency():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match="square"):
        kith.Dataset.from_scipy(sparse.eye(3, 4))
    with pytest.raises(ValueError, match="scipy.sparse"):
        kith.Dataset.from_scipy(np.eye(3))


# --- networkx


def test_from_networkx_follows_the_order_of_its_nodes():
    networkx = pytest.importorskip("networkx")
    graph = networkx.Graph([("a", "b"), ("b", "c"), ("d", "d")])
    for i, node in enumerate(graph):
        graph.nodes[node].update(feature=[i, 10 * i], kind=i % 2, group=0)
    data = kith.Dataset.from_networkx(graph, x="feature", y="kind", communities="group", train=[0, 3])
    assert edges_in_source(data) == [(0, 1), (1, 0), (1, 2), (2, 1), (3, 3)]
    assert data.x.dtype == np.float32
    assert np.array_equal(data.x, [[i, 10 * i] for i in data.original_id])
    assert np.array_equal(data.y, data.original_id % 2) and set(data.original_id[data.train]) == {0, 3}


def test_from_networkx_keeps_directions_and_joins_parallel_edges():
    networkx = pytest.importorskip("networkx")
    graph = networkx.MultiDiGraph([(5, 7), (5, 7), (9, 5)])
    data = kith.Dataset.from_networkx(graph, communities=[0, 0, 0])
    assert edges_in_source(data) == [(0, 1), (2, 0)] and data.is_directed


def test_from_networkx_refuses_what_does_not_fit():
    networkx = pytest.importorskip("networkx")
    graph = networkx.path_graph(3)
    graph.nodes[0]["kind"] = 1
    with pytest.raises(ValueError, match="node 1 has no such attribute"):
        kith.Dataset.from_networkx(graph, y="kind")
    with pytest.raises(ValueError, match="networkx graph"):
        kith.Dataset.from_networkx([[0, 1]])


# --- DGL


class DglStandIn:
    """What is read of a DGLGraph: edges, num_nodes, ndata, is_homogeneous."""

    is_homogeneous = True

    def __init__(self, edge_index, ndata):
        self.edge_index, self.ndata = edge_index, ndata

    def edges(self, order):
        assert order == "eid"
        return tuple(self.edge_index)

    def num_nodes(self):
        return 400


def test_from_dgl_reads_ndata(arrays):
    names = {"train": "train_mask", "valid": "val_mask", "test": "test_mask"}
    ndata = {names[name]: mask.astype(np.uint8) for name, mask in masks_of(arrays).items()}
    graph = DglStandIn(arrays["edge_index"], ndata | {"feat": arrays["x"], "label": arrays["y"]})
    assert_holds(kith.Dataset.from_dgl(graph, communities=arrays["communities"]), arrays)
    bare = kith.Dataset.from_dgl(DglStandIn(arrays["edge_index"], {}), communities=arrays["communities"])
    assert bare.x is None and bare.num_edges == kith.Dataset.from_arrays(**arrays).num_edges


def test_from_dgl_refuses_what_does_not_fit(arrays):
    graph = DglStandIn(arrays["edge_index"], {})
    graph.is_homogeneous = False
    with pytest.raises(ValueError, match="one node and edge type"):
        kith.Dataset.from_dgl(graph)
    with pytest.raises(ValueError, match="DGLGraph"):
        kith.Dataset.from_dgl(arrays)


def test_importing_kith_imports_no_other_framework():
    code = "import sys, kith; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = subprocess.run(
        [sys.executable, "-c", code], env=kith_environment(), capture_output=True, text=True, check=True
    ).stdout.split()
    heavy = {
        "torch",
        "torch_geometric",
        "scipy",
        "networkx",
        "pandas",
        "tqdm",
        "matplotlib",
        "h5py",
        "ogb",
        "dgl",
    }
    assert "kith" in loaded and not heavy & set(loaded)
