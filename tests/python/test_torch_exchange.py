"""Parameters of kith.nn's models to and from torch, and the same logits as PyG's models."""

import kith
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the exchange with torch needs torch, which is not installed")

import kith.torch as kt  # noqa: E402

KINDS = pytest.mark.parametrize("name", ["GraphSAGE", "GCN", "GAT", "GIN"])
HEADS = 4


def models():
    return pytest.importorskip("torch_geometric.nn.models", reason="torch_geometric is not installed")


def make_peer(name, num_layers=3, **options):
    torch.manual_seed(0)
    if name == "GAT":
        options = {"heads": HEADS, **options}
    peer = getattr(models(), name)(12, 16, num_layers, out_channels=4, **options)
    for parameter in peer.parameters():  # biases start at 0, which would hide them
        torch.nn.init.uniform_(parameter, -0.3, 0.3)
    return peer.eval()


def logits_of(peer, data):
    with torch.no_grad():
        return peer(torch.from_numpy(data.x.copy()), torch.from_numpy(data.edge_index)).numpy()


@KINDS
@pytest.mark.parametrize("num_layers", [1, 2, 3])
def test_a_model_of_pyg_gives_the_same_logits_here(data, name, num_layers):
    peer = make_peer(name, num_layers, dropout=0.25)
    for source in (peer, peer.state_dict(), dict(peer.named_parameters())):
        model = getattr(kith.nn, name).from_torch(source)
        assert model.num_layers == num_layers
        assert np.allclose(model.inference(data), logits_of(peer, data), rtol=1e-5, atol=1e-5)


@KINDS
def test_a_model_of_ours_gives_the_same_logits_in_pyg(data, name):
    options = {"heads": HEADS} if name == "GAT" else {}
    model = getattr(kith.nn, name)(12, 16, 4, num_layers=3, seed=5, **options)
    trainer = kith.Trainer(model, data, lr=0.01)
    trainer.fit(kith.NeighborLoader(data, [4, 4, 4], "train", batch_size=32), epochs=1, progress=False)
    peer = make_peer(name)
    peer.load_state_dict(model.to_torch_state_dict())
    assert np.allclose(model.inference(data), logits_of(peer, data), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["GraphSAGE", "GCN", "GAT"])
def test_layers_of_kith_torch_go_round(data, name):
    module = torch.nn.Module()
    if name == "GAT":
        layers = [kt.GATConv(12, 4, heads=4), kt.GATConv(16, 4, heads=4, concat=False)]
    else:
        layer = {"GraphSAGE": kt.SAGEConv, "GCN": kt.GCNConv}[name]
        layers = [layer(12, 16), layer(16, 4)]
    module.convs = torch.nn.ModuleList(layers)
    model = getattr(kith.nn, name).from_torch(module)
    h = torch.from_numpy(data.x.copy())
    graph = kith.Block(data.num_nodes, data.num_nodes, data.indptr, data.indices)
    with torch.no_grad():
        h = module.convs[1](module.convs[0](h, graph).relu(), graph)
    assert np.allclose(model.inference(data), h.numpy(), rtol=1e-5, atol=1e-5)
    state = model.to_torch_state_dict()
    assert all(torch.equal(state[key], value) for key, value in module.state_dict().items())
    for value in state.values():
        value.zero_()
    assert np.allclose(model.inference(data), h.numpy(), rtol=1e-5, atol=1e-5)  # the state is a copy


def test_the_sizes_of_gat_are_read_from_its_attention():
    for heads in (1, 2, 8):
        model = kith.nn.GAT.from_torch(make_peer("GAT", 2, heads=heads))
        assert model.heads == heads
        assert repr(model) == "GAT(12, 16, 4, num_layers=2)"


def test_gin_takes_a_trained_epsilon_of_0(data):
    peer = models().GIN(12, 16, 2, out_channels=4, train_eps=True).eval()
    model = kith.nn.GIN.from_torch(peer)
    assert np.allclose(model.inference(data), logits_of(peer, data), rtol=1e-5, atol=1e-5)
    peer.load_state_dict(model.to_torch_state_dict())


def test_dropout_is_the_modules_unless_given():
    peer = make_peer("GraphSAGE", dropout=0.25)
    rate = lambda model: model._options.dropout  # noqa: E731
    assert rate(kith.nn.GraphSAGE.from_torch(peer)) == 0.25
    assert rate(kith.nn.GraphSAGE.from_torch(peer, dropout=0.1)) == 0.1
    assert rate(kith.nn.GraphSAGE.from_torch(peer.state_dict())) == 0.5


@pytest.mark.parametrize(
    "name, options, message",
    [
        ("GraphSAGE", {"aggr": "max"}, "convs.0 has aggr='max', the engine's layer 'mean'"),
        ("GraphSAGE", {"normalize": True}, "normalize=True"),
        ("GraphSAGE", {"project": True}, r"unknown \['convs.0.lin.bias'"),
        ("GraphSAGE", {"root_weight": False}, r"missing \['convs.0.lin_r.weight'"),
        ("GraphSAGE", {"bias": False}, r"missing \['convs.0.lin_l.bias'"),
        ("GraphSAGE", {"act": "elu"}, "activation is relu, the module's ELU"),
        ("GraphSAGE", {"act": None}, "activation is relu, the module's None"),
        ("GraphSAGE", {"norm": "layer_norm"}, "no normalisation layers"),
        ("GraphSAGE", {"jk": "cat"}, r"lin\.weight"),
        ("GCN", {"improved": True}, "improved=True"),
        ("GCN", {"add_self_loops": False}, "add_self_loops=False"),
        ("GAT", {"add_self_loops": False}, "add_self_loops=False"),
        ("GAT", {"negative_slope": 0.1}, "negative_slope=0.1"),
        ("GAT", {"residual": True}, r"unknown \['convs.0.res.weight'"),
        ("GAT", {"edge_dim": 3}, r"unknown \['convs.0.att_edge'"),
        ("GAT", {"v2": True}, r"PyG's names, as convs.0.lin.weight"),
        ("GAT", {"bias": False}, r"missing \['convs.0.bias'"),
        ("GAT", {"jk": "last"}, "averaged in the last layer"),
        ("GIN", {"act": "elu"}, "activation inside convs.0 is relu, the module's ELU"),
        ("GIN", {"num_layers": 1, "act": "elu"}, "activation inside convs.0 is relu"),
        ("GIN", {"norm": "layer_norm"}, "convs.0.nn has LayerNorm"),
        ("GIN", {"eps": 0.5}, "convs.0.eps must be 0"),
        ("GIN", {"eps": 0.5, "train_eps": True}, "convs.0.eps must be 0"),
        ("GIN", {"aggr": "mean"}, "aggr='mean', the engine's layer 'add'"),
    ],
)
def test_a_model_that_computes_something_else_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        getattr(kith.nn, name).from_torch(make_peer(name, **options))


def test_what_is_no_such_model_is_refused():
    with pytest.raises(ValueError, match=r"PyG's names, as convs.0.lin_l.weight, got \['weight'\]"):
        kith.nn.GraphSAGE.from_torch(torch.nn.Linear(2, 2, bias=False))
    with pytest.raises(ValueError, match="a module or a state dict, got int"):
        kith.nn.GCN.from_torch(3)
    with pytest.raises(TypeError, match="base class"):
        kith.nn.Model.from_torch({})
    state = kith.nn.GraphSAGE(3, 4, 2, num_layers=3).to_torch_state_dict()
    state["convs.1.lin_l.weight"] = torch.zeros(5, 4)
    with pytest.raises(ValueError, match=r"convs.1.lin_l.weight must have shape \(4, 4\), got \(5, 4\)"):
        kith.nn.GraphSAGE.from_torch(state)
