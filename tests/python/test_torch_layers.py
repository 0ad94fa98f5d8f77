"""The layers of kith.torch against dense formulas in plain torch, and against PyG's where it is installed."""

import kith
import numpy as np
import pytest
from torch_blocks import random_block

torch = pytest.importorskip("torch", reason="kith.torch needs torch, which is not installed")

import kith.torch as kt  # noqa: E402

NUM_NODES, CHANNELS = 40, 10


def pyg():
    return pytest.importorskip("torch_geometric.nn", reason="torch_geometric is not installed")


def make_graph(with_duplicates=True):
    """edge_index in random order with self-loops, and nodes that hear from nobody."""
    rng = np.random.default_rng(1)
    edges = np.stack([rng.integers(0, NUM_NODES, 200), rng.integers(5, NUM_NODES, 200)])
    edges[0, :6] = edges[1, :6]
    if with_duplicates:
        edges[:, 10:15] = edges[:, 20:25]
        edges[:, 0] = edges[:, 1]
    else:
        edges = np.unique(edges, axis=1)
        edges = edges[:, rng.permutation(edges.shape[1])]
    return torch.from_numpy(edges)


def features(num_nodes=NUM_NODES, channels=CHANNELS, dtype=torch.float32, seed=0):
    return torch.randn(num_nodes, channels, dtype=dtype, generator=torch.Generator().manual_seed(seed))


LAYERS = [
    ("SAGEConv", {}),
    ("SAGEConv", {"aggr": "sum", "root_weight": False, "bias": False}),
    ("SAGEConv", {"aggr": "add", "normalize": True}),
    ("SAGEConv", {"aggr": "max", "project": True}),
    ("GCNConv", {}),
    ("GCNConv", {"add_self_loops": False, "bias": False}),
    ("GCNConv", {"normalize": False}),
    ("GATConv", {}),
    ("GATConv", {"heads": 4, "negative_slope": 0.1}),
    ("GATConv", {"heads": 3, "concat": False, "residual": True, "bias": False}),
    ("GATConv", {"heads": 2, "add_self_loops": False, "dropout": 0.0}),
]
EVERY_LAYER = pytest.mark.parametrize("name, options", LAYERS, ids=[f"{n}-{'-'.join(o)}" for n, o in LAYERS])


def make_pair(name, options, in_channels=CHANNELS):
    """Our layer and PyG's with the same parameters, carried over in both directions."""
    torch.manual_seed(0)
    theirs = getattr(pyg(), name)(in_channels, 6, **options)
    for parameter in theirs.parameters():  # biases start at 0, which would hide them
        torch.nn.init.uniform_(parameter, -0.5, 0.5)
    ours = getattr(kt, name)(in_channels, 6, **options)
    shapes, expected = ({k: v.shape for k, v in m.state_dict().items()} for m in (ours, theirs))
    assert shapes == expected
    ours.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def assert_same(ours, theirs, call_ours, call_theirs, inputs):
    """Outputs, and gradients of the parameters and the inputs, to 1e-5."""
    out, expected = call_ours(ours), call_theirs(theirs)
    assert torch.allclose(out, expected, rtol=1e-5, atol=1e-5)
    direction = features(*out.shape, seed=9)
    gradients = [
        torch.autograd.grad(result, [*layer.parameters(), *inputs], direction, allow_unused=True)
        for result, layer in ((out, ours), (expected, theirs))
    ]
    names = [name for name, _ in ours.named_parameters()] + [f"input {i}" for i in range(len(inputs))]
    assert names[: -len(inputs)] == [name for name, _ in theirs.named_parameters()]
    for name, ours_grad, theirs_grad in zip(names, *gradients):
        assert torch.allclose(ours_grad, theirs_grad, rtol=1e-4, atol=1e-5), name


@EVERY_LAYER
def test_a_graph_gives_what_pyg_gives(name, options):
    ours, theirs = make_pair(name, options)
    x, edge_index = features().requires_grad_(), make_graph()
    block = kt.block_from_edge_index(edge_index, NUM_NODES)
    assert_same(ours, theirs, lambda m: m(x, edge_index), lambda m: m(x, edge_index), [x])
    assert torch.equal(ours(x, edge_index), ours(x, block))
    assert repr(ours) == repr(theirs)


@EVERY_LAYER
def test_a_block_gives_what_pyg_gives_for_its_edges(name, options):
    ours, theirs = make_pair(name, options)
    block = random_block()
    x = features(block.num_src).requires_grad_()
    destinations = np.repeat(np.arange(block.num_dst), np.diff(block.indptr))
    edge_index = torch.from_numpy(np.stack([block.indices, destinations]).astype(np.int64))
    assert_same(ours, theirs, lambda m: m(x, block), lambda m: m(x, edge_index)[: block.num_dst], [x])


@pytest.mark.parametrize(
    "name, options",
    [
        ("SAGEConv", {}),
        ("SAGEConv", {"project": True}),
        ("GATConv", {"heads": 2}),
        ("GATConv", {"residual": True}),
    ],
)
@pytest.mark.parametrize("num_dst", [25, 60])
def test_a_bipartite_graph_gives_what_pyg_gives(name, options, num_dst):
    ours, theirs = make_pair(name, options, in_channels=(CHANNELS, 7))
    x = features().requires_grad_(), features(num_dst, 7, seed=1).requires_grad_()
    rng = np.random.default_rng(2)
    edge_index = torch.from_numpy(np.stack([rng.integers(0, NUM_NODES, 150), rng.integers(0, num_dst, 150)]))
    assert_same(ours, theirs, lambda m: m(x, edge_index), lambda m: m(x, edge_index), x)
    block = kt.block_from_edge_index(edge_index, NUM_NODES, num_dst)
    assert torch.equal(ours(x, block), ours(x, edge_index))
    alone = (x[0], None)
    expected = theirs(alone, edge_index, size=(NUM_NODES, num_dst))
    assert torch.allclose(ours(alone, block), expected, atol=1e-5)


def test_gat_shares_its_transformation_where_pyg_does():
    ours, theirs = make_pair("GATConv", {"heads": 2})
    x = features(), features(seed=1)
    assert torch.allclose(ours(x, make_graph()), theirs(x, make_graph()), atol=1e-5)


@pytest.mark.parametrize("options", [{}, {"add_self_loops": False}, {"normalize": False}])
def test_gcn_with_edge_weights_gives_what_pyg_gives(options):
    ours, theirs = make_pair("GCNConv", options)
    # PyG takes an unspecified one of several loops of a node, so here there is at most one.
    edge_index = make_graph(with_duplicates=False)
    x = features().requires_grad_()
    weight = (torch.rand(edge_index.size(1), generator=torch.Generator().manual_seed(3)) + 0.1).requires_grad_()
    call = lambda m: m(x, edge_index, weight)  # noqa: E731
    assert (edge_index[0] == edge_index[1]).sum() > 3
    assert_same(ours, theirs, call, call, [x, weight])


def dense(edge_index, num_nodes):
    """[destination, source] counts."""
    adjacency = torch.zeros(num_nodes, num_nodes, dtype=torch.float64)
    return adjacency.index_put((edge_index[1], edge_index[0]), torch.ones(1).double(), accumulate=True)


def test_sage_is_its_formula():
    edge_index, x = make_graph(), features(dtype=torch.float64)
    layer = kt.SAGEConv(CHANNELS, 6).double()
    adjacency = dense(edge_index, NUM_NODES)
    mean = adjacency / adjacency.sum(1, keepdim=True).clamp(min=1)
    expected = mean @ x @ layer.lin_l.weight.T + layer.lin_l.bias + x @ layer.lin_r.weight.T
    assert torch.allclose(layer(x, edge_index), expected, atol=1e-12)


def test_gcn_is_its_formula():
    edge_index, x = make_graph(), features(dtype=torch.float64)
    layer = kt.GCNConv(CHANNELS, 6).double()
    torch.nn.init.ones_(layer.bias)
    adjacency = dense(edge_index, NUM_NODES).fill_diagonal_(1)
    scale = adjacency.sum(1).pow(-0.5)
    expected = scale[:, None] * adjacency * scale @ (x @ layer.lin.weight.T) + 1
    assert torch.allclose(layer(x, edge_index), expected, atol=1e-12)


def test_gat_is_its_formula():
    edge_index, x = make_graph(with_duplicates=False), features(dtype=torch.float64)
    layer = kt.GATConv(CHANNELS, 6, heads=3).double()
    torch.nn.init.ones_(layer.bias)
    is_edge = dense(edge_index, NUM_NODES).fill_diagonal_(1) > 0
    expected = []
    for head in range(3):
        h = x @ layer.lin.weight[head * 6 : (head + 1) * 6].T
        scores = (h @ layer.att_dst[0, head])[:, None] + (h @ layer.att_src[0, head])[None, :]
        scores = torch.nn.functional.leaky_relu(scores, 0.2).masked_fill(~is_edge, -torch.inf)
        expected.append(scores.softmax(1) @ h)
    assert torch.allclose(layer(x, edge_index), torch.cat(expected, 1) + 1, atol=1e-12)


@pytest.mark.parametrize("make", [kt.SAGEConv, kt.GCNConv, kt.GATConv])
def test_gradcheck_of_the_layers(make):
    torch.manual_seed(0)
    layer, block = make(3, 2).double(), random_block(5, 7)
    x = features(7, 3, torch.float64).requires_grad_()
    torch.autograd.gradcheck(lambda x, *_: layer(x, block), (x, *layer.parameters()))


def test_parameters_start_in_pygs_ranges():
    torch.manual_seed(0)
    sage, gcn, gat = kt.SAGEConv(100, 50), kt.GCNConv(100, 50), kt.GATConv(100, 25, heads=2)
    for weight, bound in (
        (sage.lin_l.weight, 0.1),
        (sage.lin_r.weight, 0.1),
        (gcn.lin.weight, 0.2),
        (gat.lin.weight, 0.2),
        (gat.att_src, (6 / 27) ** 0.5),
    ):
        assert 0.9 * bound < weight.abs().max() <= bound
    assert not gcn.bias.any() and not gat.bias.any()
    before = gat.att_dst.clone()
    gat.reset_parameters()
    assert not torch.equal(gat.att_dst, before)


def test_attention_dropout_is_for_training_only():
    layer, x, edge_index = kt.GATConv(CHANNELS, 6, dropout=0.5), features(), make_graph()
    assert not torch.equal(layer(x, edge_index), layer(x, edge_index))
    layer.eval()
    assert torch.equal(layer(x, edge_index), layer(x, edge_index))


def test_layers_take_the_blocks_of_a_batch(data):
    layers = torch.nn.ModuleList([kt.SAGEConv(12, 8), kt.GCNConv(8, 8), kt.GATConv(8, 4)])
    batch = next(iter(kith.NeighborLoader(data, [4, 4, 3], "train", batch_size=16)))
    h = torch.as_tensor(batch.x)
    for layer, block in zip(layers, batch.blocks):
        h = layer(h, block)
    assert h.shape == (16, 4)
    h.sum().backward()
    assert all(parameter.grad is not None for parameter in layers.parameters())


zeros = torch.zeros
WIDE_BLOCK = kith.Block(2, 1, np.int32([0, 1, 2]), np.int32([0, 0]))
BLOCK = kith.Block(1, 3, np.int32([0, 2]), np.int32([1, 2]))


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: kt.SAGEConv(-1, 2), "SAGEConv: in_channels must be a size > 0 or a pair of them, got -1"),
        (lambda: kt.GCNConv((2, 2), 2), "GCNConv: in_channels must be a size > 0, got"),
        (lambda: kt.SAGEConv(2, 2, aggr="lstm"), "aggr must be one of mean, sum, add, max, got 'lstm'"),
        (lambda: kt.SAGEConv(2, 2, flow="target_to_source"), "flow='target_to_source' is not supported"),
        (lambda: kt.GCNConv(2, 2, improved=True), "improved=True is not supported"),
        (lambda: kt.GCNConv(2, 2, cached=True), "cached=True is not supported"),
        (lambda: kt.GCNConv(2, 2, add_self_loops=True, normalize=False), "needs normalize=True"),
        (lambda: kt.GATConv(2, 2, edge_dim=3), "edge_dim=3 is not supported"),
        (lambda: kt.SAGEConv(2, 2)(zeros(2, 2), BLOCK), r"x must have a row for .* sources \(3\), got 2"),
        (lambda: kt.SAGEConv(2, 2)((zeros(3, 2), zeros(3, 2)), BLOCK), r"destinations \(1\), got 3"),
        (lambda: kt.SAGEConv(2, 2)((zeros(3, 2), None), zeros(2, 1).long()), "needs a block"),
        (lambda: kt.SAGEConv(2, 2)(zeros(3), BLOCK), r"x must be \[nodes, channels\], got shape \[3\]"),
        (lambda: kt.SAGEConv(2, 2)(zeros(3, 2), [[0], [1]]), "list lacks num_dst"),
        (lambda: kt.SAGEConv(2, 2)(zeros(1, 2), WIDE_BLOCK), "pair"),
        (lambda: kt.SAGEConv(2, 2)(zeros(3, 2, device="meta"), BLOCK), "x is on meta"),
        (lambda: kt.GCNConv(2, 2)((zeros(3, 2), zeros(1, 2)), BLOCK), "x must be one tensor"),
        (lambda: kt.GCNConv(2, 2)(zeros(3, 2), BLOCK, zeros(3)), r"edge_weight must be \[2\]"),
    ],
)
def test_wrong_use_gets_a_sentence(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_unknown_options_are_refused():
    with pytest.raises(TypeError, match="no option 'head'"):
        kt.GATConv(2, 2, head=3)
